/* The first layer over all its inputs, whose rows are read where they lie.

   As the tiles of tiles.h, but with a pointer for each row in place of a step between them. Every sum is a chain over
   ascending inputs, or samples, here too. */
#ifndef FNN_GEMM_DENSE_H
#define FNN_GEMM_DENSE_H

#include "tiles.h"
#include "micro_batches.h"

#define DENSE_ROWS 64 /* of a gradient that takes the slopes of more than TILE_ROWS samples, one tile after the other */

typedef struct {
    const real *const *row; /* (samples) */
    int64_t low, high;      /* inputs */
    real *w;                /* columns of W or its gradient, from row `low` on */
    int64_t w_step;
    real *z; /* (samples, z_step), columns of z or of delta */
    int64_t z_step;
} dense_operands;

/* z = start + x W, in some vectors of columns; start: one row for all */
INLINE void dense_sum(const int samples, const int vectors, const dense_operands *in, const real *start) {
    const int64_t w_step = in->w_step, count = in->high - in->low;
    const real *w = in->w, *row[TILE_ROWS];
    vec sum[TILE_ROWS][2];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s] + in->low;
        UNROLL for (int j = 0; j < vectors; j++) sum[s][j] = vload(start + j * LANES);
    }
    for (int64_t i = 0; i < count; i++, w += w_step) {
        vec weights[2];
        UNROLL for (int j = 0; j < vectors; j++) weights[j] = vload(w + j * LANES);
        UNROLL for (int s = 0; s < samples; s++) {
            const vec value = vset(row[s][i]);
            UNROLL for (int j = 0; j < vectors; j++) sum[s][j] = vfma(value, weights[j], sum[s][j]);
        }
    }
    UNROLL for (int s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++) vstore(in->z + s * in->z_step + j * LANES, sum[s][j]);
}

/* w += x^T delta, in some vectors of columns: the slopes stay in registers, w passes by */
INLINE void dense_spread(const int samples, const int vectors, const dense_operands *in) {
    const int64_t w_step = in->w_step, count = in->high - in->low;
    const real *row[TILE_ROWS];
    real *w = in->w;
    vec slope[TILE_ROWS][2];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s] + in->low;
        UNROLL for (int j = 0; j < vectors; j++) slope[s][j] = vload(in->z + s * in->z_step + j * LANES);
    }
    for (int64_t i = 0; i < count; i++, w += w_step) {
        vec weights[2];
        UNROLL for (int j = 0; j < vectors; j++) weights[j] = vload(w + j * LANES);
        UNROLL for (int s = 0; s < samples; s++) {
            const vec value = vset(row[s][i]);
            UNROLL for (int j = 0; j < vectors; j++) weights[j] = vfma(value, slope[s][j], weights[j]);
        }
        UNROLL for (int j = 0; j < vectors; j++) vstore(w + j * LANES, weights[j]);
    }
}

/* A function for each shape, as in tiles.h. */
typedef void dense_sum_function(const dense_operands *in, const real *start);
typedef void dense_spread_function(const dense_operands *in);

#define SHAPE(rows, vectors)                                                                                         \
    static __attribute__((noinline)) void dense_sum_##rows##_##vectors(const dense_operands *in,                 \
                                                                           const real *start) {                      \
        dense_sum(rows, vectors, in, start);                                                                     \
    }                                                                                                                \
    static __attribute__((noinline)) void dense_spread_##rows##_##vectors(const dense_operands *in) {            \
        dense_spread(rows, vectors, in);                                                                         \
    }
#define SHAPES(rows) SHAPE(rows, 1) SHAPE(rows, 2)
EACH_TILE_HEIGHT(SHAPES)
#define SUM_NAMES(rows) {dense_sum_##rows##_1, dense_sum_##rows##_2},
#define SPREAD_NAMES(rows) {dense_spread_##rows##_1, dense_spread_##rows##_2},
static dense_sum_function *const dense_sum_of[TILE_ROWS][2] = {EACH_TILE_HEIGHT(SUM_NAMES)};
static dense_spread_function *const dense_spread_of[TILE_ROWS][2] = {EACH_TILE_HEIGHT(SPREAD_NAMES)};
#undef SHAPE
#undef SHAPES
#undef SUM_NAMES
#undef SPREAD_NAMES
#undef EACH_TILE_HEIGHT

/* Columns left..right of z (samples, stride) = start + x W over the inputs low..high, W from row `low` on; no start:
   zero. */
static void dense_forward(const row_pointers *rows, int64_t low, int64_t high, int64_t samples, const real *w,
                              int64_t stride, int64_t left, int64_t right, const real *start, real *z) {
    static const real zeros[2 * LANES] __attribute__((aligned(64))) = {0};
    const real *const *row = (const real *const *)rows->row;
    if (samples == 1) { /* in tiles that are wider */
        gemm(start ? FROM_ROW : FROM_ZERO, 1, right - left, high - low,
                    (gemm_operands){row[0] + low, 0, 1, w + left, stride, start ? start + left : NULL, z + left, stride, NULL});
        return;
    }
    for (int64_t j = left; j < right; j += 2 * LANES)
        for (int64_t s = 0; s < samples; s += TILE_ROWS) {
            const int64_t height = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
            dense_sum_of[height - 1][right - j > LANES](
                &(dense_operands){row + s, low, high, (real *)w + j, stride, z + s * stride + j, stride},
                start ? start + j : zeros);
        }
}

/* g (high - low, g_step) += x^T delta over the inputs low..high, of some columns of delta (samples, stride) */
static void dense_gradient(const row_pointers *rows, int64_t low, int64_t high, int64_t samples, const real *delta,
                               int64_t stride, int64_t columns, real *g, int64_t g_step) {
    const real *const *row = (const real *const *)rows->row;
    const int64_t most = samples <= TILE_ROWS ? high - low : DENSE_ROWS;
    for (int64_t i = low; i < high; i += most)
        for (int64_t j = 0; j < columns; j += 2 * LANES)
            for (int64_t s = 0; s < samples; s += TILE_ROWS) {
                const int64_t height = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
                dense_spread_of[height - 1][columns - j > LANES](
                    &(dense_operands){row + s, i, high - i < most ? high : i + most, g + (i - low) * g_step + j, g_step,
                                      (real *)delta + s * stride + j, stride});
            }
}

#endif
