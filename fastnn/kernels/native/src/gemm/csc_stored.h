/* Lists that are made once.

   Where every epoch has the same batches (no shuffling, or one batch of all rows), what is active in each is the same
   too. 784-64-32-10 in float64, in batches of 32, takes 0.84 of the time when each does not have to find it anew. */
#ifndef FNN_GEMM_CSC_STORED_H
#define FNN_GEMM_CSC_STORED_H

#include "csc_pack.h"
#include "../io/quantise.h"

typedef struct {
    const void *x; /* (n, inputs) */
    int is_uint8;
    int64_t from, to, inputs;
    double factor; /* reals are k / factor of whole k */
    csc_layout layout;
    void *lists;
    char *arena;
    int failed;
} store_job;

/* The lists of the rows from..to, at most a block; returns 0 if they are no bytes, or too many are active. */
static int store_block(const store_job *job, int64_t from, int64_t to, uint8_t *packed) {
    const int64_t inputs = job->inputs, most = job->layout.most;
    const uint8_t *x = job->is_uint8 ? (const uint8_t *)job->x + from * inputs : packed;
    const real tolerance = (real)(REAL_IS_FLOAT ? 0x1p-23 : 0x1p-52);
    block_csc lists;
    int64_t n = 0;
    use_stored(&lists, &job->layout, job->lists, from);
    for (int64_t row = from; !job->is_uint8 && row < to; row++)
        if (!pack_column((const real *)job->x + row * inputs, inputs, job->factor, tolerance,
                             packed + (row - from) * inputs))
            return 0;
    lists.start[0] = 0;
    for (int64_t group = 0; group < job->layout.groups; group++) {
        const int64_t at = group * QUAD, count = inputs - at < QUAD ? inputs - at : QUAD;
        if (n + (to - from) >= most) return 0;
        for (int64_t s = 0; s < to - from; s++) { /* what is not active is overwritten */
            uint32_t bytes = 0;
            if (count == QUAD)
                memcpy(&bytes, x + s * inputs + at, QUAD);
            else
                memcpy(&bytes, x + s * inputs + at, count);
            lists.bytes[n].place = (int32_t)s * STRIP_BYTES;
            memcpy(lists.bytes[n].bytes, &bytes, QUAD);
            n += bytes != 0;
        }
        lists.end[group] = n;
    }
    return 1;
}

static size_t store_arena(const csc_layout *layout) {
    return (size_t)(layout->rows * layout->groups * QUAD + 63) / 64 * 64;
}

static void store_thread(void *argument, int thread, int threads) {
    store_job *job = argument;
    uint8_t *packed = (uint8_t *)job->arena + thread * store_arena(&job->layout);
    int64_t block = 0; /* they are dealt out in turn */
    for (int64_t row = job->from, next; row < job->to; row = next, block++) {
        const int64_t batch_end = (row / job->layout.batch_size + 1) * job->layout.batch_size;
        next = row + job->layout.rows < batch_end ? row + job->layout.rows : batch_end;
        if (next > job->to) next = job->to;
        if (block % threads != thread) continue;
        if (__atomic_load_n(&job->failed, __ATOMIC_RELAXED)) return;
        if (!store_block(job, row, next, packed)) __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
    }
}

static size_t stored_csc_bytes(int64_t rows, int64_t inputs, int64_t batch_size, size_t *arena_bytes) {
    const csc_layout layout = stored_lists(inputs, batch_size);
    *arena_bytes = store_arena(&layout);
    return (size_t)((rows + batch_size - 1) / batch_size * layout.blocks * layout.bytes);
}

static int store_csc(const void *x, int is_uint8, int64_t from, int64_t to, int64_t inputs, int64_t batch_size,
                         double factor, void *lists, void *arena, int threads) {
    store_job job = {x, is_uint8, from, to, inputs, factor, stored_lists(inputs, batch_size), lists, arena, 0};
    fnn_parallel(store_thread, &job, threads);
    return !job.failed;
}

#endif
