/* Vectors of VECTOR_BYTES: GCC's vector types for + - * /, and the few operations that need an intrinsic.
   Lanes never meet, so results do not depend on the width. */
#ifndef FNN_SIMD_VEC_H
#define FNN_SIMD_VEC_H

#include "target.h"
#include "bytes.h"

typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef real vec_unaligned __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(sizeof(real))));
typedef integer ivec __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define LANES ((int)(VECTOR_BYTES / sizeof(real)))

#if VECTOR_BYTES == 64 && REAL_IS_FLOAT
#define M_(op) _mm512_##op##_ps
#elif VECTOR_BYTES == 64
#define M_(op) _mm512_##op##_pd
#elif VECTOR_BYTES == 32 && REAL_IS_FLOAT
#define M_(op) _mm256_##op##_ps
#elif VECTOR_BYTES == 32
#define M_(op) _mm256_##op##_pd
#elif defined(__aarch64__) && REAL_IS_FLOAT
#define M_(op) v##op##q_f32
#elif defined(__aarch64__)
#define M_(op) v##op##q_f64
#endif

INLINE vec vset(real x) { return x - (vec){0}; }
INLINE vec vload(const real *p) { return *(const vec *)p; }
INLINE void vstore(real *p, vec x) { *(vec *)p = x; }

/* a * b + c, rounded once if FUSED */
INLINE vec vfma(vec a, vec b, vec c) {
#if VECTOR_BYTES > 16
    return (vec)M_(fmadd)(a, b, c);
#elif FUSED
    return (vec)M_(fma)(c, a, b); /* by its name: GCC does not always find it in a loop over the lanes */
#else
    return a * b + c;
#endif
}

/* a < b ? x : y; a NaN takes y */
INLINE vec vless(vec a, vec b, vec x, vec y) {
#if VECTOR_BYTES == 64
    return (vec)M_(mask_blend)(GLUE(M_(cmp), _mask)(a, b, _CMP_LT_OQ), y, x);
#elif VECTOR_BYTES == 32
    return (vec)M_(blendv)(y, x, M_(cmp)(a, b, _CMP_LT_OQ));
#else
    const ivec mask = a < b;
    return (vec)((mask & (ivec)x) | (~mask & (ivec)y));
#endif
}

/* x, or the limit if x is below it; a NaN stays */
INLINE vec vmax(vec limit, vec x) {
#if VECTOR_BYTES > 16
    return (vec)M_(max)(limit, x);
#else
    return vless(x, limit, limit, x);
#endif
}

/* sqrt(x) + y, both rounded; x >= 0 */
INLINE vec vsqrt_add(vec x, vec y) {
#if VECTOR_BYTES == 64 && REAL_IS_FLOAT
    /* Newton's steps leave the divider to the division that follows. They begin with 14 bits of 1 / sqrt(x), and the
       last one rounds as sqrt does: Markstein 1990, Computation of elementary functions on the IBM RISC System/6000
       processor, and tried on every x. Scaled, so that no residue is subnormal. */
    const vec scaled = x * 0x1p64f, half = vset(0.5f);
    if (__builtin_expect(_mm512_cmp_ps_mask(scaled, vset(0x1p126f), _CMP_LT_OQ) == 0xffff, 1)) {
        const vec inverse = (vec)_mm512_rsqrt14_ps(vmax(vset(0x1p-70f), scaled)); /* finite at 0 */
        const vec root = scaled * inverse, slope = half * inverse, error = vfma(-root, slope, half);
        const vec better = vfma(root, error, root), better_slope = vfma(slope, error, slope);
        const vec best = vfma(vfma(-better, better, scaled), better_slope, better);
        return vfma(best, vset(0x1p-32f), y);
    }
#endif
#ifdef M_
    return (vec)M_(sqrt)(x) + y;
#else
    for (int i = 0; i < LANES; i++) x[i] = REAL_IS_FLOAT ? (real)__builtin_sqrtf(x[i]) : (real)__builtin_sqrt(x[i]);
    return x + y;
#endif
}

/* -|x| */
INLINE vec vnegabs(vec x) { return (vec)((ivec)x | (ivec)vset((real)-0.0)); }

/* first, first + 1, .. */
INLINE ivec lane_numbers(int64_t first) {
    ivec numbers;
    for (int i = 0; i < LANES; i++) numbers[i] = i;
    return numbers + (integer)first;
}

