/* The first layer over its active inputs only, for many samples.

   The rows of W that belong to a group share a register tile, by which the samples of its list pass. A list costs a
   mispredicted branch at its end, so this pays from some samples a list on. */
#ifndef FNN_GEMM_CSC_H
#define FNN_GEMM_CSC_H

#include "csc_pack.h"

/* W0, or its gradient, or a state of it: rows `stride` apart. Lists walk a strip of its columns at a time. Its strips
   may lie one after the other, each of `strip_rows` rows as wide as it is: what comes next is then what the processor
   foresees. */
typedef struct {
    real *at;
    int64_t stride, strip_rows; /* the latter 0 if whole rows lie together */
} panel_matrix;

/* The vectors of the next strip, of those that are left: rather two strips in the end than one and a single vector. */
INLINE int64_t strip_vectors(int64_t left) {
    return left == STRIP + 1 ? (STRIP + 1) / 2 : left < STRIP ? left : STRIP;
}

/* The strip of some vectors from one column on. */
INLINE panel_matrix strip_of(panel_matrix w, int64_t column, int64_t vectors) {
    return w.strip_rows ? (panel_matrix){w.at + column * w.strip_rows, vectors * LANES, 0}
                        : (panel_matrix){w.at + column, w.stride, 0};
}

/* The columns from one on, up to the last one before `right`, that lie together; *columns: how many. */
static panel_matrix part_of(panel_matrix w, int64_t column, int64_t right, int64_t *columns) {
    const int64_t left = (right - column) / LANES, vectors = w.strip_rows ? strip_vectors(left) : left;
    *columns = vectors * LANES;
    return strip_of(w, column, vectors);
}

/* A strip's QUAD rows that belong to a group. */
INLINE void group_rows(const block_csc *x, int64_t group, panel_matrix w, real *missing, real *rows[QUAD]) {
    UNROLL for (int k = 0; k < QUAD; k++) {
        const int64_t input = group * QUAD + k;
        rows[k] = input < x->inputs ? w.at + input * w.stride : missing;
    }
}

/* Asks for some columns of rows. Lines of a strip lie too far apart for the processor to foresee them. */
INLINE void prefetch_rows(const real *row, int64_t stride, int64_t rows, int columns) {
    for (int64_t r = 0; r < rows; r++, row += stride) {
        for (int j = 0; j < columns; j += 64 / (int)sizeof(real)) __builtin_prefetch(row + j);
        __builtin_prefetch(row + columns - 1);
    }
}

/* Asks for the beginning of a group's list; there may be no such group. */
INLINE void prefetch_list(const block_csc *x, int64_t group) {
    const int64_t first = x->start[group];
    const char *place = (const char *)(x->place + first), *value = (const char *)(x->value + first * QUAD);
    UNROLL for (int line = 0; line < 2; line++) {
        if (!x->bytes) __builtin_prefetch(place + line * 64);
        __builtin_prefetch((x->bytes ? (const char *)(x->bytes + first) : value) + line * 64);
    }
}

/* The same, and for its rows of a strip; not from `high` on, where another thread may be writing. */
INLINE void prefetch_group(const int vectors, const block_csc *x, int64_t group, int64_t high, panel_matrix w) {
    if (x->room < PREFETCH_ROOM || (group + 1) * QUAD > high) return;
    prefetch_list(x, group);
    prefetch_rows(w.at + group * QUAD * w.stride, w.stride, QUAD, vectors * LANES);
}

/* The group that begins with the input `low`. Where a chunk is empty this is the end of the inputs, maybe within a group,
   which belongs to the chunk before. */
INLINE int64_t first_group(int64_t low) {
    return (low + QUAD - 1) / QUAD;
}

