/* The first layer's weights in memory of the call's own.

   Where the threads split the first layer's outputs, each has a piece of every row of W0. A core that reads its piece
   prefetches some of the next, which another core is changing and then has to take back, at every step. So each thread
   copies its columns of W0, the rows of W1 behind them and their state (thread-local), and works on the narrower
   network that they make.

   Where block-CSC walks the inputs, W0 and its state are packed panel by panel, by one thread alone and for long
   batches as well: a panel is walked from end to end, which the processor foresees if it lies in one piece.

   Called by epoch.h at the ends of a call; writes the workspace's copy, or at the end the caller's parameters. */
#ifndef FNN_TRAIN_LOCAL_PANELS_H
#define FNN_TRAIN_LOCAL_PANELS_H

#include "workspace.h"

/* Some elements from `all` to `local`, or back. */
INLINE void copy_elements(real *all, real *local, int64_t count, int back) {
    memcpy(back ? all : local, back ? local : all, count * sizeof(real));
}

/* One of `threads` parts of W0's panels, from rows `stride` apart to the layout of the call's own, or back. */
static void copy_weights(const workspace *ws, real *all, int64_t stride, real *local, int thread, int threads,
                         int back) {
    const int64_t right = ws->right;
    for (int64_t column = 0, part = 0, columns; column < right; column += columns, part++) {
        const panel_matrix to = part_of(first_weights(ws, local), column, right, &columns);
        for (int64_t i = 0; i < ws->net->sizes[0] && part % threads == thread; i++)
            copy_elements(all + i * stride + column, to.at + i * to.stride, columns, back);
    }
}

/* The columns of W0 and b0 and the rows of W1 that are the thread's, of the parameters or of one slot of their state:
   from the whole network's to its own, or back. */
static void copy_columns(const workspace *ws, real *all, real *local, int back) {
    const fnn_net *net = ws->whole_net, *narrow = ws->net;
    copy_weights(ws, all + net->weights[0] + ws->first_column, net->strides[0], local, 0, 1, back);
    if (net->biases[0] >= 0)
        copy_elements(all + net->biases[0] + ws->first_column, local + narrow->biases[0], narrow->strides[0], back);
    copy_elements(all + net->weights[1] + ws->first_column * net->strides[1], local + narrow->weights[1],
                  narrow->sizes[1] * narrow->strides[1], back);
}

/* A workspace with its splits of outputs, its parameters and state, and `slots` of these, goes over to its own
   columns. */
static void take_columns(workspace *ws, int64_t slots) {
    const fnn_net *all = ws->net;
    const int64_t columns = ws->right - ws->left, layers = all->layers;
    int64_t *sizes = ws->local_numbers, *strides = sizes + layers + 1, *weights = strides + layers;
    int64_t *biases = weights + layers;
    memcpy(sizes, all->sizes, (layers + 1) * sizeof *sizes);
    memcpy(strides, all->strides, layers * sizeof *strides);
    sizes[1] = (ws->right < all->sizes[1] ? ws->right : all->sizes[1]) - ws->left;
    /* As everywhere, rows of weights are whole cache lines, so that the biases and W1 behind them are aligned; what lies
       between the columns and a row's end is never set, nor read. */
    strides[0] = whole_lines(columns);
    weights[0] = 0;
    biases[0] = all->biases[0] < 0 ? -1 : all->sizes[0] * strides[0];
    weights[1] = all->sizes[0] * strides[0] + (all->biases[0] < 0 ? 0 : strides[0]);
    const int64_t end = weights[1] + sizes[1] * strides[1], shift = end - ws->later_at;
    for (int64_t l = 1; l < layers; l++) {
        if (l > 1) weights[l] = all->weights[l] + shift;
        biases[l] = all->biases[l] < 0 ? -1 : all->biases[l] + shift;
    }
    ws->local_net = (fnn_net){layers,    sizes, all->activations,      all->alphas,           weights, biases, strides,
                              all->loss, -1,    all->propagates_error, all->least_probability};
    ws->net = &ws->local_net;
    ws->first_column = ws->left;
    ws->in_panels = ws->plan.weights == THREAD_LOCAL_PANELS;
    for (int c = 0; c <= ws->splits; c++) ws->output_at[c] -= ws->first_column;
    ws->left = 0;
    ws->right = columns;
    ws->later_at = end;
    copy_columns(ws, ws->params, ws->local, 0);
    for (int64_t slot = 0; slot < slots; slot++)
        copy_columns(ws, ws->state + slot * ws->size, ws->local + (slot + 1) * end, 0);
    ws->params = ws->local;
    ws->state = ws->local + end;
    ws->size = end;
}

/* What it did there goes to the whole network's parameters and state. */
static void give_back_columns(const workspace *ws, real *params, real *state, int64_t slots) {
    const int64_t size = parameter_count(ws->whole_net);
    copy_columns(ws, params, ws->local, 1);
    for (int64_t slot = 0; slot < slots; slot++)
        copy_columns(ws, state + slot * size, ws->local + (slot + 1) * ws->size, 1);
}

/* The thread's part of W0 and of its state, from where they are to `local`, which all threads use, or back. */
static void copy_panels(const workspace *ws, real *params, real *state, real *local, int64_t slots, int back) {
    for (int64_t slot = -1; slot < slots; slot++) {
        real *all = slot < 0 ? params : state + slot * ws->size;
        copy_weights(ws, all + ws->net->weights[0], ws->net->strides[0], local + (slot + 1) * ws->size, ws->thread,
                     ws->threads, back);
    }
}

/* A workspace for long batches goes over to W0 in panels; the later layers stay where they are. */
static void take_panels(workspace *ws, real *local, int64_t slots) {
    ws->in_panels = 1;
    copy_panels(ws, ws->params, ws->state, local, slots, 0);
    ws->params = local;
    ws->state = local + ws->size;
}

#endif
