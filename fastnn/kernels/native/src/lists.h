/* The first layer over its active inputs only, for many samples. Template, after entries.h.

   The rows of W that belong to a group share a register tile, by which the samples of its list pass. A list costs a
   mispredicted branch at its end, so this pays from some samples a list on. */

/* W0, or its gradient, or a state of it: rows `stride` apart. Lists walk a strip of its columns at a time. Its strips
   may lie one after the other, each of `strip_rows` rows as wide as it is: what comes next is then what the processor
   foresees. */
typedef struct {
    REAL *at;
    int64_t stride, strip_rows; /* the latter 0 if whole rows lie together */
} FN(matrix);
#define MATRIX FN(matrix)

/* The vectors of the next strip, of those that are left: rather two strips in the end than one and a single vector. */
INLINE int64_t FN(strip_vectors)(int64_t left) {
    return left == STRIP + 1 ? (STRIP + 1) / 2 : left < STRIP ? left : STRIP;
}

/* The strip of some vectors from one column on. */
INLINE MATRIX FN(strip_of)(MATRIX w, int64_t column, int64_t vectors) {
    return w.strip_rows ? (MATRIX){w.at + column * w.strip_rows, vectors * LANES, 0}
                        : (MATRIX){w.at + column, w.stride, 0};
}

/* The columns from one on, up to the last one before `right`, that lie together; *columns: how many. */
static MATRIX FN(part_of)(MATRIX w, int64_t column, int64_t right, int64_t *columns) {
    const int64_t left = (right - column) / LANES, vectors = w.strip_rows ? FN(strip_vectors)(left) : left;
    *columns = vectors * LANES;
    return FN(strip_of)(w, column, vectors);
}

/* A strip's QUAD rows that belong to a group. */
INLINE void FN(group_rows)(const SAMPLE_LISTS *x, int64_t group, MATRIX w, REAL *missing, REAL *rows[QUAD]) {
    UNROLL for (int k = 0; k < QUAD; k++) {
        const int64_t input = group * QUAD + k;
        rows[k] = input < x->inputs ? w.at + input * w.stride : missing;
    }
}

/* Asks for some columns of rows. Lines of a strip lie too far apart for the processor to foresee them. */
INLINE void FN(prefetch_rows)(const REAL *row, int64_t stride, int64_t rows, int columns) {
    for (int64_t r = 0; r < rows; r++, row += stride) {
        for (int j = 0; j < columns; j += 64 / (int)sizeof(REAL)) __builtin_prefetch(row + j);
        __builtin_prefetch(row + columns - 1);
    }
}

/* Asks for the beginning of a group's list; there may be no such group. */
INLINE void FN(prefetch_list)(const SAMPLE_LISTS *x, int64_t group) {
    const int64_t first = x->start[group];
    const char *place = (const char *)(x->place + first), *value = (const char *)(x->value + first * QUAD);
    UNROLL for (int line = 0; line < 2; line++) {
        if (!x->bytes) __builtin_prefetch(place + line * 64);
        __builtin_prefetch((x->bytes ? (const char *)(x->bytes + first) : value) + line * 64);
    }
}

/* The same, and for its rows of a strip; not from `high` on, where another thread may be writing. */
INLINE void FN(prefetch_group)(const int vectors, const SAMPLE_LISTS *x, int64_t group, int64_t high, MATRIX w) {
    if (x->room < PREFETCH_ROOM || (group + 1) * QUAD > high) return;
    FN(prefetch_list)(x, group);
    FN(prefetch_rows)(w.at + group * QUAD * w.stride, w.stride, QUAD, vectors * LANES);
}

/* The group that begins with the input `low`. Where a chunk is empty this is the end of the inputs, maybe within a group,
   which belongs to the chunk before. */
INLINE int64_t FN(first_group)(int64_t low) {
    return (low + QUAD - 1) / QUAD;
}

