/* Dense products in register tiles: C (rows, columns) = C0 + A B, summed over k in ascending order.

   A(r, k) is a[r * row_step + k * k_step], so the same code serves x W, delta W^T and x^T delta. Every output's sum is
   one chain of fused multiply-adds over k, whatever the tile, so the bits depend on neither tile nor vector width.

   With an index, the rows of B (INDEX_B) or of C (INDEX_C) are those it names: the first layer's active inputs. The
   first layer over all its inputs has tiles of its own, in which a pointer for each sample stands in place of a step
   between rows, so that rows are read where they lie.

   Called by everything in train/; writes C, z or g alone. */
#ifndef FNN_GEMM_TILES_H
#define FNN_GEMM_TILES_H

#include "../plan.h"
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

/* A product as the tiles see it: where C0 comes from, and the columns of A, which are the rows of B. */
typedef struct {
    const gemm_operands *in;
    int from;
    int64_t depth;
} gemm_product;

INLINE void gemm_tile(const int rows, const int vectors, const int indexed, const gemm_product *product, int64_t r0,
                      int64_t column) {
    static const real zeros[MOST_VECTORS * LANES] __attribute__((aligned(64))) = {0};
    const gemm_operands *const in = product->in;
    const int from = product->from;
    vec sum[TILE_ROWS][MOST_VECTORS];
    real *c[TILE_ROWS];
    UNROLL for (int r = 0; r < rows; r++) {
        c[r] = in->c + (indexed == INDEX_C ? in->index[r0 + r] : r0 + r) * in->c_step + column;
        const real *start = from == FROM_C ? c[r] : from == FROM_ROW ? in->start + column : zeros;
        UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = vload(start + j * LANES);
    }
    const int64_t row_step = in->row_step, k_step = in->k_step, b_step = in->b_step, depth = product->depth;
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
typedef void tile_function(const gemm_product *product, int64_t r0, int64_t column);

/* TILE expands to the function of one shape and kind of index. */
#define TILE(rows, vectors, indexed) \
    static __attribute__((noinline)) void tile_##rows##_##vectors##_##indexed(const gemm_product *product, int64_t r0, \
                                                                              int64_t column) { \
        gemm_tile(rows, vectors, indexed, product, r0, column); \
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
#define EACH_WIDTH(DO) DO(3) DO(4) DO(5) DO(6)
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

/* Rows of a panel of B: of two vectors each, they fit the first-level cache. */
#define PANEL_DEPTH 256
/* Tiles that pass a panel, from which it is copied; and rows, and columns of B: fewer lie together well enough. */
#define PANEL_TILES 4
#define LEAST_PANEL_DEPTH 96
#define LEAST_PANEL_COLUMNS 128

/* Are panels of B to be copied side by side? Rows far apart lie in more pages than the processor keeps the addresses of,
   and compete for the same places in its caches. */
INLINE int copies_panels(int64_t rows, int64_t depth, int64_t b_step) {
    return rows >= PANEL_TILES * TILE_ROWS && depth >= LEAST_PANEL_DEPTH && b_step >= LEAST_PANEL_COLUMNS;
}

/* panel (depth, 2 * LANES) = one or two vectors of columns of rows b_step apart */
INLINE void copy_panel(const real *b, int64_t b_step, int64_t depth, int vectors, real *panel) {
    for (int64_t k = 0; k < depth; k++, b += b_step, panel += 2 * LANES)
        for (int j = 0; j < vectors; j++) vstore(panel + j * LANES, vload(b + j * LANES));
}

/* The product over the next rows of B, panel by panel; `from` as in gemm. */
static __attribute__((noinline)) void gemm_by_panels(int from, int64_t rows, int64_t columns, int64_t depth,
                                                     const gemm_operands *in) {
    real panel[PANEL_DEPTH * 2 * LANES] __attribute__((aligned(64)));
    for (int64_t k = 0; k < depth; k += PANEL_DEPTH, from = FROM_C) {
        const int64_t here = depth - k < PANEL_DEPTH ? depth - k : PANEL_DEPTH;
        for (int64_t j = 0; j < columns; j += 2 * LANES) {
            const int vectors = columns - j > LANES ? 2 : 1;
            gemm_operands part = *in;
            part.a += k * in->k_step;
            part.b = panel;
            part.b_step = 2 * LANES;
            part.c += j;
            if (from == FROM_ROW) part.start += j;
            const gemm_product product = {&part, from, here};
            copy_panel(in->b + k * in->b_step + j, in->b_step, here, vectors, panel);
            for (int64_t r = 0; r < rows; r += TILE_ROWS) {
                const int64_t height = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
                tile_of[height - 1][vectors - 1][NO_INDEX](&product, r, 0);
            }
        }
    }
}

/* `columns` is a multiple of LANES; b, c and start are aligned. */
INLINE void gemm_tiles(const int indexed, int from, int64_t rows, int64_t columns, int64_t depth,
                       const gemm_operands *in) {
    const gemm_product product = {in, from, depth};
    if (depth == 1 && from == FROM_C && indexed != INDEX_B) {
        outer(indexed, rows, columns, in);
        return;
    }
    if (rows == 1) {
        const int64_t vectors = columns / LANES, panels = (vectors + MOST_VECTORS - 1) / MOST_VECTORS;
        for (int64_t panel = 0; panel < panels; panel++) { /* of about equal widths */
            const int64_t left = vectors * panel / panels, right = vectors * (panel + 1) / panels;
            row_of[right - left - 1][indexed](&product, 0, left * LANES);
        }
        return;
    }
    if (indexed == NO_INDEX && copies_panels(rows, depth, in->b_step)) {
        gemm_by_panels(from, rows, columns, depth, in);
        return;
    }
    for (int64_t j = 0; j < columns; j += 2 * LANES)
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            const int64_t height = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
            tile_of[height - 1][columns - j > LANES][indexed](&product, r, j);
        }
}

