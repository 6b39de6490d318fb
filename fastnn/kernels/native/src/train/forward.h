/* Forward: z_l = b_l + a_l W_l and a_(l+1) = f(z_l), from the inputs x = a_0 to the last layer's z.

   Padding: weights and biases are zero there, so z is.

   Called by everything that goes through the network; writes a[..] of the workspace. */
#ifndef FNN_TRAIN_FORWARD_H
#define FNN_TRAIN_FORWARD_H

#include "activations.h"
#include "inputs.h"

/* The thread's outputs of z (m, output_width(0)) = start + x W0 over the inputs of some splits, x less the column offset
   if there is one; no start: zero. */
static void first_layer(workspace *ws, int split, int end, int64_t m, const real *start, real *z) {
    const batch_inputs *in = ws->in;
    const int64_t width = output_width(ws->net, 0), low = ws->input_at[split], high = ws->input_at[end];
    const panel_matrix w = first_weights(ws, ws->params);
    const first_product p = {m, ws->left, ws->right, z, width, w.at, w.stride, start};
    int from = start ? FROM_ROW : FROM_ZERO;
    switch (ws->plan.inputs) {
    case BLOCK_CSC:
    case STORED_BLOCK_CSC:
        block_csc_forward(&(csc_batch){&in->csc, m, width, start, z}, low, high, w, ws->left, ws->right);
        break;
    case ONLINE_MICRO_BATCHES:
        for (; split < end; split++, from = FROM_C) online_micro_batch_forward(&in->online, split, from, &p);
        break;
    case MICRO_BATCHES:
        for (; split < end; split++, from = FROM_C) micro_batch_forward(&in->micro, &in->rows, split, from, &p);
        break;
    case CSR_ROWS: csr_forward(&in->csr, low, high, &p); break;
    case DENSE: dense_forward(&in->rows, low, high, &p); break;
    }
}

/* The same of the column offset: z (output_width(0)) = start + u W0. */
static void offset_layer(const workspace *ws, int split, int end, const real *start, real *z) {
    const int64_t width = output_width(ws->net, 0), low = ws->input_at[split];
    if (ws->offset.sums) {
        const vec value = vset(ws->offset.u[0]);
        for (int64_t j = 0; j < width; j += LANES)
            vstore(z + j, vfma(value, vload(ws->offset.sums + j), start ? vload(start + j) : (vec){0}));
        return;
    }
    for (int64_t j = ws->left, columns; j < ws->right; j += columns) {
        const panel_matrix w = part_of(first_weights(ws, ws->params), j, ws->right, &columns);
        gemm(start ? FROM_ROW : FROM_ZERO, 1, columns, ws->input_at[end] - low,
             (gemm_operands){ws->offset.u + low, 0, 1, w.at + low * w.stride, w.stride, start ? start + j : NULL, z + j,
                             width, NULL});
    }
}

/* What first_layer starts from so that its z is that of x itself. */
static const real *offset_start(workspace *ws, int split, int end, const real *start) {
    if (!ws->plan.offset) return start;
    offset_layer(ws, split, end, start, ws->offset.z);
    return ws->offset.z;
}

/* values *= the factors of hidden layer l's outputs: where sample s keeps them its scale, else 0 */
static void drop(const workspace *ws, int64_t l, int64_t s, int64_t left, int64_t right, real *values) {
    const fnn_data *data = ws->data;
    const uint8_t *kept = data->kept + sample(ws->in, s) * data->kept_width;
    const real scale = (real)data->scales[l];
    for (int64_t before = 0; before < l; before++) kept += ws->whole_net->strides[before];
    if (l == 0) kept += ws->first_column;
    for (int64_t j = left; j < right; j += LANES) vstore(values + j, vload(values + j) * (vbytes(kept + j) * scale));
}

/* Columns of hidden layer l's z, in a[l + 1], become outputs. */
static void activate_hidden(workspace *ws, int64_t l, int64_t m, int64_t left, int64_t right) {
    const int64_t width = output_width(ws->net, l), activation = ws->net->activations[l];
    const double alpha = ws->net->alphas[l];
    real *z = ws->a[l + 1];
    if (ws->z[l + 1]) memcpy(ws->z[l + 1], z, m * width * sizeof(real));
    if (right - left == width)
        apply_activation(activation, alpha, z, m * width);
    else
        for (int64_t s = 0; s < m; s++) apply_activation(activation, alpha, z + s * width + left, right - left);
    if (ws->data->kept)
        for (int64_t s = 0; s < m; s++) drop(ws, l, s, left, right, z + s * width);
}

/* a[1] = f(z) in the thread's columns; a network of one layer keeps z. */
static void activate_first(workspace *ws, int64_t m) {
    if (ws->net->layers > 1) activate_hidden(ws, 0, m, ws->left, ws->right);
}

/* z (m, output_width(l)) = start + a[l] W over the inputs low..high of a later layer; no start: zero */
static void later_layer(workspace *ws, int64_t l, int64_t low, int64_t high, int64_t m, const real *start, real *z) {
    const fnn_net *net = ws->net;
    const int64_t stride = net->strides[l], width = output_width(net, l);
    gemm(start ? FROM_ROW : FROM_ZERO, m, width, high - low,
         (gemm_operands){ws->a[l] + low, output_width(net, l - 1), 1, parameters(ws, net->weights[l]) + low * stride,
                         stride, start, z, width, NULL});
}

/* The layers from `next` on, which has its inputs; the last layer is left as z. */
static void later_layers(workspace *ws, int64_t next, int64_t m) {
    const fnn_net *net = ws->net;
    for (int64_t l = next; l < net->layers; l++) {
        later_layer(ws, l, 0, net->sizes[l], m, bias_of(ws, l), ws->a[l + 1]);
        if (l + 1 < net->layers) activate_hidden(ws, l, m, 0, output_width(net, l));
    }
}

/* All layers, of m gathered rows. */
static void forward_block(workspace *ws, int64_t m) {
    first_layer(ws, 0, ws->splits, m, offset_start(ws, 0, ws->splits, bias_of(ws, 0)), ws->a[1]);
    activate_first(ws, m);
    later_layers(ws, 1, m);
}

#endif
