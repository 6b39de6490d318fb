/* What uint8 rows and codes need: integer dot products in register tiles, and exact sums over single pairs of rows.
   Included once per instruction set; the tiles are in bytes_tile.h. */
#ifndef FNN_SIMD_BYTES_H
#define FNN_SIMD_BYTES_H

#include "target.h"

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

#endif
