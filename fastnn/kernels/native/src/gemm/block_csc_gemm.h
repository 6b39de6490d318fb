/* The first layer over block-CSC: z (m, n) = start + x W and g (k, n) += x^T delta, for many samples.

   The rows of W that belong to an input block share a register tile, by which its samples pass. The end of its nonzeros
   costs a mispredicted branch, so this pays from some samples an input block on.

   Called by train/forward.h, backward.h and update.h; writes z or g, and the panel of the block_csc. */
#ifndef FNN_GEMM_BLOCK_CSC_GEMM_H
#define FNN_GEMM_BLOCK_CSC_GEMM_H

#include "block_csc.h"

/* W0, or its gradient, or a state of it: rows `stride` apart. A panel of its columns is walked at a time. Its panels
   may lie one after the other, each of `panel_rows` rows as wide as it is: what comes next is then what the processor
   foresees. */
typedef struct {
    real *at;
    int64_t stride, panel_rows; /* the latter 0 if whole rows lie together */
} panel_matrix;

/* The vectors of the next panel, of those that are left: rather two panels in the end than one and a single vector. */
INLINE int64_t panel_vectors(int64_t left) {
    return left == PANEL_VECTORS + 1 ? (PANEL_VECTORS + 1) / 2 : left < PANEL_VECTORS ? left : PANEL_VECTORS;
}

/* The panel of some vectors from one column on. */
INLINE panel_matrix panel_of(panel_matrix w, int64_t column, int64_t vectors) {
    return w.panel_rows ? (panel_matrix){w.at + column * w.panel_rows, vectors * LANES, 0}
                        : (panel_matrix){w.at + column, w.stride, 0};
}

/* The columns from one on, up to the last one before `right`, that lie together; *columns: how many. */
static panel_matrix part_of(panel_matrix w, int64_t column, int64_t right, int64_t *columns) {
    const int64_t left = (right - column) / LANES, vectors = w.panel_rows ? panel_vectors(left) : left;
    *columns = vectors * LANES;
    return panel_of(w, column, vectors);
}

/* A panel's rows that belong to an input block. */
INLINE void block_rows(const block_csc *x, int64_t block, panel_matrix w, real *missing, real *rows[INPUT_BLOCK]) {
    UNROLL for (int k = 0; k < INPUT_BLOCK; k++) {
        const int64_t input = block * INPUT_BLOCK + k;
        rows[k] = input < x->inputs ? w.at + input * w.stride : missing;
    }
}

/* Asks for some columns of rows. Lines of a panel lie too far apart for the processor to foresee them. */
INLINE void prefetch_rows(const real *row, int64_t stride, int64_t rows, int columns) {
    for (int64_t r = 0; r < rows; r++, row += stride) {
        for (int j = 0; j < columns; j += 64 / (int)sizeof(real)) __builtin_prefetch(row + j);
        __builtin_prefetch(row + columns - 1);
    }
}

/* Asks for an input block's first nonzeros; there may be no such block. */
INLINE void prefetch_nonzeros(const block_csc *x, int64_t block) {
    const int64_t first = x->start[block];
    const char *offset = (const char *)(x->offset + first), *value = (const char *)(x->value + first * INPUT_BLOCK);
    UNROLL for (int line = 0; line < 2; line++) {
        if (!x->bytes) __builtin_prefetch(offset + line * 64);
        __builtin_prefetch((x->bytes ? (const char *)(x->bytes + first) : value) + line * 64);
    }
}

/* The same, and for its rows of a panel; not from `high` on, where another thread may be writing. */
INLINE void prefetch_block(const int vectors, const block_csc *x, int64_t block, int64_t high, panel_matrix w) {
    if (x->room < PREFETCH_SAMPLES || (block + 1) * INPUT_BLOCK > high) return;
    prefetch_nonzeros(x, block);
    prefetch_rows(w.at + block * INPUT_BLOCK * w.stride, w.stride, INPUT_BLOCK, vectors * LANES);
}

/* The input block that begins with the input `low`. Where a split is empty this is the end of the inputs, maybe within
   a block, which belongs to the split before. */
INLINE int64_t first_block(int64_t low) {
    return (low + INPUT_BLOCK - 1) / INPUT_BLOCK;
}