static void gemm(int from, int64_t rows, int64_t columns, int64_t depth, gemm_operands in) {
    gemm_tiles(NO_INDEX, from, rows, columns, depth, &in);
}

/* What the first layer multiplies, in the columns left..right, whole vectors: z = start + x W, or g += x^T delta. */
typedef struct {
    int64_t samples, left, right;
    real *z;          /* (samples, z_stride) z, or delta, which is read only */
    int64_t z_stride;
    real *w;          /* (inputs, w_stride) W, which is read only, or g */
    int64_t w_stride;
    const real *start; /* (z_stride) in every row; NULL: zeros */
} first_product;

/* A block's rows where they lie. */
typedef struct {
    const void **row; /* (samples) */
    int is_uint8;
    real *byte_value; /* (256) each byte times scale */
} row_pointers;

typedef struct {
    const real *const *row; /* (samples) */
    int64_t low, high;      /* inputs */
    real *w;                /* columns of W or its gradient, from row `low` on */
    int64_t w_step;
    real *z; /* (samples, z_step), columns of z or of delta */
    int64_t z_step;
} dense_operands;

/* z = start (rows start_step apart) + x W, in some vectors of columns */
INLINE void dense_sum(const int samples, const int vectors, const dense_operands *in, const real *start,
                      int64_t start_step) {
    const int64_t w_step = in->w_step, count = in->high - in->low;
    const real *w = in->w, *row[TILE_ROWS];
    vec sum[TILE_ROWS][2];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s] + in->low;
        UNROLL for (int j = 0; j < vectors; j++) sum[s][j] = vload(start + s * start_step + j * LANES);
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

/* w += x^T delta, in some vectors of columns: the deltas of a few samples stay in registers, w passes by */
INLINE void dense_spread(const int samples, const int vectors, const dense_operands *in) {
    const int64_t w_step = in->w_step, count = in->high - in->low;
    const real *row[TILE_ROWS];
    real *w = in->w;
    vec delta[TILE_ROWS][2];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s] + in->low;
        UNROLL for (int j = 0; j < vectors; j++) delta[s][j] = vload(in->z + s * in->z_step + j * LANES);
    }
    for (int64_t i = 0; i < count; i++, w += w_step) {
        vec weights[2];
        UNROLL for (int j = 0; j < vectors; j++) weights[j] = vload(w + j * LANES);
        UNROLL for (int s = 0; s < samples; s++) {
            const vec value = vset(row[s][i]);
            UNROLL for (int j = 0; j < vectors; j++) weights[j] = vfma(value, delta[s][j], weights[j]);
        }
        UNROLL for (int j = 0; j < vectors; j++) vstore(w + j * LANES, weights[j]);
    }
}

/* The same of a few inputs' w, which stay in registers while many samples pass by. */
INLINE void dense_gather(const int inputs, const int vectors, const dense_operands *in, int64_t samples) {
    const int64_t low = in->low, w_step = in->w_step, z_step = in->z_step;
    const real *const *row = in->row, *z = in->z;
    vec sum[TILE_ROWS][2];
    UNROLL for (int i = 0; i < inputs; i++)
        UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vload(in->w + i * w_step + j * LANES);
    for (int64_t s = 0; s < samples; s++, z += z_step) {
        const real *x = row[s] + low;
        vec delta[2];
        UNROLL for (int j = 0; j < vectors; j++) delta[j] = vload(z + j * LANES);
        UNROLL for (int i = 0; i < inputs; i++) {
            const vec value = vset(x[i]);
            UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = vfma(value, delta[j], sum[i][j]);
        }
    }
    UNROLL for (int i = 0; i < inputs; i++)
        UNROLL for (int j = 0; j < vectors; j++) vstore(in->w + i * w_step + j * LANES, sum[i][j]);
}

/* A function for each shape, as above: SHAPE expands to the three of `rows` samples, or inputs, and `vectors` vectors of
   columns. */
