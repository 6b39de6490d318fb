/* Dense products in register tiles: C (rows, columns) = C0 + A B, summed over k in ascending order.

   A(r, k) is a[r * row_step + k * k_step], so the same code serves x W, delta W^T and x^T delta. Every output's sum is
   one chain of fused multiply-adds over k, whatever the tile, so the bits depend on neither tile nor vector width.
   With an index, the rows of B (INDEX_B) or of C (INDEX_C) are those it names: the first layer's active inputs. */
#ifndef FNN_GEMM_TILES_H
#define FNN_GEMM_TILES_H

#include "../simd/vec.h"

enum { FROM_ZERO, FROM_ROW, FROM_C }; /* C0: zeros, the vector `start` in every row, or C as it was */
enum { NO_INDEX, INDEX_B, INDEX_C };

typedef struct {
    const real *a;
    int64_t row_step, k_step;
    const real *b;
    int64_t b_step;
    const real *start;
    real *c;
    int64_t c_step;
    const int32_t *index;
} gemm_operands;

INLINE void gemm_tile(const int rows, const int vectors, const int indexed, int from, int64_t depth, const gemm_operands *in,
                     int64_t r0, int64_t column) {
    static const real zeros[MOST_VECTORS * LANES] __attribute__((aligned(64))) = {0};
    vec sum[TILE_ROWS][MOST_VECTORS];
    real *c[TILE_ROWS];
    UNROLL for (int r = 0; r < rows; r++) {
        c[r] = in->c + (indexed == INDEX_C ? in->index[r0 + r] : r0 + r) * in->c_step + column;
        const real *start = from == FROM_C ? c[r] : from == FROM_ROW ? in->start + column : zeros;
        UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = vload(start + j * LANES);
    }
    const int64_t row_step = in->row_step, k_step = in->k_step, b_step = in->b_step;
    const real *a = in->a + r0 * row_step, *b = in->b + column;
    for (int64_t k = 0; k < depth; k++, a += k_step) {
        const real *b_row = indexed == INDEX_B ? b + in->index[k] * b_step : b + k * b_step;
        vec row[MOST_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) row[j] = vload(b_row + j * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            const vec value = vset(a[r * row_step]);
            UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = vfma(value, row[j], sum[r][j]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < vectors; j++) vstore(c[r] + j * LANES, sum[r][j]);
}

/* A function for each shape of tile: with several in one, the compiler runs out of registers and spills. */
typedef void tile_function(int from, int64_t depth, const gemm_operands *in, int64_t r0, int64_t column);

#define TILE(rows, vectors, indexed)                                                                                \
    static __attribute__((noinline)) void tile_##rows##_##vectors##_##indexed(int from, int64_t depth,          \
                                                                                  const gemm_operands *in, int64_t r0,   \
                                                                                  int64_t column) {                 \
        gemm_tile(rows, vectors, indexed, from, depth, in, r0, column);                                          \
    }
#define TILES(rows)                                                                    \
    TILE(rows, 1, NO_INDEX) TILE(rows, 1, INDEX_B) TILE(rows, 1, INDEX_C)              \
    TILE(rows, 2, NO_INDEX) TILE(rows, 2, INDEX_B) TILE(rows, 2, INDEX_C)
#define NAMES_(tile) {tile##_NO_INDEX, tile##_INDEX_B, tile##_INDEX_C}
#define NAMES(rows) {NAMES_(tile_##rows##_1), NAMES_(tile_##rows##_2)},
#if TILE_ROWS == 12
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12)
#elif TILE_ROWS == 8
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)
#elif TILE_ROWS == 6
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
#else
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4)
#endif
EACH_TILE_HEIGHT(TILES)
/* A single row would wait for each sum's last addition, so it takes many at once. */
#define EACH_WIDTH(DO) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12)
#define WIDE_ROW(vectors) TILE(1, vectors, NO_INDEX) TILE(1, vectors, INDEX_B) TILE(1, vectors, INDEX_C)
EACH_WIDTH(WIDE_ROW)
static tile_function *const tile_of[TILE_ROWS][2][3] = {EACH_TILE_HEIGHT(NAMES)};
#define ROW_NAMES(vectors) NAMES_(tile_1_##vectors),
static tile_function *const row_of[MOST_VECTORS][3] = {ROW_NAMES(1) ROW_NAMES(2) EACH_WIDTH(ROW_NAMES)};
#undef TILE
#undef TILES
#undef NAMES_
#undef NAMES
#undef EACH_WIDTH
#undef WIDE_ROW
#undef ROW_NAMES

/* C += A B for a single k, row by row, as memory lies. */
INLINE void outer(const int indexed, int64_t rows, int64_t columns, const gemm_operands *in) {
    for (int64_t r = 0; r < rows; r++) {
        real *c = in->c + (indexed == INDEX_C ? in->index[r] : r) * in->c_step;
        const vec value = vset(in->a[r * in->row_step]);
        for (int64_t j = 0; j < columns; j += LANES)
            vstore(c + j, vfma(value, vload(in->b + j), vload(c + j)));
    }
}

/* `columns` is a multiple of LANES; b, c and start are aligned. */
INLINE void gemm_tiles(const int indexed, int from, int64_t rows, int64_t columns, int64_t depth, const gemm_operands *in) {
    if (depth == 1 && from == FROM_C && indexed != INDEX_B) {
        outer(indexed, rows, columns, in);
        return;
    }
    if (rows == 1) {
        const int64_t vectors = columns / LANES, strips = (vectors + MOST_VECTORS - 1) / MOST_VECTORS;
        for (int64_t strip = 0; strip < strips; strip++) { /* of about equal widths */
            const int64_t left = vectors * strip / strips, right = vectors * (strip + 1) / strips;
            row_of[right - left - 1][indexed](from, depth, in, 0, left * LANES);
        }
        return;
    }
    for (int64_t j = 0; j < columns; j += 2 * LANES)
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            const int64_t height = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
            tile_of[height - 1][columns - j > LANES][indexed](from, depth, in, r, j);
        }
}

static void gemm(int from, int64_t rows, int64_t columns, int64_t depth, gemm_operands in) {
    gemm_tiles(NO_INDEX, from, rows, columns, depth, &in);
}

static void gemm_rows_of_b(int from, int64_t rows, int64_t columns, int64_t depth, gemm_operands in) {
    gemm_tiles(INDEX_B, from, rows, columns, depth, &in);
}

static void gemm_rows_of_c(int from, int64_t rows, int64_t columns, int64_t depth, gemm_operands in) {
    gemm_tiles(INDEX_C, from, rows, columns, depth, &in);
}

#endif
