/* The first layer over its active inputs only, for many samples. Template, after groups.h.

   Inputs go in groups of QUAD neighbours, whose rows of W share a register tile; a group has a list of the samples in
   which any of its inputs is other than zero. Neighbours in a picture agree: MNIST has 19% of its inputs active and 28%
   of these groups. A list costs a mispredicted branch at its end, so this pays from some samples a list on. */

#define QUAD 4
#define STRIP_WIDTH (STRIP * LANES)

typedef REAL FN(VQ) __attribute__((vector_size(QUAD * sizeof(REAL)), aligned(16), may_alias));
typedef REAL FN(VQU) __attribute__((vector_size(QUAD * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef int32_t FN(VQ32) __attribute__((vector_size(QUAD * sizeof(int32_t))));

INLINE FN(VQ32) FN(widen)(uint32_t bytes) {
#if VECTOR_BYTES > 16
    return (FN(VQ32))_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)bytes));
#else
    return (FN(VQ32)){bytes & 255, bytes >> 8 & 255, bytes >> 16 & 255, bytes >> 24};
#endif
}

typedef struct {
    REAL *value;     /* (groups, room, QUAD) the inputs of the samples in each list */
    int32_t *place;  /* (groups, room) where these samples, ascending, begin in the strip */
    int32_t *count;  /* (groups) how many */
    int64_t room;    /* for the samples of a block; lists are an odd number of cache lines apart, as a row that is
                        packed goes to the same place in many of them */
    int64_t inputs;
    REAL *strip;  /* (room, STRIP_WIDTH) some columns of z or delta: whole rows lie so far apart that few of them fit
                     the sets of the first-level cache that their addresses share */
    REAL *zeros, *sink; /* (stride) rows read and written in place of those that the last group lacks */
} FN(lists);
#define SAMPLE_LISTS FN(lists)

/* One bit for each of at most 64 bytes, or reals, that is other than zero. */
static uint64_t FN(active_bytes)(const uint8_t *x, int64_t count) {
#if VECTOR_BYTES == 64
    const __m512i bytes = _mm512_maskz_loadu_epi8(~(uint64_t)0 >> (64 - count), x);
    return _mm512_test_epi8_mask(bytes, bytes);
#else
    uint64_t bits = 0;
    int64_t i = 0;
#if VECTOR_BYTES == 32
    for (; i + 32 <= count; i += 32) {
        const __m256i zero = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(x + i)), _mm256_setzero_si256());
        bits |= (uint64_t)~(uint32_t)_mm256_movemask_epi8(zero) << i;
    }
#endif
    for (; i < count; i++) bits |= (uint64_t)(x[i] != 0) << i;
    return bits;
#endif
}

static uint64_t FN(active_reals)(const REAL *x, int64_t count) {
    uint64_t bits = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) bits |= (uint64_t)FN(vnonzero)(*(const FN(VU) *)(x + i)) << i;
    for (; i < count; i++) bits |= (uint64_t)(x[i] != 0) << i;
    return bits;
}

/* The groups among the next 64 inputs of a row, or those before `high`, with any input other than zero: a bit at each
   one's first input. */
static uint64_t FN(active_quads)(const void *row, int is_uint8, int64_t from, int64_t high) {
    const int64_t count = high - from < 64 ? high - from : 64;
    uint64_t any = is_uint8 ? FN(active_bytes)((const uint8_t *)row + from, count)
                            : FN(active_reals)((const REAL *)row + from, count);
    any |= any >> 1;
    any |= any >> 2;
    return any & 0x1111111111111111;
}

/* value = the `count` inputs of a group that a row has, zeros in place of those it lacks */
INLINE void FN(pack_quad)(REAL *value, const void *row, const int is_uint8, REAL scale, int64_t at, int64_t count) {
    if (is_uint8) {
        uint32_t bytes = 0;
        memcpy(&bytes, (const uint8_t *)row + at, count);
        *(FN(VQ) *)value = __builtin_convertvector(FN(widen)(bytes), FN(VQ)) * scale;
    } else if (count == QUAD) { /* GCC would make a memcpy of it two halves, which a load of the whole has to wait for */
        *(FN(VQ) *)value = *(const FN(VQU) *)((const REAL *)row + at);
    } else {
        FN(VQ) reals = {0};
        memcpy(&reals, (const REAL *)row + at, count * sizeof(REAL));
        *(FN(VQ) *)value = reals;
    }
}