/* The strip = some vectors of columns of rows `stride` apart, one of each sample; or of zeros, if there are none. */
INLINE void FN(fill_strip)(const int vectors, const SAMPLE_LISTS *x, int64_t samples, const REAL *rows, int64_t stride,
                           int64_t column) {
    for (int64_t s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            FN(vstore)(x->strip + s * STRIP_WIDTH + j * LANES,
                       rows ? FN(vload)(rows + s * stride + column + j * LANES) : (V){0});
}

/* Where entry n of all lists is, in either form; the place in the strip that it says, and input k. */
typedef struct {
    const FN(byte_entry) *bytes;
    const int32_t *place;
    const REAL *value;
} FN(entry);

INLINE FN(entry) FN(entry_at)(const int of_bytes, const SAMPLE_LISTS *x, int64_t n) {
    return of_bytes ? (FN(entry)){x->bytes + n, NULL, NULL} : (FN(entry)){NULL, x->place + n, x->value + n * QUAD};
}
INLINE FN(entry) FN(next_entry)(const int of_bytes, FN(entry) at) {
    return of_bytes ? (FN(entry)){at.bytes + 1, NULL, NULL} : (FN(entry)){NULL, at.place + 1, at.value + QUAD};
}
INLINE int FN(is_before)(const int of_bytes, FN(entry) at, FN(entry) end) {
    return of_bytes ? at.bytes < end.bytes : at.place < end.place;
}
INLINE int32_t FN(place_of)(const int of_bytes, FN(entry) at) {
    return of_bytes ? at.bytes->place : *at.place;
}
INLINE V FN(input_of)(const int of_bytes, FN(entry) at, const REAL *of_byte, int k) {
    return FN(vset)(of_bytes ? of_byte[at.bytes->bytes[k]] : at.value[k]);
}

/* with `at`, for a group's entries */
#define EACH_ENTRY(of_bytes, x, group)                                                                        \
    for (FN(entry) at = FN(entry_at)(of_bytes, x, (x)->start[group]),                                         \
                   end = FN(entry_at)(of_bytes, x, (x)->end[group]);                                          \
         FN(is_before)(of_bytes, at, end); at = FN(next_entry)(of_bytes, at))

INLINE void FN(forward_entries)(const int vectors, const int of_bytes, const SAMPLE_LISTS *x, int64_t group,
                                V (*tile)[STRIP]) {
    const REAL *const of_byte = x->of_byte;
    char *const strip = (char *)x->strip;
    EACH_ENTRY(of_bytes, x, group) {
        REAL *to = (REAL *)(strip + FN(place_of)(of_bytes, at));
        V sum[STRIP];
        UNROLL for (int j = 0; j < vectors; j++) sum[j] = FN(vload)(to + j * LANES);
        UNROLL for (int k = 0; k < QUAD; k++)
            UNROLL for (int j = 0; j < vectors; j++)
                sum[j] = FN(vfma)(FN(input_of)(of_bytes, at, of_byte, k), tile[k][j], sum[j]);
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(to + j * LANES, sum[j]);
    }
}

/* The strip += x W over one group's inputs. W's tile stays in registers, the strip passes by. */
INLINE void FN(forward_tile)(const int vectors, const SAMPLE_LISTS *x, int64_t group, MATRIX w) {
    REAL *rows[QUAD];
    V tile[QUAD][STRIP];
    FN(group_rows)(x, group, w, x->zeros, rows);
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = FN(vload)(rows[k] + j * LANES);
    if (x->bytes)
        FN(forward_entries)(vectors, 1, x, group, tile);
    else
        FN(forward_entries)(vectors, 0, x, group, tile);
}

/* A batch in lists and its z (samples, stride) = start + x W; no start: zero. */
typedef struct {
    const SAMPLE_LISTS *x;
    int64_t samples, stride;
    const REAL *start;
    REAL *z;
} FN(listed_batch);
#define LISTED_BATCH FN(listed_batch)

INLINE void FN(begin_strip)(const int vectors, const LISTED_BATCH *batch, int64_t column) {
    FN(fill_strip)(vectors, batch->x, batch->samples, batch->start, 0, column);
}

INLINE void FN(end_strip)(const int vectors, const LISTED_BATCH *batch, int64_t column) {
    for (int64_t s = 0; s < batch->samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            FN(vstore)(batch->z + s * batch->stride + column + j * LANES,
                       FN(vload)(batch->x->strip + s * STRIP_WIDTH + j * LANES));
}

/* In some vectors of columns, over the inputs low..high. */
INLINE void FN(forward_strip)(const int vectors, const LISTED_BATCH *batch, int64_t low, int64_t high, MATRIX w,
                              int64_t column) {
    const SAMPLE_LISTS x = *batch->x; /* a copy, as what is written through pointers cannot be it */
    w = FN(strip_of)(w, column, vectors);
    FN(begin_strip)(vectors, batch, column);
    for (int64_t group = FN(first_group)(low); group * QUAD < high; group++) {
        if (x.start[group] == x.end[group]) continue;
        FN(prefetch_group)(vectors, &x, group + 1, high, w);
        FN(forward_tile)(vectors, &x, group, w);
    }
    FN(end_strip)(vectors, batch, column);
}

INLINE void FN(gradient_entries)(const int vectors, const int of_bytes, const SAMPLE_LISTS *x, int64_t group,
                                 V (*tile)[STRIP]) {
    const REAL *const of_byte = x->of_byte;
    const char *const strip = (const char *)x->strip;
    EACH_ENTRY(of_bytes, x, group) {
        const REAL *from = (const REAL *)(strip + FN(place_of)(of_bytes, at));
        V slope[STRIP];
        UNROLL for (int j = 0; j < vectors; j++) slope[j] = FN(vload)(from + j * LANES);
        UNROLL for (int k = 0; k < QUAD; k++)
            UNROLL for (int j = 0; j < vectors; j++)
                tile[k][j] = FN(vfma)(FN(input_of)(of_bytes, at, of_byte, k), slope[j], tile[k][j]);
    }
}

/* g's rows of one group, in the strip's columns, += x^T delta; or = x^T delta. */
INLINE void FN(gradient_tile)(const int vectors, const SAMPLE_LISTS *x, int64_t group, int from_zero,
                              REAL *const rows[QUAD]) {
    V tile[QUAD][STRIP];
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = from_zero ? (V){0} : FN(vload)(rows[k] + j * LANES);
    if (x->bytes)
        FN(gradient_entries)(vectors, 1, x, group, tile);
    else
        FN(gradient_entries)(vectors, 0, x, group, tile);
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(rows[k] + j * LANES, tile[k][j]);
}

/* g += x^T delta in some vectors of columns, over the inputs low..high. Where g is W itself, z of the next batch may go
   along, if there is one: W then comes once a batch from a cache that cannot hold it. */
INLINE void FN(gradient_strip)(const int vectors, const SAMPLE_LISTS *x, int64_t low, int64_t high, int64_t samples,
                               const REAL *delta, int64_t stride, int64_t column, MATRIX g,
                               const LISTED_BATCH *next) {
    const SAMPLE_LISTS here = *x, coming = next ? *next->x : here; /* copies as above */
    g = FN(strip_of)(g, column, vectors);
    FN(fill_strip)(vectors, x, samples, delta, stride, column);
    if (next) FN(begin_strip)(vectors, next, column);
    for (int64_t group = FN(first_group)(low); group * QUAD < high; group++) {
        if (here.start[group] < here.end[group]) {
            REAL *rows[QUAD];
            FN(prefetch_group)(vectors, &here, group + 1, high, g);
            FN(group_rows)(&here, group, g, here.sink, rows);
            FN(gradient_tile)(vectors, &here, group, 0, rows);
        }
        if (next && coming.start[group] < coming.end[group]) FN(forward_tile)(vectors, &coming, group, g);
    }
    if (next) FN(end_strip)(vectors, next, column);
}

/* CALL(n), with `column`, for the strips of n vectors of the columns left..right. */
#define EACH_STRIP(left, right, CALL)                                                                         \
    for (int64_t column = left; column < right;) {                                                            \
        const int64_t vectors = FN(strip_vectors)((right - column) / LANES);                                  \
        switch (vectors) {                                                                                    \
        case 1: CALL(1); break;                                                                               \
        case 2: CALL(2); break;                                                                               \
        case 3: CALL(STRIP > 2 ? 3 : 2); break;                                                               \
        case 4: CALL(STRIP); break;                                                                           \
        }                                                                                                     \
        column += vectors * LANES;                                                                            \
    }

/* Columns left..right, whole vectors, of z over the inputs low..high. */
static void FN(lists_forward)(const LISTED_BATCH *batch, int64_t low, int64_t high, MATRIX w, int64_t left,
                              int64_t right) {
#define CALL(n) FN(forward_strip)(n, batch, low, high, w, column)
    EACH_STRIP(left, right, CALL)
#undef CALL
}

/* Columns left..right, whole vectors, of g += x^T delta over the inputs low..high; see gradient_strip. */
static void FN(lists_gradient)(const SAMPLE_LISTS *x, int64_t low, int64_t high, int64_t samples, const REAL *delta,
                               int64_t stride, int64_t left, int64_t right, MATRIX g, const LISTED_BATCH *next) {
#define CALL(n) FN(gradient_strip)(n, x, low, high, samples, delta, stride, column, g, next)
    EACH_STRIP(left, right, CALL)
#undef CALL
}
