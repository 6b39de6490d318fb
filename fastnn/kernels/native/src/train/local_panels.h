/* A wide first layer in memory of its own, for the length of a call.

   Where the threads share out the first layer's outputs, each has a piece of every row of W0. A core that reads its
   piece prefetches some of the next, which another core is changing and then has to take back: of 256 units in batches
   of 10 an epoch took three times as long. So each thread packs its columns of W0, the rows of W1 behind them and their
   state, and works on the narrower network that they make.
   Where lists walk the inputs, W0 and its state are packed strip by strip, by one thread alone and for long batches as
   well: a strip is walked from end to end, which the processor foresees if it lies in one piece. 784-500-10 with Adam
   takes 0.87 of the time. */
#ifndef FNN_TRAIN_LOCAL_PANELS_H
#define FNN_TRAIN_LOCAL_PANELS_H

#include "workspace.h"

/* Some elements from `all` to `own`, or back. */
INLINE void copy_elements(real *all, real *own, int64_t count, int back) {
    memcpy(back ? all : own, back ? own : all, count * sizeof(real));
}

/* One of `threads` shares of W0's parts, from rows `stride` apart to the layout of the pass's own, or back. */
static void copy_weights(const workspace *pass, real *all, int64_t stride, real *own, int thread, int threads,
                             int back) {
    const int64_t right = pass->net->strides[0];
    for (int64_t column = 0, part = 0, columns; column < right; column += columns, part++) {
        const panel_matrix to = part_of(first_weights(pass, own), column, right, &columns);
        for (int64_t i = 0; i < pass->net->sizes[0] && part % threads == thread; i++)
            copy_elements(all + i * stride + column, to.at + i * to.stride, columns, back);
    }
}

/* The columns of W0 and b0 and the rows of W1 that are the thread's, of the parameters or of one slot of their state:
   from the whole network's to its own, or back. */
static void copy_columns(const workspace *pass, real *all, real *own, int back) {
    const fnn_net *net = pass->all, *narrow = pass->net;
    copy_weights(pass, all + net->weights[0] + pass->cut, net->strides[0], own, 0, 1, back);
    if (net->biases[0] >= 0)
        copy_elements(all + net->biases[0] + pass->cut, own + narrow->biases[0], narrow->strides[0], back);
    copy_elements(all + net->weights[1] + pass->cut * net->strides[1], own + narrow->weights[1],
             narrow->sizes[1] * narrow->strides[1], back);
}

/* A pass with its chunks of outputs, its parameters and state, and `slots` of these, goes over to its own columns. */
static void take_columns(workspace *pass, int64_t slots) {
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
    pass->own_net =
        (fnn_net){layers, sizes, all->activations, weights, biases, strides, all->loss, -1, all->propagates_error};
    pass->net = &pass->own_net;
    pass->cut = pass->left;
    pass->in_strips = pass->form == LISTED;
    for (int c = 0; c <= pass->chunks; c++) pass->outputs_at[c] -= pass->cut;
    pass->left = 0;
    pass->right = columns;
    pass->tail_at = end;
    copy_columns(pass, pass->params, pass->own, 0);
    for (int64_t slot = 0; slot < slots; slot++)
        copy_columns(pass, pass->state + slot * pass->size, pass->own + (slot + 1) * end, 0);
    pass->params = pass->own;
    pass->state = pass->own + end;
    pass->size = end;
}

/* What it did there goes to the whole network's parameters and state. */
static void give_back_columns(const workspace *pass, real *params, real *state, int64_t slots) {
    const int64_t size = parameter_count(pass->all);
    copy_columns(pass, params, pass->own, 1);
    for (int64_t slot = 0; slot < slots; slot++)
        copy_columns(pass, state + slot * size, pass->own + (slot + 1) * pass->size, 1);
}

/* The thread's share of W0 and of its state, from where they are to `own`, which all threads use, or back. */
static void copy_strips(const workspace *pass, real *params, real *state, real *own, int64_t slots, int back) {
    for (int64_t slot = -1; slot < slots; slot++) {
        real *all = slot < 0 ? params : state + slot * pass->size;
        copy_weights(pass, all + pass->net->weights[0], pass->net->strides[0], own + (slot + 1) * pass->size,
                         pass->thread, pass->threads, back);
    }
}

/* A pass for long batches goes over to W0 in strips; the other layers stay where they are, in its tail. */
static void take_strips(workspace *pass, real *own, int64_t slots) {
    pass->in_strips = 1;
    copy_strips(pass, pass->params, pass->state, own, slots, 0);
    pass->params = own;
    pass->state = own + pass->size;
}

#endif
