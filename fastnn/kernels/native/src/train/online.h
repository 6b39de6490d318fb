/* Plain SGD in very small batches, without reading and writing W0 at every step.

   Within a run of samples x_0, x_1, ... that starts at the weights W0, step t would see
       z_t = x_t (W0 + sum_{s<t} x_s^T d_s) = x_t W0 + sum_{s<t} (x_t . x_s) d_s,   d_s = -rate * delta_s.
   So one product of all samples with W0, their Gram matrix, cheap steps one after the other, and one update of W0 by
   all the d_s give the same sequence of updates, to rounding.

   With a usual row u (see plan.h), x_t = u + e_t, a stretch of runs leaves u's part of the updates to its end: it works
   on vec, where W0 = vec + u^T o and the row o is the sum of all the stretch's d_s so far. Then
       x_t W0 = u W0 + e_t vec + (e_t . u) o,   x_t . x_s = e_t . e_s + e_t . u + e_s . u + u . u,
   and u W0 moves by (x_s . u) d_s. Each chunk of inputs does its part of all this. */
#ifndef FNN_TRAIN_ONLINE_H
#define FNN_TRAIN_ONLINE_H

#include "update.h"

static void begin_stretch(workspace *pass) {
    const int64_t stride = pass->net->strides[0];
    memset(pass->usual.owed, 0, stride * sizeof(real));
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        real sum = 0;
        usual_layer(pass, c, c + 1, NULL, pass->usual.share + c * stride);
        for (int64_t i = pass->inputs_at[c]; i < pass->inputs_at[c + 1]; i++) sum += pass->usual.row[i] * pass->usual.row[i];
        pass->usual.squares[c] = sum;
    }
}

/* One chunk's products (samples) = e . u, from the columns (depth, GRAM_STRIDE) of e's active inputs; its gram, of e,
   becomes that of x. */
static void usual_products(workspace *pass, int chunk, int64_t samples, int64_t depth, real *gram) {
    const int64_t low = pass->inputs_at[chunk], line = 64 / sizeof(real), wide = (samples + line - 1) / line * line;
    const int32_t *index = pass->in->group.index + low;
    real *products = pass->usual.products + chunk * GRAM_STRIDE, *packed = pass->usual.packed;
    for (int64_t k = 0; k < depth; k++) packed[k] = pass->usual.row[index[k]];
    gemm(FROM_ZERO, 1, wide, depth,
                (gemm_operands){packed, 0, 1, pass->x_columns, GRAM_STRIDE, NULL, products, GRAM_STRIDE, NULL});
    for (int64_t s = 0; s < samples; s++)
        for (int64_t t = 0; t < wide; t += LANES) {
            real *to = gram + s * GRAM_STRIDE + t;
            vstore(to, vload(to) + (vload(products + t) + (products[s] + pass->usual.squares[chunk])));
        }
}

/* One chunk's share of z (samples, strides[0]) */
static void usual_share(workspace *pass, int chunk, int64_t samples, real *z) {
    const int64_t stride = pass->net->strides[0];
    unusual_layer(pass, chunk, chunk + 1, samples, pass->usual.share + chunk * stride, z);
    gemm(FROM_C, samples, stride, 1,
                (gemm_operands){pass->usual.products + chunk * GRAM_STRIDE, 1, 0, pass->usual.owed, 0, NULL, z, stride, NULL});
}

/* After the first `samples` rows of a run, which move W0 by e^T moves alone */
static void move_usual(workspace *pass, int64_t samples, const real *moves) {
    const int64_t stride = pass->net->strides[0];
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        real *products = pass->usual.products + c * GRAM_STRIDE;
        for (int64_t s = 0; s < samples; s++) products[s] += pass->usual.squares[c];
        gemm(FROM_C, 1, stride, samples,
                    (gemm_operands){products, 0, 1, moves, stride, NULL, pass->usual.share + c * stride, stride, NULL});
    }
    bias_gradient(moves, samples, stride, stride, pass->usual.owed);
}

/* gram (samples, GRAM_STRIDE) = x x^T over one chunk's inputs, lower triangle; the rest is undefined */
static void gram_matrix(workspace *pass, int chunk, int64_t samples, real *gram) {
    const int64_t width = pass->net->sizes[0], low = pass->inputs_at[chunk], line = 64 / sizeof(real);
    const int64_t depth =
        pass->form == GROUPED ? pass->in->group.count[chunk] : pass->inputs_at[chunk + 1] - low;
    real *x = pass->in->x, *columns = pass->x_columns;
    for (int64_t s = 0; s < samples && pass->form == DENSE && !pass->data->is_uint8; s++)
        memcpy(x + s * width + low, (const real *)pass->in->rows.row[s] + low, depth * sizeof(real));
    for (int64_t s = 0; s < samples; s++)
        for (int64_t k = 0; k < depth; k++) columns[k * GRAM_STRIDE + s] = x[s * width + low + k];
    for (int64_t s = 0; s < samples; s += TILE_ROWS) {
        const int64_t rows = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
        gemm(FROM_ZERO, rows, (s + rows + line - 1) / line * line, depth,
                    (gemm_operands){x + s * width + low, width, 1, columns, GRAM_STRIDE, NULL, gram + s * GRAM_STRIDE,
                               GRAM_STRIDE, NULL});
    }
    if (pass->has_usual) usual_products(pass, chunk, samples, depth, gram);
}