/* Puts the groups among the next 64 inputs of a sample into the lists. */
INLINE void FN(pack_row)(const SAMPLE_LISTS *to, int32_t place, const void *row, const int is_uint8, REAL scale,
                         int64_t from, int64_t high) {
    uint64_t groups = FN(active_quads)(row, is_uint8, from, high);
    for (; groups; groups &= groups - 1) {
        const int64_t at = from + __builtin_ctzll(groups), group = at / QUAD;
        const int64_t n = group * to->room + to->count[group]++;
        to->place[n] = place;
        if (high - at >= QUAD)
            FN(pack_quad)(to->value + n * QUAD, row, is_uint8, scale, at, QUAD);
        else
            FN(pack_quad)(to->value + n * QUAD, row, is_uint8, scale, at, high - at);
    }
}

#if VECTOR_BYTES > 16
/* The same of up to INT_LANES samples of bytes, from sample `first` on, and of the inputs from..high, a multiple of 16 of
   them: one group's bytes are an int of each sample, and those of the samples that have it active are moved side by
   side. */
INLINE void FN(pack_some)(const SAMPLE_LISTS *to, int64_t first, int64_t samples, const void *const *rows, REAL scale,
                          int64_t from, int64_t high) {
    REAL *const values = to->value;
    int32_t *const places = to->place, *const counts = to->count;
    const int64_t room = to->room;
    const uint8_t *row[INT_LANES];
    ints place, fours[16 / QUAD];
    for (int i = 0; i < INT_LANES; i++) {
        row[i] = rows[i < samples ? i : 0];
        place[i] = ((int32_t)first + i) * STRIP_WIDTH;
    }
    for (; from < high; from += 16) {
        transpose_fours(row, from, fours);
        for (int64_t i = 0; i < 16 / QUAD; i++) {
            const uint32_t active = nonzero(fours[i]) & (uint32_t)((1 << samples) - 1);
            if (active == 0) continue;
            const int64_t group = from / QUAD + i, n = group * room + counts[group];
            const int count = __builtin_popcount(active);
            const ints places_here = compress(place, active), bytes = compress(fours[i], active);
            memcpy(places + n, &places_here, sizeof bytes); /* whole vectors, here and below: there is room */
            int s = 0;
            do {
                UNROLL for (int end = 0; end < 8; end += LANES / QUAD, s += LANES / QUAD)
                    *(FN(VU) *)(values + (n + s) * QUAD) = FN(vbytes)((const uint8_t *)&bytes + s * QUAD) * scale;
            } while (s < count);
            counts[group] += count;
        }
    }
}
#endif

/* Puts the inputs low..high, whole groups, of some samples from `first` on into the lists: a few inputs at a time, so
   that the ends of their lists are in the first-level cache. */
INLINE void FN(pack_rows)(const SAMPLE_LISTS *to, int64_t first, int64_t samples, const void *const *rows,
                          const int is_uint8, REAL scale, int64_t low, int64_t high) {
    for (int64_t i = low; i < high; i += 64) {
        int64_t end = i; /* of what is done */
#if VECTOR_BYTES > 16
        if (is_uint8) {
            end = high - i < 64 ? high - (high - i) % 16 : i + 64;
            for (int64_t s = 0; s < samples; s += INT_LANES)
                FN(pack_some)(to, first + s, samples - s < INT_LANES ? samples - s : INT_LANES, rows + s, scale, i, end);
        }
#endif
        for (int64_t s = 0; s < samples && end < high && end < i + 64; s++)
            FN(pack_row)(to, (int32_t)(first + s) * STRIP_WIDTH, rows[s], is_uint8, scale, end, high);
    }
}

static void FN(pack_lists)(const SAMPLE_LISTS *to, int64_t first, int64_t samples, const void *const *rows, int is_uint8,
                           REAL scale, int64_t low, int64_t high) {
    if (is_uint8)
        FN(pack_rows)(to, first, samples, rows, 1, scale, low, high);
    else
        FN(pack_rows)(to, first, samples, rows, 0, scale, low, high);
}

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
    const char *place = (const char *)(x->place + group * x->room);
    const char *value = (const char *)(x->value + group * x->room * QUAD);
    UNROLL for (int line = 0; line < 2; line++) {
        __builtin_prefetch(place + line * 64);
        __builtin_prefetch(value + line * 64);
    }
}

