/* Vectors of 32-bit integers, for bytes and their sums, and exact sums over single rows and pairs of rows of bytes. */
#ifndef FNN_SIMD_BYTES_H
#define FNN_SIMD_BYTES_H

#include "target.h"

#define INT_LANES (VECTOR_BYTES / 4)
#define BYTE_BLOCK 4 /* bytes side by side that are multiplied, or skipped where they are zero, together */
#define EXACT_BYTES 16384 /* of which a sum of products is less than 2^31 */

typedef int32_t ints __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef int32_t int4 __attribute__((vector_size(16), aligned(4), may_alias));

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
INLINE uint32_t block_at(const uint8_t *x, int64_t i, int64_t width) {
    uint32_t block = 0;
    if (width - i >= BYTE_BLOCK)
        memcpy(&block, x + i, BYTE_BLOCK);
    else
        memcpy(&block, x + i, width - i);
    return block;
}

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
/* to[k] (INT_LANES) = the k-th 32-bit word of each of INT_LANES rows, for four of them from byte `at` on */
INLINE void transpose_words(const uint8_t *const *rows, int64_t at, ints to[4]) {
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

/* sum |q - x| */
static int64_t byte_differences(const uint8_t *q, const uint8_t *x, int64_t width) {
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
static int64_t byte_dot(const uint8_t *q, const uint8_t *x, int64_t width) {
    int64_t total = 0;
    for (int64_t i = 0; i < width;) {
        const int64_t stop = width - i < EXACT_BYTES ? width : i + EXACT_BYTES;
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

#endif
