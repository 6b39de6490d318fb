/* What uint8 rows and codes need: integer dot products in register tiles, and exact sums over single pairs of rows.
   Included once per instruction set; the tiles are in bytes_tile.h. */

#define MOST_BYTES 16384 /* columns for which the tiles' int32 cannot overflow */
#define INT_LANES (VECTOR_BYTES / 4)
#define INT_ROWS (2 * INT_LANES) /* rows of a tile, side by side in two vectors */
#define QUERY_TEAM 4             /* queries of a tile that skips what is zero in all of them */

typedef int32_t ints __attribute__((vector_size(VECTOR_BYTES), may_alias));

typedef struct {
    int32_t query, row; /* of a block and of a visit */
} fnn_pair;

/* one bit per lane: a >= b */
INLINE uint32_t reaches(ints a, ints b) {
#if VECTOR_BYTES == 64
    return _mm512_cmpge_epi32_mask((__m512i)a, (__m512i)b);
#elif VECTOR_BYTES == 32
    return (uint32_t)_mm256_movemask_ps((__m256)(a >= b));
#elif defined(FASTNN_X86)
    return (uint32_t)_mm_movemask_ps((__m128)(a >= b));
#else
    uint32_t bits = 0;
    for (int i = 0; i < INT_LANES; i++) bits |= (uint32_t)(a[i] >= b[i]) << i;
    return bits;
#endif
}

/* one bit per lane that is not 0 */
INLINE uint32_t nonzero(ints a) {
#if VECTOR_BYTES == 64
    return _mm512_test_epi32_mask((__m512i)a, (__m512i)a);
#else
    return reaches((ints)(a == 0), (ints){0});
#endif
}

/* Four bytes from x[i] on, zeros in place of those from `width` on; the first lowest, as on all supported machines. */
INLINE uint32_t four_of(const uint8_t *x, int64_t i, int64_t width) {
    uint32_t four = 0;
    if (width - i >= 4)
        memcpy(&four, x + i, 4);
    else
        memcpy(&four, x + i, width - i);
    return four;
}

typedef int32_t int4 __attribute__((vector_size(16), aligned(4), may_alias));

#if VECTOR_BYTES == 64
#define I_(op) (ints) _mm512_##op##_epi32
#define L_(op) (ints) _mm512_##op##_epi64
#define AS_(v) (__m512i)(v)
#elif VECTOR_BYTES == 32
#define I_(op) (ints) _mm256_##op##_epi32
#define L_(op) (ints) _mm256_##op##_epi64
#define AS_(v) (__m256i)(v)
#endif

#if VECTOR_BYTES > 16
/* to[k] (INT_LANES) = the k-th int32 of each of INT_LANES rows, for four of them from byte `at` on. */
INLINE void transpose_fours(const uint8_t *const *rows, int64_t at, ints to[4]) {
    ints v[4]; /* v[k]: 16 bytes of the rows k, 4 + k, 8 + k, .. */
    UNROLL for (int k = 0; k < 4; k++) {
#if VECTOR_BYTES == 64
        __m512i some = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(rows[k] + at)));
        some = _mm512_inserti32x4(some, _mm_loadu_si128((const __m128i *)(rows[4 + k] + at)), 1);
        some = _mm512_inserti32x4(some, _mm_loadu_si128((const __m128i *)(rows[8 + k] + at)), 2);
        v[k] = (ints)_mm512_inserti32x4(some, _mm_loadu_si128((const __m128i *)(rows[12 + k] + at)), 3);
#else
        v[k] = (ints)_mm256_loadu2_m128i((const __m128i *)(rows[4 + k] + at), (const __m128i *)(rows[k] + at));
#endif
    }
    const ints ab = I_(unpacklo)(AS_(v[0]), AS_(v[1])), cd = I_(unpacklo)(AS_(v[2]), AS_(v[3]));
    const ints ab2 = I_(unpackhi)(AS_(v[0]), AS_(v[1])), cd2 = I_(unpackhi)(AS_(v[2]), AS_(v[3]));
    to[0] = L_(unpacklo)(AS_(ab), AS_(cd));
    to[1] = L_(unpackhi)(AS_(ab), AS_(cd));
    to[2] = L_(unpacklo)(AS_(ab2), AS_(cd2));
    to[3] = L_(unpackhi)(AS_(ab2), AS_(cd2));
}
#undef I_
#undef L_
#undef AS_
#endif

