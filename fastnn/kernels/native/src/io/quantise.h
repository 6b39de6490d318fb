/* Images of reals, each anywhere in memory, that are k / factor for whole k of 0..255: out (count, height) = k.
   packing.pxi calls quantise_columns, which says whether all are so. */
#ifndef FNN_IO_QUANTISE_H
#define FNN_IO_QUANTISE_H

#include "../simd/vec.h"

typedef struct {
    void *const *columns;
    int64_t count, height;
    double factor, tolerance;
    uint8_t *out;
    int failed;
} quantise_job;

#define QUANTISED 16 /* elements a round: as many bytes are a vector */

/* Bytes ahead that are prefetched: the processor by itself does so to the end of a page. Set by benchmarks/scaling.py's
   part fixed. */
#define QUANTISED_AHEAD 2048

/* bytes (QUANTISED) = the k for which k scale = k / up is x, to a relative tolerance; returns zeros if they exist. */
INLINE ivec quantise_round(const real *x, vec up, vec scale, real tolerance, uint8_t *bytes) {
    const vec ones = vset(REAL_IS_FLOAT ? (real)0x1p23 : (real)0x1p52); /* its last bit counts them */
    ivec misfits = {0};
    UNROLL for (int i = 0; i < QUANTISED; i += LANES) {
        const vec value = *(const vec_unaligned *)(x + i), counted = vfma(value, up, ones);
        const vec nearest = (counted - ones) * scale;
        const ivec no_byte = ((ivec)counted ^ (ivec)ones) & ~(integer)255; /* the bits above it */
        misfits |= no_byte | ~(ivec)(vnegabs(nearest - value) >= -tolerance * nearest);
        vlow_bytes((ivec)counted, bytes + i);
    }
    return misfits;
}

/* out = the bytes k for which k / factor is x, to a relative tolerance; returns 0 if there are none. */
static int pack_column(const real *x, int64_t height, double factor, real tolerance, uint8_t *out) {
    const vec up = vset((real)factor), scale = vset((real)(1 / factor));
    ivec misfits = {0};
    int64_t i = 0;
    for (; i + QUANTISED <= height; i += QUANTISED) {
        for (int b = 0; b < QUANTISED * (int)sizeof(real); b += 64)
            __builtin_prefetch((const char *)(x + i) + QUANTISED_AHEAD + b);
        misfits |= quantise_round(x + i, up, scale, tolerance, out + i);
    }
    if (i < height) {
        real last[QUANTISED] = {0};
        uint8_t bytes[QUANTISED];
        memcpy(last, x + i, (height - i) * sizeof(real));
        misfits |= quantise_round(last, up, scale, tolerance, bytes);
        memcpy(out + i, bytes, height - i);
    }
    for (int lane = 1; lane < LANES; lane++) misfits[0] |= misfits[lane];
    return misfits[0] == 0;
}

static void quantise_thread(void *argument, int thread, int threads) {
    quantise_job *job = argument;
    const int64_t end = job->count * (thread + 1) / threads;
    for (int64_t i = job->count * thread / threads; i < end && !__atomic_load_n(&job->failed, __ATOMIC_RELAXED); i++)
        if (!pack_column(job->columns[i], job->height, job->factor, (real)job->tolerance,
                             job->out + i * job->height))
            __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
}

static int quantise_columns(void *const *columns, int64_t count, int64_t height, double factor,
                           double tolerance, uint8_t *out, int threads) {
    quantise_job job = {columns, count, height, factor, tolerance, out, 0};
    fnn_parallel(quantise_thread, &job, threads);
    return !job.failed;
}

#endif