/* The strip = some vectors of columns of rows `stride` apart, one of each sample; or of zeros, if there are none. */
INLINE void fill_strip(const int vectors, const block_csc *x, int64_t samples, const real *rows, int64_t stride,
                           int64_t column) {
    for (int64_t s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            vstore(x->strip + s * STRIP_WIDTH + j * LANES,
                       rows ? vload(rows + s * stride + column + j * LANES) : (vec){0});
}

/* Where entry n of all lists is, in either form; the place in the strip that it says, and input k. */
typedef struct {
    const byte_nonzero *bytes;
    const int32_t *place;
    const real *value;
} nonzero_cursor;

INLINE nonzero_cursor entry_at(const int of_bytes, const block_csc *x, int64_t n) {
    return of_bytes ? (nonzero_cursor){x->bytes + n, NULL, NULL} : (nonzero_cursor){NULL, x->place + n, x->value + n * QUAD};
}
INLINE nonzero_cursor next_entry(const int of_bytes, nonzero_cursor at) {
    return of_bytes ? (nonzero_cursor){at.bytes + 1, NULL, NULL} : (nonzero_cursor){NULL, at.place + 1, at.value + QUAD};
}
INLINE int is_before(const int of_bytes, nonzero_cursor at, nonzero_cursor end) {
    return of_bytes ? at.bytes < end.bytes : at.place < end.place;
}
INLINE int32_t place_of(const int of_bytes, nonzero_cursor at) {
    return of_bytes ? at.bytes->place : *at.place;
}
INLINE vec input_of(const int of_bytes, nonzero_cursor at, const real *of_byte, int k) {
    return vset(of_bytes ? of_byte[at.bytes->bytes[k]] : at.value[k]);
}

/* with `at`, for a group's entries */
#define EACH_ENTRY(of_bytes, x, group)                                                                        \
    for (nonzero_cursor at = entry_at(of_bytes, x, (x)->start[group]),                                         \
                   end = entry_at(of_bytes, x, (x)->end[group]);                                          \
         is_before(of_bytes, at, end); at = next_entry(of_bytes, at))

INLINE void forward_entries(const int vectors, const int of_bytes, const block_csc *x, int64_t group,
                                vec (*tile)[STRIP]) {
    const real *const of_byte = x->of_byte;
    char *const strip = (char *)x->strip;
    EACH_ENTRY(of_bytes, x, group) {
        real *to = (real *)(strip + place_of(of_bytes, at));
        vec sum[STRIP];
        UNROLL for (int j = 0; j < vectors; j++) sum[j] = vload(to + j * LANES);
        UNROLL for (int k = 0; k < QUAD; k++)
            UNROLL for (int j = 0; j < vectors; j++)
                sum[j] = vfma(input_of(of_bytes, at, of_byte, k), tile[k][j], sum[j]);
        UNROLL for (int j = 0; j < vectors; j++) vstore(to + j * LANES, sum[j]);
    }
}

/* The strip += x W over one group's inputs. W's tile stays in registers, the strip passes by. */
INLINE void forward_tile(const int vectors, const block_csc *x, int64_t group, panel_matrix w) {
    real *rows[QUAD];
    vec tile[QUAD][STRIP];
    group_rows(x, group, w, x->zeros, rows);
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = vload(rows[k] + j * LANES);
    if (x->bytes)
        forward_entries(vectors, 1, x, group, tile);
    else
        forward_entries(vectors, 0, x, group, tile);
}

/* A batch in lists and its z (samples, stride) = start + x W; no start: zero. */
typedef struct {
    const block_csc *x;
    int64_t samples, stride;
    const real *start;
    real *z;
} csc_batch;

INLINE void begin_strip(const int vectors, const csc_batch *batch, int64_t column) {
    fill_strip(vectors, batch->x, batch->samples, batch->start, 0, column);
}

INLINE void end_strip(const int vectors, const csc_batch *batch, int64_t column) {
    for (int64_t s = 0; s < batch->samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            vstore(batch->z + s * batch->stride + column + j * LANES,
                       vload(batch->x->strip + s * STRIP_WIDTH + j * LANES));
}

/* In some vectors of columns, over the inputs low..high. */
INLINE void forward_strip(const int vectors, const csc_batch *batch, int64_t low, int64_t high, panel_matrix w,
                              int64_t column) {
    const block_csc x = *batch->x; /* a copy, as what is written through pointers cannot be it */
    w = strip_of(w, column, vectors);
    begin_strip(vectors, batch, column);
    for (int64_t group = first_group(low); group * QUAD < high; group++) {
        if (x.start[group] == x.end[group]) continue;
        prefetch_group(vectors, &x, group + 1, high, w);
        forward_tile(vectors, &x, group, w);
    }
    end_strip(vectors, batch, column);
}

INLINE void gradient_entries(const int vectors, const int of_bytes, const block_csc *x, int64_t group,
                                 vec (*tile)[STRIP]) {
    const real *const of_byte = x->of_byte;
    const char *const strip = (const char *)x->strip;
    EACH_ENTRY(of_bytes, x, group) {
        const real *from = (const real *)(strip + place_of(of_bytes, at));
        vec slope[STRIP];
        UNROLL for (int j = 0; j < vectors; j++) slope[j] = vload(from + j * LANES);
        UNROLL for (int k = 0; k < QUAD; k++)
            UNROLL for (int j = 0; j < vectors; j++)
                tile[k][j] = vfma(input_of(of_bytes, at, of_byte, k), slope[j], tile[k][j]);
    }
}

/* g's rows of one group, in the strip's columns, += x^T delta; or = x^T delta. */
INLINE void gradient_tile(const int vectors, const block_csc *x, int64_t group, int from_zero,
                              real *const rows[QUAD]) {
    vec tile[QUAD][STRIP];
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = from_zero ? (vec){0} : vload(rows[k] + j * LANES);
    if (x->bytes)
        gradient_entries(vectors, 1, x, group, tile);
    else
        gradient_entries(vectors, 0, x, group, tile);
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) vstore(rows[k] + j * LANES, tile[k][j]);
}

/* g += x^T delta in some vectors of columns, over the inputs low..high. Where g is W itself, z of the next batch may go
   along, if there is one: W then comes once a batch from a cache that cannot hold it. */
INLINE void gradient_strip(const int vectors, const block_csc *x, int64_t low, int64_t high, int64_t samples,
                               const real *delta, int64_t stride, int64_t column, panel_matrix g,
                               const csc_batch *next) {
    const block_csc here = *x, coming = next ? *next->x : here; /* copies as above */
    g = strip_of(g, column, vectors);
    fill_strip(vectors, x, samples, delta, stride, column);
    if (next) begin_strip(vectors, next, column);
    for (int64_t group = first_group(low); group * QUAD < high; group++) {
        if (here.start[group] < here.end[group]) {
            real *rows[QUAD];
            prefetch_group(vectors, &here, group + 1, high, g);
            group_rows(&here, group, g, here.sink, rows);
            gradient_tile(vectors, &here, group, 0, rows);
        }
        if (next && coming.start[group] < coming.end[group]) forward_tile(vectors, &coming, group, g);
    }
    if (next) end_strip(vectors, next, column);
}

/* CALL(n), with `column`, for the strips of n vectors of the columns left..right. */
#define EACH_STRIP(left, right, CALL)                                                                         \
    for (int64_t column = left; column < right;) {                                                            \
        const int64_t vectors = strip_vectors((right - column) / LANES);                                  \
        switch (vectors) {                                                                                    \
        case 1: CALL(1); break;                                                                               \
        case 2: CALL(2); break;                                                                               \
        case 3: CALL(STRIP > 2 ? 3 : 2); break;                                                               \
        case 4: CALL(STRIP); break;                                                                           \
        }                                                                                                     \
        column += vectors * LANES;                                                                            \
    }

/* Columns left..right, whole vectors, of z over the inputs low..high. */
static void lists_forward(const csc_batch *batch, int64_t low, int64_t high, panel_matrix w, int64_t left,
                              int64_t right) {
#define CALL(n) forward_strip(n, batch, low, high, w, column)
    EACH_STRIP(left, right, CALL)
#undef CALL
}

/* Columns left..right, whole vectors, of g += x^T delta over the inputs low..high; see gradient_strip. */
static void lists_gradient(const block_csc *x, int64_t low, int64_t high, int64_t samples, const real *delta,
                               int64_t stride, int64_t left, int64_t right, panel_matrix g, const csc_batch *next) {
#define CALL(n) gradient_strip(n, x, low, high, samples, delta, stride, column, g, next)
    EACH_STRIP(left, right, CALL)
#undef CALL
}

#endif
