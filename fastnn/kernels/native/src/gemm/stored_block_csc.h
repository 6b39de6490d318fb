/* Block-CSC that is made once and stored, for batches that come again every epoch (no shuffling, or one batch of all
   rows): what is active in each is the same every time.

   The batches' blocks lie one after the other: of each the ends of its input blocks' nonzeros, and the nonzeros as
   bytes.

   Called through the table of kernels, and by train/inputs.h, which reads it. Writes the storage alone. */
#ifndef FNN_GEMM_STORED_BLOCK_CSC_H
#define FNN_GEMM_STORED_BLOCK_CSC_H

#include "../io/quantise.h"
#include "block_csc.h"

/* Where the blocks of samples that go through the network together lie. */
typedef struct {
    int64_t batch_size, rows, blocks;    /* rows of a batch and of a block; blocks of a batch */
    int64_t input_blocks, most, bytes;   /* of a block; most: nonzeros */
} stored_layout;

static stored_layout layout_stored(int64_t inputs, int64_t batch_size) {
    const int64_t rows = batch_size > SHORT_BATCH ? LONG_BLOCK : batch_size;
    const int64_t input_blocks = (inputs + INPUT_BLOCK - 1) / INPUT_BLOCK;
    const int64_t most = (int64_t)(MOST_STORED * (double)rows * (double)input_blocks) + 1;
    const int64_t bytes = (input_blocks + 1) * (int64_t)sizeof(int64_t) + most * (int64_t)sizeof(byte_nonzero);
    return (stored_layout){batch_size,   rows, (batch_size + rows - 1) / rows,
                           input_blocks, most, (bytes + 63) / 64 * 64};
}

/* x = the stored block that begins with some row. */
static void use_stored(block_csc *x, const stored_layout *layout, const void *storage, int64_t row) {
    const int64_t block = row / layout->batch_size * layout->blocks + row % layout->batch_size / layout->rows;
    x->start = (int64_t *)((char *)storage + block * layout->bytes); /* nonzeros start where those before end */
    x->end = x->start + 1;
    x->bytes = (byte_nonzero *)(x->end + layout->input_blocks);
}

/* Stores the block of the rows from..to; returns 0 if they are no bytes, or too many are active. quantised (rows,
   inputs): room for the bytes of reals. */
static int store_block(const fnn_storing *job, const stored_layout *layout, int64_t from, int64_t to,
                       uint8_t *quantised) {
    const int64_t inputs = job->inputs;
    const uint8_t *x = job->is_uint8 ? (const uint8_t *)job->x + from * inputs : quantised;
    const real tolerance = (real)(REAL_IS_FLOAT ? 0x1p-23 : 0x1p-52);
    block_csc stored;
    int64_t n = 0;
    use_stored(&stored, layout, job->storage, from);
    for (int64_t row = from; !job->is_uint8 && row < to; row++)
        if (!pack_column((const real *)job->x + row * inputs, inputs, job->factor, tolerance,
                         quantised + (row - from) * inputs))
            return 0;
    stored.start[0] = 0;
    for (int64_t block = 0; block < layout->input_blocks; block++) {
        const int64_t at = block * INPUT_BLOCK, count = inputs - at < INPUT_BLOCK ? inputs - at : INPUT_BLOCK;
        if (n + (to - from) >= layout->most) return 0;
        for (int64_t s = 0; s < to - from; s++) { /* what is not active is overwritten */
            uint32_t bytes = 0;
            if (count == INPUT_BLOCK)
                memcpy(&bytes, x + s * inputs + at, INPUT_BLOCK);
            else
                memcpy(&bytes, x + s * inputs + at, count);
            stored.bytes[n].offset = (int32_t)s * PANEL_BYTES;
            memcpy(stored.bytes[n].bytes, &bytes, INPUT_BLOCK);
            n += bytes != 0;
        }
        stored.end[block] = n;
    }
    return 1;
}

static size_t quantised_bytes(const stored_layout *layout) {
    return (size_t)(layout->rows * layout->input_blocks * INPUT_BLOCK + 63) / 64 * 64;
}

/* A thread's part of it: blocks are dealt out in turn. */
static void store_thread(void *argument, int thread, int threads) {
    fnn_storing *job = argument;
    const stored_layout layout = layout_stored(job->inputs, job->batch_size);
    uint8_t *quantised = (uint8_t *)job->arena + thread * quantised_bytes(&layout);
    int64_t block = 0;
    for (int64_t row = job->first, next; row < job->end; row = next, block++) {
        const int64_t batch_end = (row / job->batch_size + 1) * job->batch_size;
        next = row + layout.rows < batch_end ? row + layout.rows : batch_end;
        if (next > job->end) next = job->end;
        if (block % threads != thread) continue;
        if (__atomic_load_n(&job->failed, __ATOMIC_RELAXED)) return;
        if (!store_block(job, &layout, row, next, quantised)) __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
    }
}

static size_t stored_bytes(int64_t rows, int64_t inputs, int64_t batch_size, size_t *arena_bytes) {
    const stored_layout layout = layout_stored(inputs, batch_size);
    *arena_bytes = quantised_bytes(&layout);
    return (size_t)((rows + batch_size - 1) / batch_size * layout.blocks * layout.bytes);
}

#endif