/* to (count) = the chunks' shares, added as sum_shares does */
static void add_shares(const workspace *pass, const real *shares, int64_t step, int64_t count, real *to) {
    for (int64_t i = 0; i < count; i += LANES) vstore(to + i, sum_shares(pass, shares + i, step));
}

/* After layer l's update and delta_before: its transposed weights take the same update, with the same roundings. */
static void update_transposed(workspace *pass, int64_t l, int64_t m, const optimizer_step *step) {
    const fnn_net *net = pass->net;
    const int64_t inputs = net->sizes[l], outputs = net->sizes[l + 1], stride = net->strides[l - 1];
    real *w = pass->transposed[l];
    scale_into(pass->before, -step->rate, m * net->strides[l], pass->before);
    gemm(FROM_C, outputs, stride, m,
                (gemm_operands){pass->before, 1, net->strides[l], pass->a[l], stride, NULL, w, stride, NULL});
    for (int64_t k = 0; k < outputs; k++) /* the activations' padding is not zero */
        for (int64_t i = inputs; i < stride; i++) w[k * stride + i] = 0;
}

/* Updates by `samples` rows in batches of `batch_size`; samples is at most RUN, or GROUP if grouped. Returns
   how many batches were done: all, or those before the first whose loss is not finite. */
static int64_t online_run(workspace *pass, real *shares, const int64_t *rows, int64_t samples, int64_t available,
                              int64_t batch_size, const optimizer_step *step) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[0], share = samples * (stride + GRAM_STRIDE);
    const real *bias = bias_of(pass, 0);
    real *z = pass->run_z, *gram = pass->gram, *moves = pass->moves;
    gather(pass, pass->in, rows, 0, samples, available);
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        gram_matrix(pass, c, samples, shares + c * share + samples * stride);
        if (pass->has_usual)
            usual_share(pass, c, samples, shares + c * share);
        else
            unusual_layer(pass, c, c + 1, samples, NULL, shares + c * share);
    }
    fold_shares(pass, shares, share);
    meet(pass);
    add_shares(pass, shares, share, samples * stride, z);
    add_shares(pass, shares + samples * stride, share, samples * GRAM_STRIDE, gram);
    transpose_weights(pass);

    int64_t first = 0, done = 0;
    for (; first < samples; first += batch_size, done++) {
        const int64_t m = samples - first < batch_size ? samples - first : batch_size;
        const double loss_before = pass->loss;
        const int64_t correct_before = pass->correct;
        for (int64_t s = 0; s < m; s++)
            for (int64_t j = 0; j < pass->right; j += LANES) {
                vec start = vload(z + (first + s) * stride + j);
                if (bias) start += vload(bias + j);
                vstore(pass->a[1] + s * stride + j, start);
            }
        gemm(FROM_C, m, pass->right, first,
                    (gemm_operands){gram + first * GRAM_STRIDE, GRAM_STRIDE, 1, moves, stride, NULL, pass->a[1], stride,
                               NULL});
        pass->in->order = rows + first;
        activate_first(pass, m);
        later_layers(pass, 1, m);
        output_block(pass, m, m);
        if (!isfinite(pass->loss)) {
            pass->loss = loss_before;
            pass->correct = correct_before;
            break;
        }
        for (int64_t l = net->layers - 1; l > 0; l--) {
            fused_update(pass, l, m, step);
            delta_before(pass, l, m);
            update_transposed(pass, l, m, step);
        }
        update_bias(pass, 0, m, step);
        scale_into(pass->delta, -step->rate, m * stride, moves + first * stride);
    }
    if (first > samples) first = samples;
    unusual_gradient(pass, first, moves, pass->params);
    if (pass->has_usual) move_usual(pass, first, moves);
    return done;
}

/* A run, or with a usual row a stretch of them, by up to `available` rows; returns the batches done, and in *unit how
   many there were to do. The runs' shares take turns in two halves of `shares`. */
static int64_t online_stretch(workspace *pass, real *shares, int64_t share_room, int *parity, const int64_t *rows,
                                  int64_t available, int64_t batch_size, const optimizer_step *step, int64_t *unit) {
    const int64_t most = (pass->form == DENSE ? RUN : GROUP) / batch_size * batch_size; /* a group is packed together */
    const int64_t stretch = pass->has_usual ? STRETCH * most : most;
    const int64_t all = available < stretch ? available : stretch;
    int64_t done = 0, expected = 0;
    if (pass->has_usual) begin_stretch(pass);
    for (int64_t first = 0; first < all && done == expected; first += most) {
        const int64_t samples = all - first < most ? all - first : most;
        expected += (samples + batch_size - 1) / batch_size;
        done += online_run(pass, shares + (*parity)++ % 2 * share_room, rows + first, samples, available - first,
                               batch_size, step);
    }
    if (pass->has_usual) usual_gradient(pass, pass->usual.owed, pass->params);
    *unit = expected;
    return done;
}

#endif
