/* Plain SGD by single samples, without reading and writing W0 at every step.

   Within a block of samples x_0, x_1, ... that starts at the weights W0, step t would see

       z_t = x_t (W0 + sum_{s<t} x_s^T d_s) = x_t W0 + sum_{s<t} (x_t . x_s) d_s,   d_s = -rate * delta_s.

   So one product of all samples with W0, their Gram matrix, cheap steps one after the other, and one update of W0 by
   all the d_s give the same sequence of updates, to rounding.

   With a column offset u, x_t = u + e_t, a span of blocks leaves u's part of the updates to its end: it works on V,
   where W0 = V + u^T o and the row o is the sum of all the span's d_s so far. Then

       x_t W0 = u W0 + e_t V + (e_t . u) o,   x_t . x_s = e_t . e_s + e_t . u + e_s . u + u . u,

   and u W0 moves by (x_s . u) d_s. Each split of the inputs does its part of all this.

   Called by epoch.h; writes all parameters, and the workspace. */
#ifndef FNN_TRAIN_ONLINE_H
#define FNN_TRAIN_ONLINE_H

#include "update.h"

static void begin_span(workspace *ws) {
    const int64_t width = output_width(ws->net, 0);
    memset(ws->offset.deferred, 0, width * sizeof(real));
    for (int c = ws->first_split; c < ws->end_split; c++) {
        real sum = 0;
        offset_layer(ws, c, c + 1, NULL, ws->offset.partial_z + c * width);
        for (int64_t i = ws->input_at[c]; i < ws->input_at[c + 1]; i++) sum += ws->offset.u[i] * ws->offset.u[i];
        ws->offset.square[c] = sum;
    }
}

/* One split's products (samples) = e . u, from the columns (depth, GRAM_STRIDE) of e's active inputs; its gram, of e,
   becomes that of x. */
static void offset_products(workspace *ws, int split, int64_t samples, int64_t depth, real *gram) {
    const int64_t low = ws->input_at[split], wide = whole_lines(samples);
    const int32_t *index = ws->in->online.index + low;
    real *products = ws->offset.products + split * GRAM_STRIDE, *packed = ws->offset.packed;
    for (int64_t k = 0; k < depth; k++) packed[k] = ws->offset.u[index[k]];
    gemm(FROM_ZERO, 1, wide, depth,
         (gemm_operands){packed, 0, 1, ws->x_columns, GRAM_STRIDE, NULL, products, GRAM_STRIDE, NULL});
    for (int64_t s = 0; s < samples; s++)
        for (int64_t t = 0; t < wide; t += LANES) {
            real *to = gram + s * GRAM_STRIDE + t;
            vstore(to, vload(to) + (vload(products + t) + (products[s] + ws->offset.square[split])));
        }
}

/* One split's partial sum of z (samples, output_width(0)) */
static void offset_partial_z(workspace *ws, int split, int64_t samples, real *z) {
    const int64_t width = output_width(ws->net, 0);
    first_layer(ws, split, split + 1, samples, ws->offset.partial_z + split * width, z);
    gemm(
        FROM_C, samples, width, 1,
        (gemm_operands){ws->offset.products + split * GRAM_STRIDE, 1, 0, ws->offset.deferred, 0, NULL, z, width, NULL});
}

/* After the first `samples` rows of a block, which have updated V by e^T d alone: u W0 and o follow. */
static void advance_offset(workspace *ws, int64_t samples, const real *d) {
    const int64_t width = output_width(ws->net, 0);
    for (int c = ws->first_split; c < ws->end_split; c++) {
        real *products = ws->offset.products + c * GRAM_STRIDE;
        for (int64_t s = 0; s < samples; s++) products[s] += ws->offset.square[c];
        gemm(FROM_C, 1, width, samples,
             (gemm_operands){products, 0, 1, d, width, NULL, ws->offset.partial_z + c * width, width, NULL});
    }
    bias_gradient(d, samples, width, width, ws->offset.deferred);
}

