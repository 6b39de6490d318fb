/* Gradients without training: dL/d params of the mean loss over rows, and of a network of one layer from dL/d outputs.

   Called through the table of kernels, and by epoch.h for long batches; writes the gradient, and dL/dx. */
#ifndef FNN_TRAIN_GRADIENT_H
#define FNN_TRAIN_GRADIENT_H

#include "backward.h"
#include "density.h"

/* ws->gradient += the gradient of the mean loss over `samples` samples, of which these are `count`, block by block */
static void accumulate(workspace *ws, const int64_t *order, int64_t first, int64_t count, int64_t samples) {
    const int64_t block = ws->plan.block;
    for (int64_t start = 0; start < count; start += block) {
        const int64_t m = count - start < block ? count - start : block;
        const int64_t *rows = order ? order + start : NULL;
        if (ws->interrupt) { /* signals' handlers run in the caller's float environment */
            const uint64_t control = float_control();
            set_float_control(ws->control);
            if (fnn_interrupted(ws->interrupt)) __atomic_store_n(ws->stop, 1, __ATOMIC_RELAXED);
            set_float_control(control);
        }
        if (__atomic_load_n(ws->stop, __ATOMIC_RELAXED)) return;
        gather(ws, ws->in, rows, first + start, m, count - start);
        forward_block(ws, m);
        output_block(ws, m, samples);
        for (int64_t l = ws->net->layers - 1; l >= 0; l--) {
            add_gradient(ws, l, m);
            if (l) delta_before(ws, l, m);
        }
    }
}

static double loss_grad(const fnn_planned *planned, const fnn_net *net, const void *params, const fnn_data *data,
                        int64_t count, void *grad, fnn_interrupt *interrupt) {
    workspace ws;
    int stop = 0;
    begin_workspace(&ws, planned, &planned->plan, net, data, 0, planned->arena);
    ws.params = (real *)params; /* read only here */
    ws.later = ws.params + ws.later_at;
    ws.gradient = grad;
    ws.interrupt = interrupt;
    ws.stop = &stop;
    ws.control = float_control();
    transpose_weights(&ws);
    accumulate(&ws, NULL, 0, count, count);
    return ws.loss / (double)count;
}

/* Room for a block's delta^T and a tile of dL/dx^T. */
static size_t layer_bytes(const fnn_net *net) { return (net->strides[0] + TILE_ROWS) * LONG_BLOCK * sizeof(real); }

/* In blocks of LONG_BLOCK rows, whose dL/dx is the transpose of W delta^T. */
static void layer_grad(const fnn_layer_gradient *call) {
    const fnn_net *net = call->net;
    const int64_t inputs = net->sizes[0], units = net->sizes[1], stride = net->strides[0], width = output_width(net, 0);
    const int64_t end = call->first + call->count;
    real *delta_columns = call->planned->arena, *x_columns = delta_columns + stride * LONG_BLOCK;
    workspace ws;
    begin_workspace(&ws, call->planned, &call->planned->plan, net, call->data, 0,
                    (char *)call->planned->arena + layer_bytes(net));
    ws.gradient = call->grad;
    for (int64_t start = call->first; start < end; start += LONG_BLOCK) {
        const int64_t m = end - start < LONG_BLOCK ? end - start : LONG_BLOCK;
        const int64_t wide = whole_lines(m);
        memset(delta_columns, 0, units * wide * sizeof(real));
        for (int64_t s = 0; s < m; s++) {
            real *delta = ws.delta + s * width, *a = ws.a[1] + s * width;
            memset(delta + units, 0, (width - units) * sizeof(real));
            memset(a + units, 0, (width - units) * sizeof(real));
            memcpy(delta, (const real *)call->output_grad + (start + s) * units, units * sizeof(real));
            memcpy(a, (const real *)call->outputs + (start + s) * units, units * sizeof(real));
            apply_derivative(net->activations[0], net->alphas[0], a, 1, delta, width);
            for (int64_t j = 0; j < units; j++) delta_columns[j * wide + s] = delta[j];
        }
        gather(&ws, ws.in, NULL, start, m, 0);
        add_gradient(&ws, 0, m);
        for (int64_t i = 0; i < inputs; i += TILE_ROWS) { /* and they are transposed while they are in the cache */
            const int64_t rows = inputs - i < TILE_ROWS ? inputs - i : TILE_ROWS;
            gemm(FROM_ZERO, rows, wide, units,
                 (gemm_operands){(const real *)call->params + net->weights[0] + i * stride, stride, 1, delta_columns,
                                 wide, NULL, x_columns, wide, NULL});
            for (int64_t s = 0; s < m; s++)
                for (int64_t r = 0; r < rows; r++)
                    ((real *)call->input_grad)[(start + s) * inputs + i + r] = x_columns[r * wide + s];
        }
    }
}

#endif
