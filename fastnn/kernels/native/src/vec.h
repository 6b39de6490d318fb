/* Vectors of VECTOR_BYTES: GCC's vector types for + - * /, and the few operations that need an intrinsic.
   Lanes never meet, so results do not depend on the width. Template: REAL, INTEGER, FN, IS_FLOAT. */

typedef REAL FN(V) __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef REAL FN(VU) __attribute__((vector_size(VECTOR_BYTES), may_alias, aligned(sizeof(REAL))));
typedef INTEGER FN(VI) __attribute__((vector_size(VECTOR_BYTES), may_alias));
#define V FN(V)
#define VI FN(VI)
#define LANES ((int)(VECTOR_BYTES / sizeof(REAL)))

#if VECTOR_BYTES == 64 && IS_FLOAT
#define M_(op) _mm512_##op##_ps
#elif VECTOR_BYTES == 64
#define M_(op) _mm512_##op##_pd
#elif VECTOR_BYTES == 32 && IS_FLOAT
#define M_(op) _mm256_##op##_ps
#elif VECTOR_BYTES == 32
#define M_(op) _mm256_##op##_pd
#elif defined(__aarch64__) && IS_FLOAT
#define M_(op) v##op##q_f32
#elif defined(__aarch64__)
#define M_(op) v##op##q_f64
#endif

INLINE V FN(vset)(REAL x) { return x - (V){0}; }
INLINE V FN(vload)(const REAL *p) { return *(const V *)p; }
INLINE void FN(vstore)(REAL *p, V x) { *(V *)p = x; }

/* a * b + c, rounded once if FUSED */
INLINE V FN(vfma)(V a, V b, V c) {
#if VECTOR_BYTES > 16
    return (V)M_(fmadd)(a, b, c);
#elif FUSED
    return (V)M_(fma)(c, a, b); /* by its name: GCC does not always find it in a loop over the lanes */
#else
    return a * b + c;
#endif
}

/* a < b ? x : y; a NaN takes y */
INLINE V FN(vless)(V a, V b, V x, V y) {
#if VECTOR_BYTES == 64
    return (V)M_(mask_blend)(GLUE(M_(cmp), _mask)(a, b, _CMP_LT_OQ), y, x);
#elif VECTOR_BYTES == 32
    return (V)M_(blendv)(y, x, M_(cmp)(a, b, _CMP_LT_OQ));
#else
    const VI mask = a < b;
    return (V)((mask & (VI)x) | (~mask & (VI)y));
#endif
}

/* x, or the limit if x is below it; a NaN stays */
INLINE V FN(vmax)(V limit, V x) {
#if VECTOR_BYTES > 16
    return (V)M_(max)(limit, x);
#else
    return FN(vless)(x, limit, limit, x);
#endif
}

/* sqrt(x) + y, both rounded; x >= 0 */
INLINE V FN(vsqrt_add)(V x, V y) {
#if VECTOR_BYTES == 64 && IS_FLOAT
    /* Newton's steps leave the divider to the division that follows. They begin with 14 bits of 1 / sqrt(x), and the
       last one rounds as sqrt does: Markstein 1990, Computation of elementary functions on the IBM RISC System/6000
       processor, and tried on every x. Scaled, so that no residue is subnormal. */
    const V scaled = x * 0x1p64f, half = FN(vset)(0.5f);
    if (__builtin_expect(_mm512_cmp_ps_mask(scaled, FN(vset)(0x1p126f), _CMP_LT_OQ) == 0xffff, 1)) {
        const V inverse = (V)_mm512_rsqrt14_ps(FN(vmax)(FN(vset)(0x1p-70f), scaled)); /* finite at 0 */
        const V root = scaled * inverse, slope = half * inverse, error = FN(vfma)(-root, slope, half);
        const V better = FN(vfma)(root, error, root), better_slope = FN(vfma)(slope, error, slope);
        const V best = FN(vfma)(FN(vfma)(-better, better, scaled), better_slope, better);
        return FN(vfma)(best, FN(vset)(0x1p-32f), y);
    }
#endif
#ifdef M_
    return (V)M_(sqrt)(x) + y;
#else
    for (int i = 0; i < LANES; i++) x[i] = IS_FLOAT ? (REAL)__builtin_sqrtf(x[i]) : (REAL)__builtin_sqrt(x[i]);
    return x + y;
#endif
}

/* -|x| */
INLINE V FN(vnegabs)(V x) { return (V)((VI)x | (VI)FN(vset)((REAL)-0.0)); }

/* first, first + 1, .. */
INLINE VI FN(numbers)(int64_t first) {
    VI numbers;
    for (int i = 0; i < LANES; i++) numbers[i] = i;
    return numbers + (INTEGER)first;
}