/* p[0..count), zeros in the lanes from `count` on; any alignment */
INLINE vec vload_some(const real *p, int64_t count) {
    if (count >= LANES) return *(const vec_unaligned *)p;
#if VECTOR_BYTES == 64
    return (vec)M_(maskz_loadu)((1 << count) - 1, p);
#elif VECTOR_BYTES == 32
    return (vec)M_(maskload)(p, (__m256i)(lane_numbers(0) < (integer)count));
#else
    vec x = {0};
    for (int64_t i = 0; i < count; i++) x[i] = p[i];
    return x;
#endif
}

/* LANES bytes, converted. (GCC 12 would do it byte by byte.) */
INLINE vec vbytes(const uint8_t *bytes) {
#if VECTOR_BYTES == 64 && REAL_IS_FLOAT
    return (vec)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes)));
#elif VECTOR_BYTES == 64
    return (vec)_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes)));
#elif VECTOR_BYTES == 32 && REAL_IS_FLOAT
    return (vec)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes)));
#elif VECTOR_BYTES == 32
    return (vec)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_loadu_si32(bytes)));
#else
    vec x;
    for (int i = 0; i < LANES; i++) x[i] = (real)bytes[i];
    return x;
#endif
}

/* bytes (LANES) = the lowest of each lane */
INLINE void vlow_bytes(ivec x, uint8_t *bytes) {
#if VECTOR_BYTES == 64 && REAL_IS_FLOAT
    _mm_storeu_si128((__m128i *)bytes, _mm512_cvtepi32_epi8((__m512i)x));
#elif VECTOR_BYTES == 64
    _mm_storel_epi64((__m128i *)bytes, _mm512_cvtepi64_epi8((__m512i)x));
#elif VECTOR_BYTES == 32
    const __m256i halves = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi32(REAL_IS_FLOAT ? 0x0c080400 : 0x0800));
    memcpy(bytes, &halves, LANES / 2);
    memcpy(bytes + LANES / 2, (const char *)&halves + 16, LANES / 2);
#else
    for (int i = 0; i < LANES; i++) bytes[i] = (uint8_t)x[i];
#endif
}

/* one bit per lane: x != 0 (a NaN counts) */
INLINE unsigned vnonzero(vec x) {
#if VECTOR_BYTES == 64
    return GLUE(M_(cmp), _mask)(x, (vec){0}, _CMP_NEQ_UQ);
#elif VECTOR_BYTES == 32
    return (unsigned)M_(movemask)(M_(cmp)(x, (vec){0}, _CMP_NEQ_UQ));
#else
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (unsigned)(x[i] != 0) << i;
    return bits;
#endif
}

/* Stores the lanes whose bit is set side by side, and something in the lanes after them. */
INLINE void vcompress(real *to, vec x, unsigned lanes) {
#if VECTOR_BYTES == 64
    *(vec_unaligned *)to = (vec)M_(maskz_compress)(lanes, x);
#elif VECTOR_BYTES == 32
    if (!REAL_IS_FLOAT) lanes = (lanes & 1) * 3 + (lanes & 2) * 6 + (lanes & 4) * 12 + (lanes & 8) * 24; /* halves */
    *(vec_unaligned *)to = (vec)compress((ints)x, lanes);
#else
    for (; lanes; lanes &= lanes - 1) *to++ = x[__builtin_ctz(lanes)];
#endif
}

typedef real vec4 __attribute__((vector_size(4 * sizeof(real)), aligned(sizeof(real)), may_alias));

/* to (4, step) = the transposed of four rows of four */
INLINE void transpose(const real *from, int64_t from_step, real *to, int64_t step) {
    typedef vec4 V4;
    typedef integer I4 __attribute__((vector_size(4 * sizeof(real)), unused)); /* by clang */
    const V4 a = *(const V4 *)from, b = *(const V4 *)(from + from_step), c = *(const V4 *)(from + 2 * from_step),
             d = *(const V4 *)(from + 3 * from_step);
    const V4 ab = SHUFFLE(I4, a, b, 0, 4, 1, 5), cd = SHUFFLE(I4, c, d, 0, 4, 1, 5);
    const V4 ab2 = SHUFFLE(I4, a, b, 2, 6, 3, 7), cd2 = SHUFFLE(I4, c, d, 2, 6, 3, 7);
    *(V4 *)to = SHUFFLE(I4, ab, cd, 0, 1, 4, 5);
    *(V4 *)(to + step) = SHUFFLE(I4, ab, cd, 2, 3, 6, 7);
    *(V4 *)(to + 2 * step) = SHUFFLE(I4, ab2, cd2, 0, 1, 4, 5);
    *(V4 *)(to + 3 * step) = SHUFFLE(I4, ab2, cd2, 2, 3, 6, 7);
}

#endif
