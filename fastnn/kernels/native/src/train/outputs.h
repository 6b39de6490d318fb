/* A network's outputs for some rows, without training.

   A thread's part of a fnn_forward: some of its rows, block by block. Called through the table of kernels; writes
   `out`. */
#ifndef FNN_TRAIN_OUTPUTS_H
#define FNN_TRAIN_OUTPUTS_H

#include "loss.h"

static void outputs_thread(void *argument, int thread, int threads) {
    fnn_forward *call = argument;
    const fnn_net *net = call->net;
    const fnn_planned *planned = call->planned;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], width = output_width(net, last);
    const int64_t from = call->count * thread / threads, to = call->count * (thread + 1) / threads;
    const size_t before = thread ? thread * layout_workspace(NULL, net, &planned->plan, 0, NULL) : 0;
    workspace ws;
    begin_workspace(&ws, planned, &planned->plan, net, call->data, 0, (char *)planned->arena + before);
    ws.params = (real *)call->params; /* read only here */
    ws.later = ws.params + ws.later_at;
    if (planned->plan.offset == CONSTANT_OFFSET) ws.offset.sums = parameters(&ws, net->row_sums);
    for (int64_t start = from; start < to; start += LONG_BLOCK) {
        const int64_t m = to - start < LONG_BLOCK ? to - start : LONG_BLOCK;
        gather(&ws, ws.in, NULL, call->first + start, m, 0);
        forward_block(&ws, m);
        activate_output(net, ws.a[last + 1], m);
        int unbounded = 0;
        for (int64_t s = 0; s < m; s++) {
            real *out = (real *)call->out + (start + s) * outputs;
            memcpy(out, ws.a[last + 1] + s * width, outputs * sizeof(real));
            for (int64_t j = 0; j < outputs; j++) unbounded |= !(out[j] - out[j] == 0);
        }
        if (unbounded) __atomic_store_n(&call->unbounded, 1, __ATOMIC_RELAXED);
    }
}

#endif