/* gram (samples, GRAM_STRIDE) = x x^T over one split's inputs, lower triangle; the rest is undefined */
static void gram_matrix(workspace *ws, int split, int64_t samples, real *gram) {
    const int64_t width = ws->net->sizes[0], low = ws->input_at[split];
    const int64_t depth =
        ws->plan.inputs == ONLINE_MICRO_BATCHES ? ws->in->online.count[split] : ws->input_at[split + 1] - low;
    real *x = ws->in->x, *columns = ws->x_columns;
    for (int64_t s = 0; s < samples && ws->plan.inputs == DENSE && !ws->data->is_uint8; s++)
        memcpy(x + s * width + low, (const real *)ws->in->rows.row[s] + low, depth * sizeof(real));
    for (int64_t s = 0; s < samples; s++)
        for (int64_t k = 0; k < depth; k++) columns[k * GRAM_STRIDE + s] = x[s * width + low + k];
    for (int64_t s = 0; s < samples; s += TILE_ROWS) {
        const int64_t rows = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
        gemm(FROM_ZERO, rows, whole_lines(s + rows), depth,
             (gemm_operands){x + s * width + low, width, 1, columns, GRAM_STRIDE, NULL, gram + s * GRAM_STRIDE,
                             GRAM_STRIDE, NULL});
    }
    if (ws->plan.offset) offset_products(ws, split, samples, depth, gram);
}

/* to (count) = the splits' partial sums, added as reduced does */
static void add_partial(const workspace *ws, const real *partial, int64_t step, int64_t count, real *to) {
    for (int64_t i = 0; i < count; i += LANES) vstore(to + i, reduced(ws, partial + i, step));
}

/* Updates by `samples` rows, at most the plan's block, one after the other, with learning rates of their own if there
   are `rates`. Returns how many were done: all, or those before the first whose loss is not finite. */
static int64_t online_block(workspace *ws, const int64_t *rows, const double *rates, int64_t samples, int64_t available,
                            optimizer_step step) {
    const fnn_net *net = ws->net;
    const int64_t width = output_width(net, 0), z_size = samples * width, size = z_size + samples * GRAM_STRIDE;
    const real *bias = bias_of(ws, 0);
    real *z = ws->block_z, *gram = ws->gram, *d = ws->d, *partial = next_partial(ws);
    int64_t done = 0;
    gather(ws, ws->in, rows, 0, samples, available);
    for (int c = ws->first_split; c < ws->end_split; c++) {
        gram_matrix(ws, c, samples, partial + c * size + z_size);
        if (ws->plan.offset)
            offset_partial_z(ws, c, samples, partial + c * size);
        else
            first_layer(ws, c, c + 1, samples, NULL, partial + c * size);
    }
    reduce_pairs(ws, partial, size, size);
    await_threads(ws);
    add_partial(ws, partial, size, z_size, z);
    add_partial(ws, partial + z_size, size, samples * GRAM_STRIDE, gram);
    for (; done < samples; done++) {
        const double loss_before = ws->loss;
        const int64_t correct_before = ws->correct;
        for (int64_t j = 0; j < ws->right; j += LANES) {
            vec start = vload(z + done * width + j);
            if (bias) start += vload(bias + j);
            vstore(ws->a[1] + j, start);
        }
        gemm(FROM_C, 1, ws->right, done,
             (gemm_operands){gram + done * GRAM_STRIDE, GRAM_STRIDE, 1, d, width, NULL, ws->a[1], width, NULL});
        ws->in->order = rows + done;
        activate_first(ws, 1);
        later_layers(ws, 1, 1);
        output_block(ws, 1, 1);
        if (!isfinite(ws->loss)) {
            ws->loss = loss_before;
            ws->correct = correct_before;
            break;
        }
        if (rates) step.rate = (real)rates[done];
        transpose_weights(ws);
        for (int64_t l = net->layers - 1; l > 0; l--) {
            fused_update(ws, l, 1, &step);
            delta_before(ws, l, 1);
        }
        update_bias(ws, 0, 1, &step);
        scale_into(ws->delta, -step.rate, width, d + done * width);
    }
    first_gradient(ws, done, d, ws->params);
    if (ws->plan.offset) advance_offset(ws, done, d);
    return done;
}

/* A span of blocks, by up to `available` rows; returns the updates done, and in *unit how many there were to do. */
static int64_t online_span(workspace *ws, const int64_t *rows, const double *rates, int64_t available,
                           const optimizer_step *step, int64_t *unit) {
    const int64_t span = ws->plan.span * ws->plan.block, all = available < span ? available : span;
    int64_t done = 0, expected = 0;
    if (ws->plan.offset) begin_span(ws);
    while (expected < all && done == expected) {
        const int64_t left = all - expected, samples = left < ws->plan.block ? left : ws->plan.block;
        done +=
            online_block(ws, rows + expected, rates ? rates + expected : NULL, samples, available - expected, *step);
        expected += samples;
    }
    if (ws->plan.offset) offset_gradient(ws, ws->offset.deferred, ws->params);
    *unit = expected;
    return done;
}

#endif