typedef void dense_sum_function(const dense_operands *in, const real *start, int64_t start_step);
typedef void dense_spread_function(const dense_operands *in);
typedef void dense_gather_function(const dense_operands *in, int64_t samples);

#define SHAPE(rows, vectors)                                                                                         \
    static __attribute__((noinline)) void dense_sum_##rows##_##vectors(const dense_operands *in, const real *start, \
                                                                       int64_t start_step) { \
        dense_sum(rows, vectors, in, start, start_step); \
    } \
    static __attribute__((noinline)) void dense_spread_##rows##_##vectors(const dense_operands *in) {            \
        dense_spread(rows, vectors, in);                                                                         \
    }                                                                                                                \
    static __attribute__((noinline)) void dense_gather_##rows##_##vectors(const dense_operands *in, int64_t samples) {            \
        dense_gather(rows, vectors, in, samples);                                                                         \
    }
#define SHAPES(rows) SHAPE(rows, 1) SHAPE(rows, 2)
EACH_TILE_HEIGHT(SHAPES)
#define SUM_NAMES(rows) {dense_sum_##rows##_1, dense_sum_##rows##_2},
#define SPREAD_NAMES(rows) {dense_spread_##rows##_1, dense_spread_##rows##_2},
#define GATHER_NAMES(rows) {dense_gather_##rows##_1, dense_gather_##rows##_2},
static dense_sum_function *const dense_sum_of[TILE_ROWS][2] = {EACH_TILE_HEIGHT(SUM_NAMES)};
static dense_spread_function *const dense_spread_of[TILE_ROWS][2] = {EACH_TILE_HEIGHT(SPREAD_NAMES)};
static dense_gather_function *const dense_gather_of[TILE_ROWS][2] = {EACH_TILE_HEIGHT(GATHER_NAMES)};
#undef SHAPE
#undef SHAPES
#undef SUM_NAMES
#undef SPREAD_NAMES
#undef GATHER_NAMES

/* z (samples, z_stride) = start + x W over the inputs low..high, in its columns. */
static void dense_forward(const row_pointers *rows, int64_t low, int64_t high, const first_product *p) {
    static const real zeros[2 * LANES] __attribute__((aligned(64))) = {0};
    const real *const *row = (const real *const *)rows->row;
    real *w = p->w + low * p->w_stride;
    if (p->samples == 1) { /* in tiles that are wider */
        gemm(p->start ? FROM_ROW : FROM_ZERO, 1, p->right - p->left, high - low,
             (gemm_operands){row[0] + low, 0, 1, w + p->left, p->w_stride, p->start ? p->start + p->left : NULL,
                             p->z + p->left, p->z_stride, NULL});
        return;
    }
    const int copies = copies_panels(p->samples, high - low, p->w_stride);
    real panel[PANEL_DEPTH * 2 * LANES] __attribute__((aligned(64)));
    for (int64_t i = low, end; i < high; i = end) {
        end = copies && high - i > PANEL_DEPTH ? i + PANEL_DEPTH : high;
        for (int64_t j = p->left; j < p->right; j += 2 * LANES) {
            const int vectors = p->right - j > LANES ? 2 : 1;
            dense_operands in = {row, i, end, w + (i - low) * p->w_stride + j, p->w_stride, p->z + j, p->z_stride};
            if (copies) {
                copy_panel(in.w, in.w_step, end - i, vectors, panel);
                in.w = panel;
                in.w_step = 2 * LANES;
            }
            for (int64_t s = 0; s < p->samples; s += TILE_ROWS, in.row += TILE_ROWS, in.z += TILE_ROWS * p->z_stride) {
                const int64_t height = p->samples - s < TILE_ROWS ? p->samples - s : TILE_ROWS;
                const real *start = i > low ? in.z : p->start ? p->start + j : zeros;
                dense_sum_of[height - 1][vectors - 1](&in, start, i > low ? p->z_stride : 0);
            }
        }
    }
}

/* g += x^T delta over the inputs low..high, in its columns; there may be no sample. */
static void dense_gradient(const row_pointers *rows, int64_t low, int64_t high, const first_product *p) {
    const real *const *row = (const real *const *)rows->row;
    const int64_t samples = p->samples, most = samples > TILE_ROWS ? TILE_ROWS : high - low;
    if (samples == 0) return;
    for (int64_t i = low; i < high; i += most)
        for (int64_t j = p->left; j < p->right; j += 2 * LANES) {
            const int64_t end = high - i < most ? high : i + most;
            const int wide = p->right - j > LANES;
            const dense_operands in = {row, i, end, p->w + i * p->w_stride + j, p->w_stride, p->z + j, p->z_stride};
            if (samples > TILE_ROWS)
                dense_gather_of[end - i - 1][wide](&in, samples);
            else
                dense_spread_of[samples - 1][wide](&in);
        }
}

#endif
