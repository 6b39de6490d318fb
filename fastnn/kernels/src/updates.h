/* Gradients straight into updates. Template, after network.h. */

/* Parameters at..at+count, all of one kind, move by the gradient g. */
static void FN(move)(const PASS *pass, const STEP *step, REAL l2, const REAL *g, int64_t at, int64_t count) {
    const int tail = at >= pass->tail_at;
    REAL *m = NULL, *v = NULL;
    if (step->optimizer != SGD) {
        m = tail ? pass->tail_state + (at - pass->tail_at) : pass->state + at;
        v = m + (tail ? pass->tail_slot : pass->size);
    }
    FN(update)(step, l2, g, FN(parameters)(pass, at), m, v, count);
}

static void FN(update_bias)(PASS *pass, int64_t l, int64_t m, const STEP *step) {
    const int64_t stride = pass->net->strides[l], at = pass->net->biases[l];
    if (at < 0) return;
    memset(pass->gradient, 0, stride * sizeof(REAL));
    FN(bias_gradient)(pass->delta, m, stride, pass->gradient);
    FN(move)(pass, step, 0, pass->gradient, at, stride);
}

/* Layer l's gradient, a few rows at a time, straight into its update: it never goes to memory as a whole. */
static void FN(fused_update)(PASS *pass, int64_t l, int64_t m, const STEP *step) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l], at = net->weights[l];
    const int64_t low = l ? 0 : pass->bounds[pass->first_chunk];
    const int64_t high = l ? net->sizes[l] : pass->bounds[pass->end_chunk];
    REAL *g = pass->gradient;
    if (l == 0 && pass->sparse && step->optimizer == SGD && step->l2 == 0) {
        /* the sum goes on from the weights: w += x^T (-rate delta) */
        for (int64_t i = 0; i < m * stride; i += LANES)
            FN(vstore)(pass->before + i, FN(vload)(pass->delta + i) * -step->rate);
        for (int c = pass->first_chunk; c < pass->end_chunk; c++)
            FN(sparse_gradient)(&pass->active, c, m, pass->before, stride, pass->params + at);
    } else if (l == 0 && pass->sparse) {
        for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
            int64_t done[GROUPS] = {0};
            for (int64_t i = pass->bounds[c]; i < pass->bounds[c + 1];) {
                const int64_t most = FN(gradient_rows)(stride), left = pass->bounds[c + 1] - i;
                const int64_t rows = left < most ? left : most;
                memset(g, 0, rows * stride * sizeof(REAL)); /* g holds these rows alone, input i first */
                FN(sparse_gradient_until)(&pass->active, c, i + rows, m, pass->delta, stride, g - i * stride, done);
                FN(move)(pass, step, step->l2, g, at + i * stride, rows * stride);
                i += rows;
            }
        }
    } else {
        const REAL *x = l ? pass->a[l] : pass->x;
        for (int64_t i = low; i < high; i += TILE_ROWS) {
            const int64_t rows = high - i < TILE_ROWS ? high - i : TILE_ROWS;
            FN(product)(FN(FROM_ZERO), rows, stride, m,
                        (OPERANDS){x + i, 1, l ? net->strides[l - 1] : net->sizes[0], pass->delta, stride, NULL, g,
                                   stride, NULL});
            FN(move)(pass, step, step->l2, g, at + i * stride, rows * stride);
        }
    }
    FN(update_bias)(pass, l, m, step);
}
