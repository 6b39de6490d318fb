/* A network's forward and backward pass.

   Shapes: m samples of a block; layer l maps sizes[l] inputs to sizes[l+1] outputs, whose rows are strides[l] long.
   Padding: weights and biases are zero there, so z is; the output's delta is set to zero there, and so stays every
   earlier delta, every gradient and every state. */
#ifndef FNN_TRAIN_NETWORK_H
#define FNN_TRAIN_NETWORK_H

#include "loss.h"

/* The outputs left..right of z (m, strides[0]) = start + x W0 over some chunks of inputs, x less the usual row if there
   is one; no start: zero */
static void unusual_layer(workspace *pass, int chunk, int end, int64_t m, const real *start, real *z) {
    const batch_inputs *in = pass->in;
    const int64_t stride = pass->net->strides[0], left = pass->left, right = pass->right;
    const int64_t low = pass->inputs_at[chunk], high = pass->inputs_at[end];
    const panel_matrix w0 = first_weights(pass, pass->params);
    const real *w = w0.at;
    int from = start ? FROM_ROW : FROM_ZERO;
    switch (pass->form) {
    case LISTED:
        lists_forward(&(csc_batch){&in->lists, m, stride, start, z}, low, high, w0, left, right);
        break;
    case GROUPED:
        for (; chunk < end; chunk++, from = FROM_C)
            group_forward(&in->group, chunk, m, w, stride, left, right, from, start, z);
        break;
    case TEAMED:
        for (; chunk < end; chunk++, from = FROM_C)
            teams_forward(&in->teams, &in->rows, chunk, m, w, stride, left, right, from, start, z);
        break;
    default:
        dense_forward(&in->rows, low, high, m, w + low * stride, stride, left, right, start, z);
    }
}

/* The same of one row, the usual one: z (strides[0]). */
static void usual_layer(const workspace *pass, int chunk, int end, const real *start, real *z) {
    const int64_t stride = pass->net->strides[0], left = pass->left, low = pass->inputs_at[chunk];
    if (pass->usual.sums) {
        const vec value = vset(pass->usual.row[0]);
        for (int64_t j = 0; j < stride; j += LANES)
            vstore(z + j, vfma(value, vload(pass->usual.sums + j), start ? vload(start + j) : (vec){0}));
        return;
    }
    for (int64_t j = left, columns; j < pass->right; j += columns) {
        const panel_matrix w = part_of(first_weights(pass, pass->params), j, pass->right, &columns);
        gemm(start ? FROM_ROW : FROM_ZERO, 1, columns, pass->inputs_at[end] - low,
                    (gemm_operands){pass->usual.row + low, 0, 1, w.at + low * w.stride, w.stride, start ? start + j : NULL,
                               z + j, stride, NULL});
    }
}

/* The same of x itself. */
static void first_layer(workspace *pass, int chunk, int end, int64_t m, const real *start, real *z) {
    if (pass->has_usual) {
        usual_layer(pass, chunk, end, start, pass->usual.z);
        start = pass->usual.z;
    }
    unusual_layer(pass, chunk, end, m, start, z);
}

/* The first layer's part of `all`, which is laid out as the parameters, += x^T delta, of the thread's inputs and
   outputs, x less the usual row if there is one. */
static void unusual_gradient(workspace *pass, int64_t m, const real *delta, real *all) {
    const batch_inputs *in = pass->in;
    const panel_matrix matrix = first_weights(pass, all);
    real *g = matrix.at;
    const int64_t stride = pass->net->strides[0], left = pass->left, right = pass->right;
    switch (pass->form) {
    case LISTED:
        lists_gradient(&in->lists, pass->low, pass->high, m, delta, stride, left, right, matrix,
                           pass->coming.x ? &pass->coming : NULL);
        break;
    case GROUPED:
        for (int c = pass->first_walked; c < pass->end_walked; c++)
            group_gradient(&in->group, c, m, delta, stride, left, right, g);
        break;
    case TEAMED:
        for (int c = pass->first_walked; c < pass->end_walked; c++)
            teams_gradient(&in->teams, &in->rows, c, m, delta, stride, left, right, g);
        break;
    default:
        dense_gradient(&in->rows, pass->low, pass->high, m, delta + left, stride, right - left,
                           g + pass->low * stride + left, stride);
    }
}

