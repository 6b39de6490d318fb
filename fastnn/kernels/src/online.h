/* Plain SGD in very small batches, without reading and writing W0 at every step. Template, after updates.h.

   Within a run of samples x_0, x_1, ... that starts at the weights W0, step t would see
       z_t = x_t (W0 + sum_{s<t} x_s^T d_s) = x_t W0 + sum_{s<t} (x_t . x_s) d_s,   d_s = -rate * delta_s.
   So one product of all samples with W0, their Gram matrix, cheap steps one after the other, and one update of W0 by
   all the d_s give the same sequence of updates, to rounding. */

/* gram (samples, GRAM_STRIDE) = x x^T over one chunk's inputs, lower triangle; the rest is undefined */
static void FN(gram_matrix)(PASS *pass, int chunk, int64_t samples, REAL *gram) {
    const int64_t width = pass->net->sizes[0], low = pass->inputs_at[chunk], line = 64 / sizeof(REAL);
    const int64_t depth =
        pass->form == GROUPED ? pass->in->group.count[chunk] : pass->inputs_at[chunk + 1] - low;
    const REAL *x = pass->in->x;
    REAL *columns = pass->x_columns;
    for (int64_t s = 0; s < samples; s++)
        for (int64_t k = 0; k < depth; k++) columns[k * GRAM_STRIDE + s] = x[s * width + low + k];
    for (int64_t s = 0; s < samples; s += TILE_ROWS) {
        const int64_t rows = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
        FN(product)(FN(FROM_ZERO), rows, (s + rows + line - 1) / line * line, depth,
                    (OPERANDS){x + s * width + low, width, 1, columns, GRAM_STRIDE, NULL, gram + s * GRAM_STRIDE,
                               GRAM_STRIDE, NULL});
    }
}

/* to (count) = the chunks' shares, (CHUNKS, step) apart, added in their order */
static void FN(add_shares)(const REAL *shares, int chunks, int64_t step, int64_t count, REAL *to) {
    for (int64_t i = 0; i < count; i += LANES) {
        V sum = FN(vload)(shares + i);
        for (int c = 1; c < chunks; c++) sum += FN(vload)(shares + c * step + i);
        FN(vstore)(to + i, sum);
    }
}

/* After layer l's update and delta_before: its transposed weights take the same update, with the same roundings. */
static void FN(update_transposed)(PASS *pass, int64_t l, int64_t m, const STEP *step) {
    const fnn_net *net = pass->net;
    const int64_t inputs = net->sizes[l], outputs = net->sizes[l + 1], stride = net->strides[l - 1];
    REAL *w = pass->transposed[l];
    FN(scale)(pass->before, -step->rate, m * net->strides[l], pass->before);
    FN(product)(FN(FROM_C), outputs, stride, m,
                (OPERANDS){pass->before, 1, net->strides[l], pass->a[l], stride, NULL, w, stride, NULL});
    for (int64_t k = 0; k < outputs; k++) /* the activations' padding is not zero */
        for (int64_t i = inputs; i < stride; i++) w[k * stride + i] = 0;
}

/* Updates by `samples` rows in batches of `batch_size`; samples is at most RUN, or GROUP if grouped. Returns
   how many batches were done: all, or those before the first whose loss is not finite. */
static int64_t FN(online_run)(PASS *pass, fnn_barrier *barrier, int threads, REAL *shares, const int64_t *rows,
                              int64_t samples, int64_t available, int64_t batch_size, const STEP *step,
                              double *stalled) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[0], share = samples * (stride + GRAM_STRIDE);
    const REAL *bias = FN(bias)(pass, 0);
    REAL *z = pass->run_z, *gram = pass->gram, *moves = pass->moves;
    FN(gather)(pass, rows, 0, samples, available);
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        FN(first_layer)(pass, c, c + 1, samples, NULL, shares + c * share);
        FN(gram_matrix)(pass, c, samples, shares + c * share + samples * stride);
    }
    *stalled += fnn_wait(barrier, threads);
    FN(add_shares)(shares, pass->chunks, share, samples * stride, z);
    FN(add_shares)(shares + samples * stride, pass->chunks, share, samples * GRAM_STRIDE, gram);
    FN(transpose_weights)(pass);

    int64_t first = 0, done = 0;
    for (; first < samples; first += batch_size, done++) {
        const int64_t m = samples - first < batch_size ? samples - first : batch_size;
        const double loss_before = pass->loss;
        const int64_t correct_before = pass->correct;
        for (int64_t s = 0; s < m; s++)
            for (int64_t j = 0; j < pass->right; j += LANES) {
                V start = FN(vload)(z + (first + s) * stride + j);
                if (bias) start += FN(vload)(bias + j);
                FN(vstore)(pass->a[1] + s * stride + j, start);
            }
        FN(product)(FN(FROM_C), m, pass->right, first,
                    (OPERANDS){gram + first * GRAM_STRIDE, GRAM_STRIDE, 1, moves, stride, NULL, pass->a[1], stride,
                               NULL});
        pass->order = rows + first;
        FN(activate_first)(pass, m);
        FN(later_layers)(pass, 1, m);
        FN(output_block)(pass, m, m);
        if (!isfinite(pass->loss)) {
            pass->loss = loss_before;
            pass->correct = correct_before;
            break;
        }
        for (int64_t l = net->layers - 1; l > 0; l--) {
            FN(fused_update)(pass, l, m, step);
            FN(delta_before)(pass, l, m);
            FN(update_transposed)(pass, l, m, step);
        }
        FN(update_bias)(pass, 0, m, step);
        FN(scale)(pass->delta, -step->rate, m * stride, moves + first * stride);
    }
    if (first > samples) first = samples;
    FN(first_gradient)(pass, first, moves, pass->params + net->weights[0]);
    return done;
}
