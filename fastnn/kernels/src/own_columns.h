/* A thread's columns of a wide first layer, in memory of their own. Template, after pass.h.

   Where the threads share out the first layer's outputs, each has a piece of every row of W0. A core that reads its
   piece prefetches some of the next, which another core is changing and then has to take back: of 256 units in batches
   of 10 an epoch took three times as long. So for the length of a call each thread packs its columns of W0, the rows of
   W1 behind them and their state, and works on the narrower network that they make. Where lists walk the inputs, one
   thread does so as well: a strip of W0's columns, and of their state's, then lies in one piece that the processor
   prefetches by itself, and 784-500-10 with Adam takes 0.87 of the time. */

/* The columns of W0 and b0 and the rows of W1 that are the thread's, of the parameters or of one slot of their state:
   from the whole network's to its own, or back. */
static void FN(copy_columns)(const PASS *pass, REAL *of_all, REAL *own, int back) {
    const fnn_net *all = pass->all, *net = pass->net;
    const int64_t columns = net->strides[0], rows = net->sizes[1] * net->strides[1];
    REAL *w = of_all + all->weights[0] + pass->cut, *later = of_all + all->weights[1] + pass->cut * all->strides[1];
#define COPY(all_at, own_at, count) memcpy(back ? all_at : own_at, back ? own_at : all_at, (count) * sizeof(REAL))
    for (int64_t column = 0, width; column < columns; column += width) {
        const MATRIX part = FN(part_of)(FN(first_weights)(pass, own), column, columns, &width);
        for (int64_t i = 0; i < all->sizes[0]; i++)
            COPY(w + i * all->strides[0] + column, part.at + i * part.stride, width);
    }
    if (all->biases[0] >= 0) COPY(of_all + all->biases[0] + pass->cut, own + net->biases[0], columns);
    COPY(later, own + net->weights[1], rows);
#undef COPY
}

/* A pass with its chunks of outputs, its parameters and state, and `slots` of these, goes over to its own columns. */
static void FN(take_columns)(PASS *pass, int64_t slots) {
    const fnn_net *all = pass->net;
    const int64_t columns = pass->right - pass->left, layers = all->layers;
    int64_t *sizes = pass->own_numbers, *strides = sizes + layers + 1, *weights = strides + layers;
    int64_t *biases = weights + layers;
    memcpy(sizes, all->sizes, (layers + 1) * sizeof *sizes);
    memcpy(strides, all->strides, layers * sizeof *strides);
    sizes[1] = (pass->right < all->sizes[1] ? pass->right : all->sizes[1]) - pass->left;
    strides[0] = columns;
    weights[0] = 0;
    biases[0] = all->biases[0] < 0 ? -1 : all->sizes[0] * columns;
    weights[1] = all->sizes[0] * columns + (all->biases[0] < 0 ? 0 : columns);
    const int64_t end = weights[1] + sizes[1] * strides[1], moved = end - pass->tail_at;
    for (int64_t l = 1; l < layers; l++) {
        if (l > 1) weights[l] = all->weights[l] + moved;
        biases[l] = all->biases[l] < 0 ? -1 : all->biases[l] + moved;
    }
    pass->own_net = (fnn_net){layers, sizes, all->activations, weights, biases, strides, all->loss, -1};
    pass->net = &pass->own_net;
    pass->cut = pass->left;
    for (int c = 0; c <= pass->chunks; c++) pass->outputs_at[c] -= pass->cut;
    pass->left = 0;
    pass->right = columns;
    pass->tail_at = end;
    FN(copy_columns)(pass, pass->params, pass->own, 0);
    for (int64_t slot = 0; slot < slots; slot++)
        FN(copy_columns)(pass, pass->state + slot * pass->size, pass->own + (slot + 1) * end, 0);
    pass->params = pass->own;
    pass->state = pass->own + end;
    pass->size = end;
}

/* What it did there goes to the whole network's parameters and state. */
static void FN(give_back_columns)(const PASS *pass, REAL *params, REAL *state, int64_t slots) {
    const int64_t size = FN(parameter_count)(pass->all);
    FN(copy_columns)(pass, params, pass->own, 1);
    for (int64_t slot = 0; slot < slots; slot++)
        FN(copy_columns)(pass, state + slot * size, pass->own + (slot + 1) * pass->size, 1);
}