/* p[0..count), zeros in the lanes from `count` on; any alignment */
INLINE V FN(vload_some)(const REAL *p, int64_t count) {
    if (count >= LANES) return *(const FN(VU) *)p;
#if VECTOR_BYTES == 64
    return (V)M_(maskz_loadu)((1 << count) - 1, p);
#elif VECTOR_BYTES == 32
    return (V)M_(maskload)(p, (__m256i)(FN(numbers)(0) < (INTEGER)count));
#else
    V x = {0};
    for (int64_t i = 0; i < count; i++) x[i] = p[i];
    return x;
#endif
}

/* LANES bytes, converted. (GCC 12 would do it byte by byte.) */
INLINE V FN(vbytes)(const uint8_t *bytes) {
#if VECTOR_BYTES == 64 && IS_FLOAT
    return (V)_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)bytes)));
#elif VECTOR_BYTES == 64
    return (V)_mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes)));
#elif VECTOR_BYTES == 32 && IS_FLOAT
    return (V)_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)bytes)));
#elif VECTOR_BYTES == 32
    return (V)_mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_loadu_si32(bytes)));
#else
    V x;
    for (int i = 0; i < LANES; i++) x[i] = (REAL)bytes[i];
    return x;
#endif
}

/* bytes (LANES) = the lowest of each lane */
INLINE void FN(vlow_bytes)(VI x, uint8_t *bytes) {
#if VECTOR_BYTES == 64 && IS_FLOAT
    _mm_storeu_si128((__m128i *)bytes, _mm512_cvtepi32_epi8((__m512i)x));
#elif VECTOR_BYTES == 64
    _mm_storel_epi64((__m128i *)bytes, _mm512_cvtepi64_epi8((__m512i)x));
#elif VECTOR_BYTES == 32
    const __m256i halves = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi32(IS_FLOAT ? 0x0c080400 : 0x0800));
    memcpy(bytes, &halves, LANES / 2);
    memcpy(bytes + LANES / 2, (const char *)&halves + 16, LANES / 2);
#else
    for (int i = 0; i < LANES; i++) bytes[i] = (uint8_t)x[i];
#endif
}

/* one bit per lane: x != 0 (a NaN counts) */
INLINE unsigned FN(vnonzero)(V x) {
#if VECTOR_BYTES == 64
    return GLUE(M_(cmp), _mask)(x, (V){0}, _CMP_NEQ_UQ);
#elif VECTOR_BYTES == 32
    return (unsigned)M_(movemask)(M_(cmp)(x, (V){0}, _CMP_NEQ_UQ));
#else
    unsigned bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (unsigned)(x[i] != 0) << i;
    return bits;
#endif
}

/* Stores the lanes whose bit is set side by side, and something in the lanes after them. */
INLINE void FN(vcompress)(REAL *to, V x, unsigned lanes) {
#if VECTOR_BYTES == 64
    *(FN(VU) *)to = (V)M_(maskz_compress)(lanes, x);
#elif VECTOR_BYTES == 32
    if (!IS_FLOAT) lanes = (lanes & 1) * 3 + (lanes & 2) * 6 + (lanes & 4) * 12 + (lanes & 8) * 24; /* halves */
    *(FN(VU) *)to = (V)compress((ints)x, lanes);
#else
    for (; lanes; lanes &= lanes - 1) *to++ = x[__builtin_ctz(lanes)];
#endif
}

typedef REAL FN(V4) __attribute__((vector_size(4 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

/* to (4, step) = the transposed of four rows of four */
INLINE void FN(transpose)(const REAL *from, int64_t from_step, REAL *to, int64_t step) {
    typedef FN(V4) V4;
    typedef INTEGER I4 __attribute__((vector_size(4 * sizeof(REAL)), unused)); /* by clang */
    const V4 a = *(const V4 *)from, b = *(const V4 *)(from + from_step), c = *(const V4 *)(from + 2 * from_step),
             d = *(const V4 *)(from + 3 * from_step);
    const V4 ab = SHUFFLE(I4, a, b, 0, 4, 1, 5), cd = SHUFFLE(I4, c, d, 0, 4, 1, 5);
    const V4 ab2 = SHUFFLE(I4, a, b, 2, 6, 3, 7), cd2 = SHUFFLE(I4, c, d, 2, 6, 3, 7);
    *(V4 *)to = SHUFFLE(I4, ab, cd, 0, 1, 4, 5);
    *(V4 *)(to + step) = SHUFFLE(I4, ab, cd, 2, 3, 6, 7);
    *(V4 *)(to + 2 * step) = SHUFFLE(I4, ab2, cd2, 0, 1, 4, 5);
    *(V4 *)(to + 3 * step) = SHUFFLE(I4, ab2, cd2, 2, 3, 6, 7);
}