/* The same, and for its rows of a strip; not from `high` on, where another thread may be writing. */
INLINE void FN(prefetch_group)(const int vectors, const SAMPLE_LISTS *x, int64_t group, int64_t high, MATRIX w) {
    if (x->room < PREFETCH_ROOM || (group + 1) * QUAD > high) return;
    FN(prefetch_list)(x, group);
    FN(prefetch_rows)(w.at + group * QUAD * w.stride, w.stride, QUAD, vectors * LANES);
}

/* The strip = some vectors of columns of rows `stride` apart, one of each sample; or of zeros, if there are none. */
INLINE void FN(fill_strip)(const int vectors, const SAMPLE_LISTS *x, int64_t samples, const REAL *rows, int64_t stride,
                           int64_t column) {
    for (int64_t s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++)
            FN(vstore)(x->strip + s * STRIP_WIDTH + j * LANES,
                       rows ? FN(vload)(rows + s * stride + column + j * LANES) : (V){0});
}

/* The strip += x W over one group's inputs. W's tile stays in registers, the strip passes by. */
INLINE void FN(forward_tile)(const int vectors, const SAMPLE_LISTS *x, int64_t group, MATRIX w) {
    const int32_t *place = x->place + group * x->room, *end = place + x->count[group];
    const REAL *value = x->value + group * x->room * QUAD;
    REAL *const strip = x->strip, *rows[QUAD];
    V tile[QUAD][STRIP];
    FN(group_rows)(x, group, w, x->zeros, rows);
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = FN(vload)(rows[k] + j * LANES);
    for (; place < end; place++, value += QUAD) {
        REAL *to = strip + *place;
        V sum[STRIP];
        UNROLL for (int j = 0; j < vectors; j++) sum[j] = FN(vload)(to + j * LANES);
        UNROLL for (int k = 0; k < QUAD; k++)
            UNROLL for (int j = 0; j < vectors; j++) sum[j] = FN(vfma)(FN(vset)(value[k]), tile[k][j], sum[j]);
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(to + j * LANES, sum[j]);
    }
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
    for (int64_t group = low / QUAD; group * QUAD < high; group++) {
        if (x.count[group] == 0) continue;
        FN(prefetch_group)(vectors, &x, group + 1, high, w);
        FN(forward_tile)(vectors, &x, group, w);
    }
    FN(end_strip)(vectors, batch, column);
}

/* g's rows of one group, in the strip's columns, += x^T delta; or = x^T delta. */
INLINE void FN(gradient_tile)(const int vectors, const SAMPLE_LISTS *x, int64_t group, int from_zero,
                              REAL *const rows[QUAD]) {
    const int32_t *place = x->place + group * x->room, *end = place + x->count[group];
    const REAL *value = x->value + group * x->room * QUAD;
    V tile[QUAD][STRIP];
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = from_zero ? (V){0} : FN(vload)(rows[k] + j * LANES);
    for (; place < end; place++, value += QUAD) {
        const REAL *from = x->strip + *place;
        V slope[STRIP];
        UNROLL for (int j = 0; j < vectors; j++) slope[j] = FN(vload)(from + j * LANES);
        UNROLL for (int k = 0; k < QUAD; k++)
            UNROLL for (int j = 0; j < vectors; j++) tile[k][j] = FN(vfma)(FN(vset)(value[k]), slope[j], tile[k][j]);
    }
    UNROLL for (int k = 0; k < QUAD; k++)
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(rows[k] + j * LANES, tile[k][j]);
}

/* g += x^T delta in some vectors of columns, over the inputs low..high. Where g is W itself, z of the next batch may go
   along, if there is one: W then comes once a batch from a cache that cannot hold it. */
INLINE void FN(gradient_strip)(const int vectors, const SAMPLE_LISTS *x, int64_t low, int64_t high, int64_t samples,
                               const REAL *delta, int64_t stride, int64_t column, MATRIX g,
                               const LISTED_BATCH *next) {
    const SAMPLE_LISTS coming = next ? *next->x : *x; /* a copy as above */
    g = FN(strip_of)(g, column, vectors);
    FN(fill_strip)(vectors, x, samples, delta, stride, column);
    if (next) FN(begin_strip)(vectors, next, column);
    for (int64_t group = low / QUAD; group * QUAD < high; group++) {
        if (x->count[group]) {
            REAL *rows[QUAD];
            FN(prefetch_group)(vectors, x, group + 1, high, g);
            FN(group_rows)(x, group, g, x->sink, rows);
            FN(gradient_tile)(vectors, x, group, 0, rows);
        }
        if (next && coming.count[group]) FN(forward_tile)(vectors, &coming, group, g);
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
