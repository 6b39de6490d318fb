/* Values of single pairs of rows of reals, which decide, and unit vectors.

   `single`: rows are of float32, else of float64. Sums are in float64, over eight lanes and two chains of them whatever
   the instruction set, and without fused multiply-adds: the same bits anywhere. */
#ifndef FNN_SEARCH_VALUES_H
#define FNN_SEARCH_VALUES_H

#include "../simd/target.h"

#define DOUBLES (VECTOR_BYTES / 8)
#define PIECES (8 / DOUBLES) /* vectors that have the eight lanes */

typedef double doubles __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t double_bits __attribute__((vector_size(VECTOR_BYTES)));
typedef double doubles_anywhere __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

INLINE double real_at(const void *x, const int single, int64_t i) {
    return single ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* to (8) = x[i..i + 8); unless that is `whole`, with zeros from `width` on */
INLINE void load8(const void *x, const int single, int64_t i, const int whole, int64_t width, doubles *to) {
#if VECTOR_BYTES == 64
    const __mmask8 here = (__mmask8)(whole ? 255 : 255 >> (8 - (width - i < 8 ? width - i : 8)));
    to[0] = single ? (doubles)_mm512_cvtps_pd(_mm256_maskz_loadu_ps(here, (const float *)x + i))
                   : (doubles)_mm512_maskz_loadu_pd(here, (const double *)x + i);
#elif VECTOR_BYTES == 32
    UNROLL for (int j = 0; j < PIECES; j++, i += DOUBLES) {
        const float *of_single = (const float *)x + i;
        const double *of_double = (const double *)x + i;
        const __m128i here = _mm_cmpgt_epi32(_mm_set1_epi32((int32_t)(width - i)), _mm_set_epi32(3, 2, 1, 0));
        if (single)
            to[j] = (doubles)_mm256_cvtps_pd(whole ? _mm_loadu_ps(of_single) : _mm_maskload_ps(of_single, here));
        else
            to[j] = (doubles)(whole ? _mm256_loadu_pd(of_double)
                                    : _mm256_maskload_pd(of_double, _mm256_cvtepi32_epi64(here)));
    }
#else
    UNROLL for (int j = 0; j < PIECES; j++, i += DOUBLES)
        to[j] = (doubles){whole || i < width ? real_at(x, single, i) : 0,
                          whole || i + 1 < width ? real_at(x, single, i + 1) : 0};
#endif
}

/* sum (8) += the terms of eight columns */
INLINE void add_terms(const int metric, const void *q, const void *x, const int single, int64_t i, const int whole,
                      int64_t width, doubles *sum) {
    doubles a[PIECES], b[PIECES] = {{0}};
    load8(q, single, i, whole, width, a);
    if (metric != COSINE) load8(x, single, i, whole, width, b);
    UNROLL for (int j = 0; j < PIECES; j++) {
        const doubles apart = a[j] - b[j];
        sum[j] += metric == MANHATTAN ? (doubles)((double_bits)apart & ((double_bits){0} + INT64_MAX)) : apart * apart;
    }
}

/* sum (q - x)^2; for MANHATTAN sum |q - x|; for COSINE, to make unit vectors, sum q^2 */
INLINE double sum_of_terms(const int metric, const void *q, const void *x, const int single, int64_t width) {
    doubles even[PIECES] = {{0}}, odd[PIECES] = {{0}};
    double s[8];
    int64_t i = 0;
    for (; i + 16 <= width; i += 16) {
        add_terms(metric, q, x, single, i, 1, width, even);
        add_terms(metric, q, x, single, i + 8, 1, width, odd);
    }
    if (i < width) add_terms(metric, q, x, single, i, 0, width, even);
    if (i + 8 < width) add_terms(metric, q, x, single, i + 8, 0, width, odd);
    UNROLL for (int j = 0; j < PIECES; j++) *(doubles_anywhere *)(s + j * DOUBLES) = even[j] + odd[j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* max |x|: the bits of numbers ascend as these do */
INLINE double largest_of(const void *x, const int single, int64_t width) {
    typedef int32_t bits32 __attribute__((may_alias));
    typedef int64_t bits64 __attribute__((may_alias));
    int32_t most32 = 0;
    int64_t most = 0;
    float largest32;
    double largest;
    for (int64_t i = 0; i < width && single; i++) {
        const int32_t bits = ((const bits32 *)x)[i] & INT32_MAX;
        most32 = bits > most32 ? bits : most32;
    }
    for (int64_t i = 0; i < width && !single; i++) {
        const int64_t bits = ((const bits64 *)x)[i] & INT64_MAX;
        most = bits > most ? bits : most;
    }
    memcpy(&largest32, &most32, sizeof most32);
    memcpy(&largest, &most, sizeof most);
    return single ? (double)largest32 : largest;
}

/* unit (width) = x / |x|, or anything if x is zero; returns the largest element.

   x is divided by that first. The quotients of rows that are exactly proportional are of the same real numbers, and
   IEEE 754 rounds these alike: so these rows have the same unit, to the last bit. And no square overflows, or underflows
   while it counts. */
INLINE double to_unit(const void *x, const int single, int64_t width, double *unit) {
    const double largest = largest_of(x, single, width);
    if (largest == 0) return 0;
    for (int64_t i = 0; i < width; i++) unit[i] = real_at(x, single, i) / largest;
    const double factor = 1 / sqrt(sum_of_terms(COSINE, unit, NULL, 0, width));
    for (int64_t i = 0; i < width; i++) unit[i] *= factor;
    return largest;
}

#endif