#if VECTOR_BYTES > 16
/* The lanes whose bit is set side by side, and something in the lanes after them. */
INLINE ints compress(ints x, uint32_t lanes) {
#if VECTOR_BYTES == 64
    return (ints)_mm512_maskz_compress_epi32((__mmask16)lanes, (__m512i)x);
#else
    const __m256i from = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)&fnn_set_bits[lanes]));
    return (ints)_mm256_permutevar8x32_epi32((__m256i)x, from);
#endif
}
#endif

/* How tiles of bytes are made. Multiplied by fours, the rows' bytes have 128 taken off, so that they are signed.

   queries        of a tile
   groups(width)  32-bit elements of a row or query: several bytes go into one
   pack           to (groups, INT_ROWS) = the fours of bytes with kept[four] of `height` rows of x (.., width), anything
                  for rows that lack; start (INT_ROWS) = -floor(sum x^2 / 2). Returns a bit for each odd sum
   pack_query     the query `at` of a tile of `step`, zeros until now, becomes `count` fours of q; returns its norm: sum
                  q^2, less 256 sum q if the rows' bytes are signed
   compare        masks (tiles, queries): a bit for each row whose score, start + x . q, reaches the query's limit; found
                  (.., INT_ROWS) = the scores of queries with any, and once more at its end. Returns that end
   team           the same for QUERY_TEAM queries, of the elements that index (groups) names by where their rows start;
                  NULL: no faster than tiles
   squares        to (count) = sum (q - x)^2 of some pairs of q (.., width) and x (.., width)

   |q - x|^2 is norm - 2 score, and 1 more for odd rows. */
typedef struct {
    int64_t queries;
    int64_t (*groups)(int64_t width);
    uint32_t (*pack)(const uint8_t *x, int64_t width, int64_t height, const uint8_t *kept, int32_t *to, int32_t *start);
    int64_t (*pack_query)(const uint8_t *q, int64_t width, const int32_t *fours, int64_t count, int32_t *to,
                          int64_t step, int64_t at);
    int32_t *(*compare)(const int32_t *x, const int32_t *start, const int32_t *q, int64_t groups, const int32_t *limit,
                        uint32_t *masks, int64_t tiles, int32_t *found);
    int32_t *(*team)(const int32_t *x, const int32_t *start, const int32_t *q, const int32_t *index, int64_t groups,
                     const int32_t *limit, uint32_t *masks, int32_t *found);
    void (*squares)(const uint8_t *q, const uint8_t *x, int64_t width, const fnn_pair *pairs, int64_t count, int64_t *to);
} bytes_kernels;

/* *mask = a bit for each row whose score reaches the limit; see compare. */
INLINE int32_t *find(ints left, ints right, int32_t limit, uint32_t *mask, int32_t *found) {
    const ints least = (ints){0} + limit;
    *mask = reaches(left, least) | reaches(right, least) << INT_LANES;
    ((ints *)found)[0] = left;
    ((ints *)found)[1] = right;
    return found + (*mask != 0) * INT_ROWS;
}

#define SQUARED 16384 /* bytes whose squares add up to less than 2^31 */

INLINE int32_t sum_of_lanes(ints lanes) {
#if VECTOR_BYTES == 64
    return _mm512_reduce_add_epi32((__m512i)lanes);
#elif VECTOR_BYTES == 32
    __m128i sum = _mm_add_epi32(_mm256_castsi256_si128((__m256i)lanes), _mm256_extracti128_si256((__m256i)lanes, 1));
    sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1)));
#else
    int32_t total = 0;
    for (int k = 0; k < INT_LANES; k++) total += lanes[k];
    return total;
#endif
}

