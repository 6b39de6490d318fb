/* What callers reach: gradients and outputs without training, and the table of all kernels. */
#ifndef FNN_KERNELS_H
#define FNN_KERNELS_H

#include "train/epoch.h"
#include "gemm/csc_stored.h"
#include "search/encode.h"
#include "search/search.h"

static double loss_and_grad(const fnn_net *net, const void *params, const fnn_data *data, int64_t count, void *grad,
                            void *arena, fnn_interrupt *interrupt) {
    workspace pass;
    int stop = 0;
    layout_workspace(&pass, net, count, TRAINING, arena);
    plan_inputs(&pass, data, NULL, 0, count, count, 1, 0, 0);
    pass.params = (real *)params; /* read only here */
    pass.tail = pass.params + pass.tail_at;
    pass.gradient = grad;
    pass.interrupt = interrupt;
    pass.stop = &stop;
    pass.control = float_control();
    transpose_weights(&pass);
    accumulate(&pass, NULL, 0, count, count);
    return pass.loss / (double)count;
}

/* In blocks of LONG_BLOCK rows, whose dL/dx is the transpose of W delta^T; returns room for delta^T and a tile of it. */
static real *place_layer(workspace *pass, const fnn_net *net, int64_t count, void *arena, size_t *used) {
    arena_cursor at = {arena, layout_workspace(pass, net, count > LONG_BLOCK ? LONG_BLOCK : count, TRAINING, arena)};
    real *columns = arena_take(&at, (net->strides[0] + TILE_ROWS) * LONG_BLOCK * sizeof(real));
    *used = at.used;
    return columns;
}

static size_t layer_room(const fnn_net *net, int64_t count) {
    size_t used;
    place_layer(NULL, net, count, NULL, &used);
    return used;
}

static void layer_grad(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                           const void *outputs, const void *output_grad, void *grad, void *input_grad, void *arena) {
    const int64_t inputs = net->sizes[0], units = net->sizes[1], stride = net->strides[0], line = 64 / sizeof(real);
    size_t used;
    workspace pass;
    real *delta_columns = place_layer(&pass, net, count, arena, &used);
    real *x_columns = delta_columns + stride * LONG_BLOCK;
    plan_inputs(&pass, data, NULL, first, count, count > LONG_BLOCK ? LONG_BLOCK : count, 1, 0, 0);
    pass.gradient = grad;
    for (int64_t start = first; start < first + count; start += LONG_BLOCK) {
        const int64_t left = first + count - start, m = left < LONG_BLOCK ? left : LONG_BLOCK;
        const int64_t wide = (m + line - 1) / line * line;
        memset(delta_columns, 0, units * wide * sizeof(real));
        for (int64_t s = 0; s < m; s++) {
            real *delta = pass.delta + s * stride, *a = pass.a[1] + s * stride;
            memset(delta + units, 0, (stride - units) * sizeof(real));
            memset(a + units, 0, (stride - units) * sizeof(real));
            memcpy(delta, (const real *)output_grad + (start + s) * units, units * sizeof(real));
            memcpy(a, (const real *)outputs + (start + s) * units, units * sizeof(real));
            apply_derivative(net->activations[0], a, 1, delta, stride);
            for (int64_t j = 0; j < units; j++) delta_columns[j * wide + s] = delta[j];
        }
        gather(&pass, pass.in, NULL, start, m, 0);
        add_gradient(&pass, 0, m);
        for (int64_t i = 0; i < inputs; i += TILE_ROWS) { /* and they are transposed while they are in the cache */
            const int64_t rows = inputs - i < TILE_ROWS ? inputs - i : TILE_ROWS;
            gemm(FROM_ZERO, rows, wide, units,
                        (gemm_operands){(const real *)params + net->weights[0] + i * stride, stride, 1, delta_columns, wide,
                                   NULL, x_columns, wide, NULL});
            for (int64_t s = 0; s < m; s++)
                for (int64_t r = 0; r < rows; r++)
                    ((real *)input_grad)[(start + s) * inputs + i + r] = x_columns[r * wide + s];
        }
    }
}

typedef struct {
    const fnn_net *net;
    const void *params;
    const fnn_data *data;
    int64_t first, count;
    real *out;
    char *arena;
    size_t arena_bytes;
    int unbounded; /* some output is NaN or infinite */
} forward_job;

static void forward_thread(void *argument, int thread, int threads) {
    forward_job *job = argument;
    const fnn_net *net = job->net;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], stride = net->strides[last];
    const int64_t from = job->count * thread / threads, to = job->count * (thread + 1) / threads;
    workspace pass;
    layout_workspace(&pass, net, job->count, FORWARD, job->arena + thread * job->arena_bytes);
    plan_inputs(&pass, job->data, NULL, job->first, job->count, job->count, 1, 0, 0);
    pass.params = (real *)job->params; /* read only here */
    pass.tail = pass.params + pass.tail_at;
    if (job->first == 0 && job->count == 1) take_background(&pass);
    for (int64_t start = from; start < to; start += LONG_BLOCK) {
        const int64_t m = to - start < LONG_BLOCK ? to - start : LONG_BLOCK;
        gather(&pass, pass.in, NULL, job->first + start, m, 0);
        first_layer(&pass, 0, pass.chunks, m, bias_of(&pass, 0), pass.a[1]);
        activate_first(&pass, m);
        later_layers(&pass, 1, m);
        activate_output(net, pass.a[last + 1], m);
        int unbounded = 0;
        for (int64_t s = 0; s < m; s++) {
            real *out = job->out + (start + s) * outputs;
            memcpy(out, pass.a[last + 1] + s * stride, outputs * sizeof(real));
            for (int64_t j = 0; j < outputs; j++) unbounded |= !(out[j] - out[j] == 0);
        }
        if (unbounded) __atomic_store_n(&job->unbounded, 1, __ATOMIC_RELAXED);
    }
}

static int forward_rows(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                        void *out, void *arena, int threads) {
    forward_job job = {net, params, data, first, count, out, arena, workspace_bytes(net, count, FORWARD), 0};
    fnn_parallel(forward_thread, &job, threads);
    return !job.unbounded;
}

const fnn_kernels TABLE = {
    workspace_bytes, forward_rows, loss_and_grad, layer_room, layer_grad,
    train, quantise_columns, stored_csc_bytes, store_csc, begin_search, search_thread, encode_room,
    encode_rows,      activate_array};

#endif
