/* Backward: dL/dW_l = a_l^T delta_l, dL/db_l = the sum of delta_l, and delta_(l-1) = (delta_l W_l^T) * f'(z_(l-1)).

   Padding: the output's delta is zero there, and so stays every earlier delta and every gradient.

   Called by everything that trains or returns gradients; writes delta, before and transposed of the workspace, and the
   gradient given. */
#ifndef FNN_TRAIN_BACKWARD_H
#define FNN_TRAIN_BACKWARD_H

#include "loss.h"

/* The first layer's part of `all`, which is laid out as the parameters, += x^T delta, of the thread's inputs and
   outputs, x less the column offset if there is one. */
static void first_gradient(workspace *ws, int64_t m, real *delta, real *all) {
    const batch_inputs *in = ws->in;
    const panel_matrix g = first_weights(ws, all);
    const int64_t width = output_width(ws->net, 0);
    const first_product p = {m, ws->left, ws->right, delta, width, g.at, g.stride, NULL};
    switch (ws->plan.inputs) {
    case BLOCK_CSC:
    case STORED_BLOCK_CSC:
        block_csc_gradient(&(csc_batch){&in->csc, m, width, NULL, delta}, ws->low, ws->high, g, ws->left, ws->right);
        break;
    case ONLINE_MICRO_BATCHES:
        for (int c = ws->first_read; c < ws->end_read; c++) online_micro_batch_gradient(&in->online, c, &p);
        break;
    case MICRO_BATCHES:
        for (int c = ws->first_read; c < ws->end_read; c++) {
            const int32_t *next[SHORT_BATCH / MICRO_BATCH];
            begin_split(&in->micro, c, m, next);
            micro_batch_gradient(&in->rows, next, END_OF_INDEX, &p);
        }
        break;
    case CSR_ROWS: csr_gradient(&in->csr, ws->low, ws->high, &p); break;
    case DENSE: dense_gradient(&in->rows, ws->low, ws->high, &p); break;
    }
}

/* g (columns) += the rows of delta, which start `width` apart */
static void bias_gradient(const real *delta, int64_t m, int64_t width, int64_t columns, real *g) {
    for (int64_t j = 0; j < columns; j += LANES) {
        vec sum = vload(g + j);
        for (int64_t s = 0; s < m; s++) sum += vload(delta + s * width + j);
        vstore(g + j, sum);
    }
}

/* offset.delta_sum = the sum of delta's m rows, in the thread's outputs: what the column offset's gradient takes */
static void sum_delta(workspace *ws, int64_t m, const real *delta) {
    const int64_t width = output_width(ws->net, 0);
    memset(ws->offset.delta_sum, 0, width * sizeof(real));
    bias_gradient(delta + ws->left, m, width, ws->right - ws->left, ws->offset.delta_sum + ws->left);
}

/* As first_gradient, of the column offset: += the outer product of u and delta_sum (output_width(0)). */
static void offset_gradient(const workspace *ws, const real *delta_sum, real *all) {
    for (int64_t j = ws->left, columns; j < ws->right; j += columns) {
        const panel_matrix g = part_of(first_weights(ws, all), j, ws->right, &columns);
        gemm(FROM_C, ws->high - ws->low, columns, 1,
             (gemm_operands){ws->offset.u + ws->low, 1, 0, delta_sum + j, 0, NULL, g.at + ws->low * g.stride, g.stride,
                             NULL});
    }
}

/* The first layer's part of `all` += x^T delta, of x itself. */
static void whole_first_gradient(workspace *ws, int64_t m, real *delta, real *all) {
    if (ws->plan.offset) {
        sum_delta(ws, m, delta);
        offset_gradient(ws, ws->offset.delta_sum, all);
    }
    first_gradient(ws, m, delta, all);
}

/* W^T of every layer but the first, which the way back needs; made once a batch. Of the second, the thread's rows. */
static void transpose_weights(workspace *ws) {
    const fnn_net *net = ws->net;
    for (int64_t l = 1; l < net->layers; l++) {
        const real *w = parameters(ws, net->weights[l]);
        real *to = ws->transposed[l];
        const int64_t inputs = net->sizes[l], outputs = net->sizes[l + 1], stride = net->strides[l];
        const int64_t width = output_width(net, l - 1), left = l == 1 ? ws->left : 0;
        const int64_t right = l == 1 ? ws->right : width, end = right < inputs ? right : inputs;
        int64_t i = left;
        for (; i + 4 <= end; i += 4)
            for (int64_t j = 0; j < outputs; j += 4) transpose(w + i * stride + j, stride, to + j * width + i, width);
        for (; i < end; i++)
            for (int64_t j = 0; j < outputs; j++) to[j * width + i] = w[i * stride + j];
        for (int64_t j = 0; j < outputs; j++)
            for (int64_t i = end; i < right; i++) to[j * width + i] = 0;
    }
}

/* delta of layer l - 1 from that of layer l: (delta W^T) * activation'(z), of the first layer in the thread's columns.
   The last layer passes back dL/da in place of delta where the net says so. */
static void delta_before(workspace *ws, int64_t l, int64_t m) {
    const fnn_net *net = ws->net;
    const int64_t width = output_width(net, l - 1), left = l == 1 ? ws->left : 0, right = l == 1 ? ws->right : width;
    const real *back = net->propagates_error && l == net->layers - 1 ? ws->a[l + 1] : ws->delta;
    const int64_t activation = net->activations[l - 1];
    const double alpha = net->alphas[l - 1];
    const real *of = ws->z[l] ? ws->z[l] : ws->a[l];
    const real factor = (real)(ws->data->kept && of == ws->a[l] ? 1 / ws->data->scales[l - 1] : 1);
    gemm(FROM_ZERO, m, right - left, net->sizes[l + 1],
         (gemm_operands){back, output_width(net, l), 1, ws->transposed[l] + left, width, NULL, ws->before + left, width,
                         NULL});
    if (ws->data->kept)
        for (int64_t s = 0; s < m; s++) drop(ws, l - 1, s, left, right, ws->before + s * width);
    if (right - left == width)
        apply_derivative(activation, alpha, of, factor, ws->before, m * width);
    else
        for (int64_t s = 0, at = left; s < m; s++, at += width)
            apply_derivative(activation, alpha, of + at, factor, ws->before + at, right - left);
    real *swapped = ws->delta;
    ws->delta = ws->before;
    ws->before = swapped;
}

/* gradient of layer l += x^T delta, and of its bias */
static void add_gradient(workspace *ws, int64_t l, int64_t m) {
    const fnn_net *net = ws->net;
    const int64_t stride = net->strides[l], width = output_width(net, l);
    real *g = ws->gradient + net->weights[l];
    if (l == 0)
        whole_first_gradient(ws, m, ws->delta, ws->gradient);
    else
        gemm(FROM_C, net->sizes[l], width, m,
             (gemm_operands){ws->a[l], 1, output_width(net, l - 1), ws->delta, width, NULL, g, stride, NULL});
    if (net->biases[l] >= 0) bias_gradient(ws->delta, m, width, width, ws->gradient + net->biases[l]);
}

#endif