#if VECTOR_BYTES == 64
/* to[i] = the sum of lanes[i], of four together in half the instructions */
INLINE void sums_of_four(const ints lanes[4], int64_t *to) {
    const __m512i *s = (const __m512i *)lanes;
    const __m512i a = _mm512_add_epi32(_mm512_unpacklo_epi32(s[0], s[1]), _mm512_unpackhi_epi32(s[0], s[1]));
    const __m512i b = _mm512_add_epi32(_mm512_unpacklo_epi32(s[2], s[3]), _mm512_unpackhi_epi32(s[2], s[3]));
    const __m512i c = _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    const __m256i d = _mm256_add_epi32(_mm512_castsi512_si256(c), _mm512_extracti64x4_epi64(c, 1));
    const __m128i e = _mm_add_epi32(_mm256_castsi256_si128(d), _mm256_extracti128_si256(d, 1));
    _mm256_storeu_si256((__m256i *)to, _mm256_cvtepi32_epi64(e));
}
#endif

#define BYTES(name) pairs_##name
#define IN_GROUP 2
#include "bytes_tile.h"
#undef BYTES
#undef IN_GROUP

#if VECTOR_BYTES == 64
TARGET("avx512vnni")
#define BYTES(name) vnni_##name
#define IN_GROUP 4
#include "bytes_tile.h"
#undef BYTES
#undef IN_GROUP
END_TARGET
#endif

#if VECTOR_BYTES == 64 && defined(FASTNN_AMX)
TARGET("amx-tile,amx-int8")
#include "bytes_amx.h"
END_TARGET
#endif

static const bytes_kernels *best_bytes(void) {
#if VECTOR_BYTES == 64 && defined(FASTNN_AMX)
    if (fnn_amx_wanted) return &amx_kernels;
#endif
#if VECTOR_BYTES == 64
    if (__builtin_cpu_supports("avx512vnni")) return &vnni_kernels;
#endif
    return &pairs_kernels;
}

/* sum |q - x| */
static int64_t apart_of_bytes(const uint8_t *q, const uint8_t *x, int64_t width) {
    int64_t i = 0, total = 0;
#if VECTOR_BYTES == 64
    __m512i sum = _mm512_setzero_si512();
    for (; i < width; i += 64) {
        const __mmask64 here = ~(uint64_t)0 >> (width - i < 64 ? 64 - (width - i) : 0);
        sum = _mm512_add_epi64(sum, _mm512_sad_epu8(_mm512_maskz_loadu_epi8(here, q + i),
                                                    _mm512_maskz_loadu_epi8(here, x + i)));
    }
    total = _mm512_reduce_add_epi64(sum);
#elif VECTOR_BYTES == 32
    __m256i sum = _mm256_setzero_si256();
    for (; i + 32 <= width; i += 32)
        sum = _mm256_add_epi64(sum, _mm256_sad_epu8(_mm256_loadu_si256((const __m256i *)(q + i)),
                                                    _mm256_loadu_si256((const __m256i *)(x + i))));
    int64_t lanes[4];
    memcpy(lanes, &sum, sizeof sum);
    total = lanes[0] + lanes[1] + lanes[2] + lanes[3];
#endif
    for (; i < width; i++) total += q[i] < x[i] ? x[i] - q[i] : q[i] - x[i];
    return total;
}

/* sum q x */
static int64_t dot_of_bytes(const uint8_t *q, const uint8_t *x, int64_t width) {
    int64_t total = 0;
    for (int64_t i = 0; i < width;) {
        const int64_t stop = width - i < SQUARED ? width : i + SQUARED;
        int32_t some = 0;
        for (; i < stop; i++) some += (int32_t)q[i] * x[i];
        total += some;
    }
    return total;
}

static uint8_t largest_byte(const uint8_t *x, int64_t width) {
    uint8_t largest = 0;
    for (int64_t i = 0; i < width; i++) largest = x[i] > largest ? x[i] : largest;
    return largest;
}

/* What spec.Kernels.neighbors calls the value of a pair, but for COSINE. */
static double value_of_bytes(const bytes_kernels *bytes, int64_t metric, const uint8_t *q, const uint8_t *x,
                             int64_t width) {
    int64_t square;
    if (metric == MANHATTAN) return (double)apart_of_bytes(q, x, width);
    bytes->squares(q, x, width, &(fnn_pair){0, 0}, 1, &square);
    return (double)square;
}
