/* The first layer over all its inputs, whose rows are read where they lie. Template, after teams.h.

   As the tiles of tiles.h, but with a pointer for each row in place of a step between them. Every sum is a chain over
   ascending inputs, or samples, here too. */

#define DENSE_ROWS 64 /* of a gradient that takes the slopes of more than TILE_ROWS samples, one tile after the other */

typedef struct {
    const REAL *const *row; /* (samples) */
    int64_t low, high;      /* inputs */
    REAL *w;                /* columns of W or its gradient, from row `low` on */
    int64_t w_step;
    REAL *z; /* (samples, z_step), columns of z or of delta */
    int64_t z_step;
} FN(dense_operands);
#define DENSE_OPERANDS FN(dense_operands)

/* z = start + x W, in some vectors of columns; start: one row for all */
INLINE void FN(dense_sum)(const int samples, const int vectors, const DENSE_OPERANDS *in, const REAL *start) {
    const int64_t w_step = in->w_step, count = in->high - in->low;
    const REAL *w = in->w, *row[TILE_ROWS];
    V sum[TILE_ROWS][2];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s] + in->low;
        UNROLL for (int j = 0; j < vectors; j++) sum[s][j] = FN(vload)(start + j * LANES);
    }
    for (int64_t i = 0; i < count; i++, w += w_step) {
        V weights[2];
        UNROLL for (int j = 0; j < vectors; j++) weights[j] = FN(vload)(w + j * LANES);
        UNROLL for (int s = 0; s < samples; s++) {
            const V value = FN(vset)(row[s][i]);
            UNROLL for (int j = 0; j < vectors; j++) sum[s][j] = FN(vfma)(value, weights[j], sum[s][j]);
        }
    }
    UNROLL for (int s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(in->z + s * in->z_step + j * LANES, sum[s][j]);
}

/* w += x^T delta, in some vectors of columns: the slopes stay in registers, w passes by */
INLINE void FN(dense_spread)(const int samples, const int vectors, const DENSE_OPERANDS *in) {
    const int64_t w_step = in->w_step, count = in->high - in->low;
    const REAL *row[TILE_ROWS];
    REAL *w = in->w;
    V slope[TILE_ROWS][2];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s] + in->low;
        UNROLL for (int j = 0; j < vectors; j++) slope[s][j] = FN(vload)(in->z + s * in->z_step + j * LANES);
    }
    for (int64_t i = 0; i < count; i++, w += w_step) {
        V weights[2];
        UNROLL for (int j = 0; j < vectors; j++) weights[j] = FN(vload)(w + j * LANES);
        UNROLL for (int s = 0; s < samples; s++) {
            const V value = FN(vset)(row[s][i]);
            UNROLL for (int j = 0; j < vectors; j++) weights[j] = FN(vfma)(value, slope[s][j], weights[j]);
        }
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(w + j * LANES, weights[j]);
    }
}

/* A function for each shape, as in tiles.h. */
typedef void FN(dense_sum_function)(const DENSE_OPERANDS *in, const REAL *start);
typedef void FN(dense_spread_function)(const DENSE_OPERANDS *in);

#define SHAPE(rows, vectors)                                                                                         \
    static __attribute__((noinline)) void FN(dense_sum_##rows##_##vectors)(const DENSE_OPERANDS *in,                 \
                                                                           const REAL *start) {                      \
        FN(dense_sum)(rows, vectors, in, start);                                                                     \
    }                                                                                                                \
    static __attribute__((noinline)) void FN(dense_spread_##rows##_##vectors)(const DENSE_OPERANDS *in) {            \
        FN(dense_spread)(rows, vectors, in);                                                                         \
    }
#define SHAPES(rows) SHAPE(rows, 1) SHAPE(rows, 2)
EACH_TILE_HEIGHT(SHAPES)
#define SUM_NAMES(rows) {FN(dense_sum_##rows##_1), FN(dense_sum_##rows##_2)},
#define SPREAD_NAMES(rows) {FN(dense_spread_##rows##_1), FN(dense_spread_##rows##_2)},
static FN(dense_sum_function) *const FN(dense_sum_of)[TILE_ROWS][2] = {EACH_TILE_HEIGHT(SUM_NAMES)};
static FN(dense_spread_function) *const FN(dense_spread_of)[TILE_ROWS][2] = {EACH_TILE_HEIGHT(SPREAD_NAMES)};
#undef SHAPE
#undef SHAPES
#undef SUM_NAMES
#undef SPREAD_NAMES
#undef EACH_TILE_HEIGHT

/* Columns left..right of z (samples, stride) = start + x W over the inputs low..high, W from row `low` on; no start:
   zero. */
static void FN(dense_forward)(const ROWS *rows, int64_t low, int64_t high, int64_t samples, const REAL *w,
                              int64_t stride, int64_t left, int64_t right, const REAL *start, REAL *z) {
    static const REAL zeros[2 * LANES] __attribute__((aligned(64))) = {0};
    const REAL *const *row = (const REAL *const *)rows->row;
    if (samples == 1) { /* in tiles that are wider */
        FN(product)(start ? FN(FROM_ROW) : FN(FROM_ZERO), 1, right - left, high - low,
                    (OPERANDS){row[0] + low, 0, 1, w + left, stride, start ? start + left : NULL, z + left, stride, NULL});
        return;
    }
    for (int64_t j = left; j < right; j += 2 * LANES)
        for (int64_t s = 0; s < samples; s += TILE_ROWS) {
            const int64_t height = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
            FN(dense_sum_of)[height - 1][right - j > LANES](
                &(DENSE_OPERANDS){row + s, low, high, (REAL *)w + j, stride, z + s * stride + j, stride},
                start ? start + j : zeros);
        }
}

/* g (high - low, g_step) += x^T delta over the inputs low..high, of some columns of delta (samples, stride) */
static void FN(dense_gradient)(const ROWS *rows, int64_t low, int64_t high, int64_t samples, const REAL *delta,
                               int64_t stride, int64_t columns, REAL *g, int64_t g_step) {
    const REAL *const *row = (const REAL *const *)rows->row;
    const int64_t most = samples <= TILE_ROWS ? high - low : DENSE_ROWS;
    for (int64_t i = low; i < high; i += most)
        for (int64_t j = 0; j < columns; j += 2 * LANES)
            for (int64_t s = 0; s < samples; s += TILE_ROWS) {
                const int64_t height = samples - s < TILE_ROWS ? samples - s : TILE_ROWS;
                FN(dense_spread_of)[height - 1][columns - j > LANES](
                    &(DENSE_OPERANDS){row + s, i, high - i < most ? high : i + most, g + (i - low) * g_step + j, g_step,
                                      (REAL *)delta + s * stride + j, stride});
            }
}
