/* Brings a block's rows into a workspace, in the plan's way.

   An input that is zero costs nothing, and so does one that has its most frequent value: with a column offset u and
   x = u + e,

       x W = u W + e W   and   x^T delta = e^T delta + u^T (the delta's sum),

   where u W and the sum are the same for all samples of a block. Pictures scaled to 0.01 .. 1 or to mean 0 and
   deviation 1 have no zeros, but most of their pixels are alike.

   Outputs that are asked for go without, as a row's should not depend on the others; but a single row, if the caller
   keeps the sum of W0's rows, goes less the value of its first and last input.

   Called for every block by epoch.h, online.h, gradient.h and outputs.h; writes the batch_inputs, and the offset's
   e. */
#ifndef FNN_TRAIN_INPUTS_H
#define FNN_TRAIN_INPUTS_H

#include "workspace.h"

/* Asks for a row of the order before its turn: shuffled rows come from anywhere in memory. It goes into the
   second-level cache, as the first-level one is W0's. */
INLINE void prefetch_sample(const workspace *ws, int64_t i, int64_t low, int64_t high) {
    const fnn_data *data = ws->data;
    const int64_t item = data->is_uint8 ? 1 : sizeof(real), most = ws->plan.prefetched_bytes;
    const char *row = row_at(data, ws->net->sizes[0], i);
    const int64_t end = (high - low) * item > most ? low * item + most : high * item;
    for (int64_t at = low * item; at < end; at += 64) __builtin_prefetch(row + at, 0, 2);
    if (data->labels)
        __builtin_prefetch(data->labels + i);
    else
        __builtin_prefetch((const real *)data->targets + i * ws->net->sizes[ws->net->layers]);
}

/* Brings m rows into `in`: order[0..m), or the m rows from `first`; of the splits of inputs that the thread reads.
   `available`: how long the order is, of which rows further on are prefetched. */
static void gather(const workspace *ws, batch_inputs *in, const int64_t *order, int64_t first, int64_t m,
                   int64_t available) {
    const fnn_data *data = ws->data;
    const fnn_inputs way = ws->plan.inputs;
    const int64_t width = ws->net->sizes[0];
    const int64_t low = ws->input_at[ws->first_read], high = ws->input_at[ws->end_read];
    const real scale = (real)data->scale;
    in->order = order;
    in->first = first;
    if (way == CSR_ROWS) {
        in->csr.order = order;
        in->csr.first = first;
        if (moves_all(&ws->plan)) link_nonzeros(&in->csr, m, low, high);
        return;
    }
    if (way == STORED_BLOCK_CSC) {
        use_stored(&in->csc, &ws->stored, data->block_csc, sample(in, 0));
        return;
    }
    if (way == BLOCK_CSC)
        memcpy(in->csc.end + low / INPUT_BLOCK, in->csc.start + low / INPUT_BLOCK,
               ((high + INPUT_BLOCK - 1) / INPUT_BLOCK - low / INPUT_BLOCK) * sizeof *in->csc.end);
    for (int64_t s = 0; s < m; s++) {
        if (order && s + ws->plan.prefetched_rows < available)
            prefetch_sample(ws, order[s + ws->plan.prefetched_rows], low, high);
        const void *row = row_at(data, width, sample(in, s));
        real *x = in->x + s * width;
        if (ws->plan.offset) { /* micro-batches read the rows themselves, and leave in->x free */
            real *e = way == MICRO_BATCHES ? x : ws->offset.e + s % PACKED_TOGETHER * width;
            for (int64_t i = low; i < high; i++) e[i] = ((const real *)row)[i] - ws->offset.u[i];
            row = e;
        }
        in->rows.row[s] = row;
        if (way == BLOCK_CSC) {
            if (s % PACKED_TOGETHER == PACKED_TOGETHER - 1 || s == m - 1)
                pack_block_csc(&in->csc, s - s % PACKED_TOGETHER, s % PACKED_TOGETHER + 1, &in->rows, scale, low, high);
        } else if (way == ONLINE_MICRO_BATCHES) {
            if (s == m - 1)
                for (int c = ws->first_read; c < ws->end_read; c++)
                    pack_online_micro_batch(&in->online, c, (int)m, &in->rows, scale);
        } else if (way == MICRO_BATCHES) {
            if (s % MICRO_BATCH == MICRO_BATCH - 1 || s == m - 1)
                for (int c = ws->first_read; c < ws->end_read; c++)
                    index_micro_batch(&in->micro, c, s - s % MICRO_BATCH, (int)(s % MICRO_BATCH + 1), &in->rows);
        } else if (data->is_uint8) {
            for (int64_t i = low; i < high; i++) x[i] = (real)((const uint8_t *)row)[i] * scale;
            in->rows.row[s] = x;
        }
    }
}

#endif