/* The panel = some vectors of columns of rows `stride` apart, one of each sample; or of zeros, if there are none. */
INLINE void fill_panel(const int vectors, const block_csc *x, int64_t samples, const real *rows, int64_t stride,
                           int64_t column) {
    for (int64_t s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            vstore(x->panel + s * PANEL_COLUMNS + j * LANES,
                       rows ? vload(rows + s * stride + column + j * LANES) : (vec){0});
}

/* Where nonzero n of all is, in either layout; its sample's offset in the panel, and its value k. */
typedef struct {
    const byte_nonzero *bytes;
    const int32_t *offset;
    const real *value;
} nonzero_cursor;

INLINE nonzero_cursor nonzero_at(const int of_bytes, const block_csc *x, int64_t n) {
    return of_bytes ? (nonzero_cursor){x->bytes + n, NULL, NULL}
                    : (nonzero_cursor){NULL, x->offset + n, x->value + n * INPUT_BLOCK};
}
INLINE nonzero_cursor next_nonzero(const int of_bytes, nonzero_cursor at) {
    return of_bytes ? (nonzero_cursor){at.bytes + 1, NULL, NULL}
                    : (nonzero_cursor){NULL, at.offset + 1, at.value + INPUT_BLOCK};
}
INLINE int is_before(const int of_bytes, nonzero_cursor at, nonzero_cursor end) {
    return of_bytes ? at.bytes < end.bytes : at.offset < end.offset;
}
INLINE int32_t offset_of(const int of_bytes, nonzero_cursor at) {
    return of_bytes ? at.bytes->offset : *at.offset;
}
INLINE vec input_of(const int of_bytes, nonzero_cursor at, const real *byte_value, int k) {
    return vset(of_bytes ? byte_value[at.bytes->bytes[k]] : at.value[k]);
}

/* The head of a loop over an input block's nonzeros, in which `at` is one of them. */
#define EACH_NONZERO(of_bytes, x, block) \
    for (nonzero_cursor at = nonzero_at(of_bytes, x, (x)->start[block]), \
                        end = nonzero_at(of_bytes, x, (x)->end[block]); \
         is_before(of_bytes, at, end); at = next_nonzero(of_bytes, at))

INLINE void forward_nonzeros(const int vectors, const int of_bytes, const block_csc *x, int64_t block,
                                vec (*tile)[PANEL_VECTORS]) {
    const real *const byte_value = x->byte_value;
    char *const panel = (char *)x->panel;
    EACH_NONZERO(of_bytes, x, block) {
        real *to = (real *)(panel + offset_of(of_bytes, at));
        vec sum[PANEL_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) sum[j] = vload(to + j * LANES);
        UNROLL for (int k = 0; k < INPUT_BLOCK; k++)
            UNROLL for (int j = 0; j < vectors; j++)
                sum[j] = vfma(input_of(of_bytes, at, byte_value, k), tile[k][j], sum[j]);
        UNROLL for (int j = 0; j < vectors; j++) vstore(to + j * LANES, sum[j]);
    }
}

/* The panel += x W over one input block. W's tile stays in registers, the panel passes by. */
INLINE void forward_tile(const int vectors, const block_csc *x, int64_t block, panel_matrix w) {
    real *rows[INPUT_BLOCK];
    vec tile[INPUT_BLOCK][PANEL_VECTORS];
    block_rows(x, block, w, x->zeros, rows);
    UNROLL for (int k = 0; k < INPUT_BLOCK; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = vload(rows[k] + j * LANES);
    if (x->bytes)
        forward_nonzeros(vectors, 1, x, block, tile);
    else
        forward_nonzeros(vectors, 0, x, block, tile);
}

/* A batch in block-CSC and its z (samples, stride) = start + x W; no start: zero. Or its delta, in the place of z. */
typedef struct {
    const block_csc *x;
    int64_t samples, stride;
    const real *start;
    real *z;
} csc_batch;

/* In some vectors of columns, over the inputs low..high. */
INLINE void forward_panel(const int vectors, const csc_batch *batch, int64_t low, int64_t high, panel_matrix w,
                              int64_t column) {
    const block_csc x = *batch->x; /* a copy, as what is written through pointers cannot be it */
    w = panel_of(w, column, vectors);
    fill_panel(vectors, &x, batch->samples, batch->start, 0, column);
    for (int64_t block = first_block(low); block * INPUT_BLOCK < high; block++) {
        if (x.start[block] == x.end[block]) continue;
        prefetch_block(vectors, &x, block + 1, high, w);
        forward_tile(vectors, &x, block, w);
    }
    for (int64_t s = 0; s < batch->samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            vstore(batch->z + s * batch->stride + column + j * LANES, vload(x.panel + s * PANEL_COLUMNS + j * LANES));
}

INLINE void gradient_nonzeros(const int vectors, const int of_bytes, const block_csc *x, int64_t block,
                                 vec (*tile)[PANEL_VECTORS]) {
    const real *const byte_value = x->byte_value;
    const char *const panel = (const char *)x->panel;
    EACH_NONZERO(of_bytes, x, block) {
        const real *from = (const real *)(panel + offset_of(of_bytes, at));
        vec delta[PANEL_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) delta[j] = vload(from + j * LANES);
        UNROLL for (int k = 0; k < INPUT_BLOCK; k++)
            UNROLL for (int j = 0; j < vectors; j++)
                tile[k][j] = vfma(input_of(of_bytes, at, byte_value, k), delta[j], tile[k][j]);
    }
}

/* g's rows of one input block, in the panel's columns, += x^T delta; or = x^T delta. */
INLINE void gradient_tile(const int vectors, const block_csc *x, int64_t block, int from_zero,
                              real *const rows[INPUT_BLOCK]) {
    vec tile[INPUT_BLOCK][PANEL_VECTORS];
    UNROLL for (int k = 0; k < INPUT_BLOCK; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = from_zero ? (vec){0} : vload(rows[k] + j * LANES);
    if (x->bytes)
        gradient_nonzeros(vectors, 1, x, block, tile);
    else
        gradient_nonzeros(vectors, 0, x, block, tile);
    UNROLL for (int k = 0; k < INPUT_BLOCK; k++)
        UNROLL for (int j = 0; j < vectors; j++) vstore(rows[k] + j * LANES, tile[k][j]);
}

/* g += x^T delta (batch->z) in some vectors of columns, over the inputs low..high. */
INLINE void gradient_panel(const int vectors, const csc_batch *batch, int64_t low, int64_t high, panel_matrix g,
                           int64_t column) {
    const block_csc x = *batch->x; /* a copy as above */
    g = panel_of(g, column, vectors);
    fill_panel(vectors, &x, batch->samples, batch->z, batch->stride, column);
    for (int64_t block = first_block(low); block * INPUT_BLOCK < high; block++) {
        if (x.start[block] == x.end[block]) continue;
        real *rows[INPUT_BLOCK];
        prefetch_block(vectors, &x, block + 1, high, g);
        block_rows(&x, block, g, x.sink, rows);
        gradient_tile(vectors, &x, block, 0, rows);
    }
}

/* Expands to a loop over the panels of the columns left..right that calls CALL(n), with `column`, for one of n vectors:
   a constant, so that each width is compiled by itself. */
#define EACH_PANEL(left, right, CALL)                                                                         \
    for (int64_t column = left; column < right;) {                                                            \
        const int64_t vectors = panel_vectors((right - column) / LANES);                                  \
        switch (vectors) {                                                                                    \
        case 1: CALL(1); break;                                                                               \
        case 2: CALL(2); break;                                                                               \
        case 3: CALL(PANEL_VECTORS > 2 ? 3 : 2); break;                                                               \
        case 4: CALL(PANEL_VECTORS); break;                                                                           \
        }                                                                                                     \
        column += vectors * LANES;                                                                            \
    }

/* Columns left..right, whole vectors, of z over the inputs low..high. */
static void block_csc_forward(const csc_batch *batch, int64_t low, int64_t high, panel_matrix w, int64_t left,
                              int64_t right) {
#define CALL(n) forward_panel(n, batch, low, high, w, column)
    EACH_PANEL(left, right, CALL)
#undef CALL
}

/* Columns left..right, whole vectors, of g += x^T delta over the inputs low..high. */
static void block_csc_gradient(const csc_batch *batch, int64_t low, int64_t high, panel_matrix g, int64_t left,
                               int64_t right) {
#define CALL(n) gradient_panel(n, batch, low, high, g, column)
    EACH_PANEL(left, right, CALL)
#undef CALL
}

#endif
