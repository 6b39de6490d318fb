/* Integer dot products in register tiles, and exact sums over single pairs of rows; the tiles are in byte_tiles.h. */
#ifndef FNN_SEARCH_BYTE_KERNELS_H
#define FNN_SEARCH_BYTE_KERNELS_H

#include "../simd/bytes.h"

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

#define BYTES(name) pairs_##name /* what byte_tiles.h defines, in names of its own for each way */
#define IN_GROUP 2
#include "byte_tiles.h"
#undef BYTES
#undef IN_GROUP

#if VECTOR_BYTES == 64
TARGET("avx512vnni")
#define BYTES(name) vnni_##name
#define IN_GROUP 4
#include "byte_tiles.h"
#undef BYTES
#undef IN_GROUP
END_TARGET
#endif

#if VECTOR_BYTES == 64 && defined(FASTNN_AMX)
TARGET("amx-tile,amx-int8")
#include "amx.h"
END_TARGET
#endif

static const bytes_kernels *kernels_of(fnn_int8_dot dot) {
#if VECTOR_BYTES == 64 && defined(FASTNN_AMX)
    if (dot == DOT_AMX) return &amx_kernels;
#endif
#if VECTOR_BYTES == 64
    if (dot == DOT_VNNI) return &vnni_kernels;
#endif
    (void)dot;
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

#endif