/* g (columns) += the rows of delta, which start `stride` apart */
static void bias_gradient(const real *delta, int64_t m, int64_t stride, int64_t columns, real *g) {
    for (int64_t j = 0; j < columns; j += LANES) {
        vec sum = vload(g + j);
        for (int64_t s = 0; s < m; s++) sum += vload(delta + s * stride + j);
        vstore(g + j, sum);
    }
}

/* usual.slope = the sum of delta's m rows, in the thread's outputs: what the usual row's gradient takes */
static void sum_slopes(workspace *pass, int64_t m, const real *delta) {
    memset(pass->usual.slope, 0, pass->net->strides[0] * sizeof(real));
    bias_gradient(delta + pass->left, m, pass->net->strides[0], pass->right - pass->left, pass->usual.slope + pass->left);
}

/* The same part += the outer product of the usual row and slope (strides[0]). */
static void usual_gradient(const workspace *pass, const real *slope, real *all) {
    for (int64_t j = pass->left, columns; j < pass->right; j += columns) {
        const panel_matrix g = part_of(first_weights(pass, all), j, pass->right, &columns);
        gemm(FROM_C, pass->high - pass->low, columns, 1,
                    (gemm_operands){pass->usual.row + pass->low, 1, 0, slope + j, 0, NULL, g.at + pass->low * g.stride,
                               g.stride, NULL});
    }
}

/* As unusual_gradient, of x itself. */
static void first_gradient(workspace *pass, int64_t m, const real *delta, real *all) {
    if (pass->has_usual) {
        sum_slopes(pass, m, delta);
        usual_gradient(pass, pass->usual.slope, all);
    }
    unusual_gradient(pass, m, delta, all);
}

static const real *bias_of(const workspace *pass, int64_t l) {
    return pass->net->biases[l] < 0 ? NULL : parameters(pass, pass->net->biases[l]);
}

/* values *= the factors of hidden layer l's outputs: where sample s keeps them its scale, else 0 */
static void drop(const workspace *pass, int64_t l, int64_t s, int64_t left, int64_t right, real *values) {
    const fnn_data *data = pass->data;
    const uint8_t *kept = data->kept + sample(pass->in, s) * data->kept_width;
    const real scale = (real)data->scales[l];
    for (int64_t before = 0; before < l; before++) kept += pass->all->strides[before];
    if (l == 0) kept += pass->cut;
    for (int64_t j = left; j < right; j += LANES)
        vstore(values + j, vload(values + j) * (vbytes(kept + j) * scale));
}

/* Columns of hidden layer l's z, in a[l + 1], become outputs. */
static void activate_hidden(workspace *pass, int64_t l, int64_t m, int64_t left, int64_t right) {
    const int64_t stride = pass->net->strides[l], activation = pass->net->activations[l];
    real *z = pass->a[l + 1];
    if (right - left == stride)
        apply_activation(activation, z, m * stride);
    else
        for (int64_t s = 0; s < m; s++) apply_activation(activation, z + s * stride + left, right - left);
    if (pass->data->kept)
        for (int64_t s = 0; s < m; s++) drop(pass, l, s, left, right, z + s * stride);
}

/* a[1] = activation(z) in the thread's columns; a network of one layer keeps z */
static void activate_first(workspace *pass, int64_t m) {
    if (pass->net->layers > 1) activate_hidden(pass, 0, m, pass->left, pass->right);
}

/* z (m, strides[l]) = start + a[l] W over the inputs low..high of a later layer; no start: zero */
static void later_layer(workspace *pass, int64_t l, int64_t low, int64_t high, int64_t m, const real *start, real *z) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l];
    gemm(start ? FROM_ROW : FROM_ZERO, m, stride, high - low,
                (gemm_operands){pass->a[l] + low, net->strides[l - 1], 1,
                           parameters(pass, net->weights[l]) + low * stride, stride, start, z, stride, NULL});
}

/* The layers from `next` on, which has its inputs; the last layer is left as z. */
static void later_layers(workspace *pass, int64_t next, int64_t m) {
    const fnn_net *net = pass->net;
    for (int64_t l = next; l < net->layers; l++) {
        later_layer(pass, l, 0, net->sizes[l], m, bias_of(pass, l), pass->a[l + 1]);
        if (l + 1 < net->layers) activate_hidden(pass, l, m, 0, net->strides[l]);
    }
}

