/* Plain SGD in very small batches, without reading and writing W0 at every step. Template, after updates.h.

   Within a run of samples x_0, x_1, ... that starts at the weights W0, step t would see
       z_t = x_t (W0 + sum_{s<t} x_s^T d_s) = x_t W0 + sum_{s<t} (x_t . x_s) d_s,   d_s = -rate * delta_s.
   So one product of all samples with W0, their Gram matrix, cheap steps one after the other, and one update of W0 by
   all the d_s give the same sequence of updates, to rounding.

   With a usual row u (see plan.h), x_t = u + e_t, a stretch of runs leaves u's part of the updates to its end: it works
   on V, where W0 = V + u^T o and the row o is the sum of all the stretch's d_s so far. Then
       x_t W0 = u W0 + e_t V + (e_t . u) o,   x_t . x_s = e_t . e_s + e_t . u + e_s . u + u . u,
   and u W0 moves by (x_s . u) d_s. Each chunk of inputs does its part of all this. */

static void FN(begin_stretch)(PASS *pass) {
    const int64_t stride = pass->net->strides[0];
    memset(pass->usual.owed, 0, stride * sizeof(REAL));
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        REAL sum = 0;
        FN(usual_layer)(pass, c, c + 1, NULL, pass->usual.share + c * stride);
        for (int64_t i = pass->inputs_at[c]; i < pass->inputs_at[c + 1]; i++) sum += pass->usual.row[i] * pass->usual.row[i];
        pass->usual.squares[c] = sum;
    }
}

/* One chunk's products (samples) = e . u, from the columns (depth, GRAM_STRIDE) of e's active inputs; its gram, of e,
   becomes that of x. */
static void FN(usual_products)(PASS *pass, int chunk, int64_t samples, int64_t depth, REAL *gram) {
    const int64_t low = pass->inputs_at[chunk], line = 64 / sizeof(REAL), wide = (samples + line - 1) / line * line;
    const int32_t *index = pass->in->group.index + low;
    REAL *products = pass->usual.products + chunk * GRAM_STRIDE, *packed = pass->usual.packed;
    for (int64_t k = 0; k < depth; k++) packed[k] = pass->usual.row[index[k]];
    FN(product)(FN(FROM_ZERO), 1, wide, depth,
                (OPERANDS){packed, 0, 1, pass->x_columns, GRAM_STRIDE, NULL, products, GRAM_STRIDE, NULL});
    for (int64_t s = 0; s < samples; s++)
        for (int64_t t = 0; t < wide; t += LANES) {
            REAL *to = gram + s * GRAM_STRIDE + t;
            FN(vstore)(to, FN(vload)(to) + (FN(vload)(products + t) + (products[s] + pass->usual.squares[chunk])));
        }
}

/* One chunk's share of z (samples, strides[0]) */
static void FN(usual_share)(PASS *pass, int chunk, int64_t samples, REAL *z) {
    const int64_t stride = pass->net->strides[0];
    FN(unusual_layer)(pass, chunk, chunk + 1, samples, pass->usual.share + chunk * stride, z);
    FN(product)(FN(FROM_C), samples, stride, 1,
                (OPERANDS){pass->usual.products + chunk * GRAM_STRIDE, 1, 0, pass->usual.owed, 0, NULL, z, stride, NULL});
}

/* After the first `samples` rows of a run, which move W0 by e^T moves alone */
static void FN(move_usual)(PASS *pass, int64_t samples, const REAL *moves) {
    const int64_t stride = pass->net->strides[0];
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        REAL *products = pass->usual.products + c * GRAM_STRIDE;
        for (int64_t s = 0; s < samples; s++) products[s] += pass->usual.squares[c];
        FN(product)(FN(FROM_C), 1, stride, samples,
                    (OPERANDS){products, 0, 1, moves, stride, NULL, pass->usual.share + c * stride, stride, NULL});
    }
    FN(bias_gradient)(moves, samples, stride, stride, pass->usual.owed);
}