/* W^T of every layer but the first, which the way back needs; made once a batch. Of the second, the thread's rows. */
static void transpose_weights(workspace *pass) {
    const fnn_net *net = pass->net;
    for (int64_t l = 1; l < net->layers; l++) {
        const real *w = parameters(pass, net->weights[l]);
        real *to = pass->transposed[l];
        const int64_t inputs = net->sizes[l], outputs = net->sizes[l + 1], stride = net->strides[l];
        const int64_t to_stride = net->strides[l - 1], left = l == 1 ? pass->left : 0;
        const int64_t right = l == 1 ? pass->right : to_stride, end = right < inputs ? right : inputs;
        int64_t i = left;
        for (; i + 4 <= end; i += 4)
            for (int64_t j = 0; j < outputs; j += 4)
                transpose(w + i * stride + j, stride, to + j * to_stride + i, to_stride);
        for (; i < end; i++)
            for (int64_t j = 0; j < outputs; j++) to[j * to_stride + i] = w[i * stride + j];
        for (int64_t j = 0; j < outputs; j++)
            for (int64_t i = end; i < right; i++) to[j * to_stride + i] = 0;
    }
}

/* delta of layer l - 1 from that of layer l: (delta W^T) * activation'(z), of the first layer in the thread's columns.
   The last layer passes back dL/da in place of delta where the net says so. */
static void delta_before(workspace *pass, int64_t l, int64_t m) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l - 1], left = l == 1 ? pass->left : 0, right = l == 1 ? pass->right : stride;
    const real *back = net->propagates_error && l == net->layers - 1 ? pass->a[l + 1] : pass->delta;
    const real factor = (real)(pass->data->kept ? 1 / pass->data->scales[l - 1] : 1);
    gemm(FROM_ZERO, m, right - left, net->sizes[l + 1],
                (gemm_operands){back, net->strides[l], 1, pass->transposed[l] + left, stride, NULL,
                           pass->before + left, stride, NULL});
    if (pass->data->kept)
        for (int64_t s = 0; s < m; s++) drop(pass, l - 1, s, left, right, pass->before + s * stride);
    if (right - left == stride)
        apply_derivative(net->activations[l - 1], pass->a[l], factor, pass->before, m * stride);
    else
        for (int64_t s = 0, at = left; s < m; s++, at += stride)
            apply_derivative(net->activations[l - 1], pass->a[l] + at, factor, pass->before + at, right - left);
    real *swapped = pass->delta;
    pass->delta = pass->before;
    pass->before = swapped;
}

/* gradient of layer l += x^T delta, and of its bias */
static void add_gradient(workspace *pass, int64_t l, int64_t m) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l];
    real *g = pass->gradient + net->weights[l];
    if (l == 0)
        first_gradient(pass, m, pass->delta, pass->gradient);
    else
        gemm(FROM_C, net->sizes[l], stride, m,
                    (gemm_operands){pass->a[l], 1, net->strides[l - 1], pass->delta, stride, NULL, g, stride, NULL});
    if (net->biases[l] >= 0)
        bias_gradient(pass->delta, m, stride, l ? stride : pass->right, pass->gradient + net->biases[l]);
}

/* pass->gradient += the gradient of the mean loss over `samples` samples, of which these are `count`, block by block */
static void accumulate(workspace *pass, const int64_t *order, int64_t first, int64_t count, int64_t samples) {
    for (int64_t start = 0; start < count; start += LONG_BLOCK) {
        const int64_t m = count - start < LONG_BLOCK ? count - start : LONG_BLOCK;
        const int64_t *rows = order ? order + start : NULL;
        if (pass->interrupt) { /* signals' handlers run in the caller's float environment */
            const uint64_t control = float_control();
            set_float_control(pass->control);
            if (fnn_interrupted(pass->interrupt)) __atomic_store_n(pass->stop, 1, __ATOMIC_RELAXED);
            set_float_control(control);
        }
        if (__atomic_load_n(pass->stop, __ATOMIC_RELAXED)) return;
        gather(pass, pass->in, rows, first + start, m, count - start);
        first_layer(pass, 0, pass->chunks, m, bias_of(pass, 0), pass->a[1]);
        activate_first(pass, m);
        later_layers(pass, 1, m);
        output_block(pass, m, samples);
        for (int64_t l = pass->net->layers - 1; l >= 0; l--) {
            add_gradient(pass, l, m);
            if (l) delta_before(pass, l, m);
        }
    }
}

#endif