/* gram (samples, GRAM_STRIDE) = x x^T over one chunk's inputs, lower triangle; the rest is undefined */
static void FN(gram_matrix)(PASS *pass, int chunk, int64_t samples, REAL *gram) {
    const int64_t width = pass->net->sizes[0], low = pass->inputs_at[chunk], line = 64 / sizeof(REAL);
    const int64_t depth =
        pass->form == GROUPED ? pass->in->group.count[chunk] : pass->inputs_at[chunk + 1] - low;
    REAL *x = pass->in->x, *columns = pass->x_columns;
    for (int64_t s = 0; s < samples && pass->form == DENSE && !pass->data->is_uint8; s++)
        memcpy(x + s * width + low, (const REAL *)pass->in->rows.row[s] + low, depth * sizeof(REAL));
    for (int64_t s = 0; s < samples; s++)
        for (int64_t k = 0; k < depth; k++) columns[k * GRAM_STRIDE + s] = x[s * width + low + k];
    for (int64_t s = 0; s < samples; s += TILE_ROWS) {
        const int64_t rows = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
        FN(product)(FN(FROM_ZERO), rows, (s + rows + line - 1) / line * line, depth,
                    (OPERANDS){x + s * width + low, width, 1, columns, GRAM_STRIDE, NULL, gram + s * GRAM_STRIDE,
                               GRAM_STRIDE, NULL});
    }
    if (pass->has_usual) FN(usual_products)(pass, chunk, samples, depth, gram);
}

/* to (count) = the chunks' shares, added as sum_shares does */
static void FN(add_shares)(const PASS *pass, const REAL *shares, int64_t step, int64_t count, REAL *to) {
    for (int64_t i = 0; i < count; i += LANES) FN(vstore)(to + i, FN(sum_shares)(pass, shares + i, step));
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
static int64_t FN(online_run)(PASS *pass, REAL *shares, const int64_t *rows, int64_t samples, int64_t available,
                              int64_t batch_size, const STEP *step) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[0], share = samples * (stride + GRAM_STRIDE);
    const REAL *bias = FN(bias)(pass, 0);
    REAL *z = pass->run_z, *gram = pass->gram, *moves = pass->moves;
    FN(gather)(pass, pass->in, rows, 0, samples, available);
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        FN(gram_matrix)(pass, c, samples, shares + c * share + samples * stride);
        if (pass->has_usual)
            FN(usual_share)(pass, c, samples, shares + c * share);
        else
            FN(unusual_layer)(pass, c, c + 1, samples, NULL, shares + c * share);
    }
    FN(fold_shares)(pass, shares, share);
    FN(meet)(pass);
    FN(add_shares)(pass, shares, share, samples * stride, z);
    FN(add_shares)(pass, shares + samples * stride, share, samples * GRAM_STRIDE, gram);
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
        pass->in->order = rows + first;
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
    FN(unusual_gradient)(pass, first, moves, pass->params);
    if (pass->has_usual) FN(move_usual)(pass, first, moves);
    return done;
}

/* A run, or with a usual row a stretch of them, by up to `available` rows; returns the batches done, and in *unit how
   many there were to do. The runs' shares take turns in two halves of `shares`. */
static int64_t FN(online_stretch)(PASS *pass, REAL *shares, int64_t share_room, int *parity, const int64_t *rows,
                                  int64_t available, int64_t batch_size, const STEP *step, int64_t *unit) {
    const int64_t most = (pass->form == DENSE ? RUN : GROUP) / batch_size * batch_size; /* a group is packed together */
    const int64_t stretch = pass->has_usual ? STRETCH * most : most;
    const int64_t all = available < stretch ? available : stretch;
    int64_t done = 0, expected = 0;
    if (pass->has_usual) FN(begin_stretch)(pass);
    for (int64_t first = 0; first < all && done == expected; first += most) {
        const int64_t samples = all - first < most ? all - first : most;
        expected += (samples + batch_size - 1) / batch_size;
        done += FN(online_run)(pass, shares + (*parity)++ % 2 * share_room, rows + first, samples, available - first,
                               batch_size, step);
    }
    if (pass->has_usual) FN(usual_gradient)(pass, pass->usual.owed, pass->params);
    *unit = expected;
    return done;
}
