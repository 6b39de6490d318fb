/* Dot products and squared distances of rows of bytes by one instruction. A template that search/byte_kernels.h
   includes once for each: INT8(name) gives what is defined here a name of its own, and WORD_BYTES is how many bytes of
   a row a 32-bit word has: four for vpdpbusd, which is exact, or two widened to 16 bits for pmaddwd. (vpmaddubsw would
   saturate.) vpdpbusd takes one operand as signed: of the rows' bytes x it gets x - 128, of squared distances too. */

/* sum + the products within each word of q, of the queries' bytes, and x, of the rows' */
INLINE ints INT8(dot)(ints sum, ints q, ints x) {
#if WORD_BYTES == 4
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)q, (__m512i)x);
#elif VECTOR_BYTES == 64
    return sum + (ints)_mm512_madd_epi16((__m512i)q, (__m512i)x);
#elif VECTOR_BYTES == 32
    return sum + (ints)_mm256_madd_epi16((__m256i)q, (__m256i)x);
#elif defined(FASTNN_X86)
    return sum + (ints)_mm_madd_epi16((__m128i)q, (__m128i)x);
#else
    return sum + (q & 0xffff) * (x & 0xffff) + (q >> 16) * (x >> 16);
#endif
}

#if VECTOR_BYTES > 16
/* squares + sum d^2 within each word; by four, squares + sum d (d - 128) and sums + sum d, from which it follows */
INLINE void INT8(add_squares)(ints d, ints *squares, ints *sums) {
#if WORD_BYTES == 4
    *squares = INT8(dot)(*squares, d, d ^ ((ints){0} + (int32_t)0x80808080));
    *sums = INT8(dot)(*sums, d, (ints){0} + 0x01010101);
#else
    const ints even = d & 0x00ff00ff, odd = (d >> 8) & 0x00ff00ff;
    (void)sums;
    *squares = INT8(dot)(INT8(dot)(*squares, even, even), odd, odd);
#endif
}
#endif

#if VECTOR_BYTES == 64
/* Lanes that add up to sum (q - x)^2 of no more than EXACT_BYTES. */
INLINE ints INT8(square_lanes)(const uint8_t *q, const uint8_t *x, int64_t width) {
    ints squares = {0}, sums = {0};
    for (int64_t i = 0; i < width; i += 64) {
        const __mmask64 here = width - i < 64 ? ~(uint64_t)0 >> (64 - (width - i)) : ~(uint64_t)0;
        const __m512i a = _mm512_maskz_loadu_epi8(here, q + i), b = _mm512_maskz_loadu_epi8(here, x + i);
        INT8(add_squares)((ints)_mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b)), &squares, &sums);
    }
    return squares + sums * 128;
}
#endif

/* sum (q - x)^2 of no more than EXACT_BYTES */
INLINE int32_t INT8(square)(const uint8_t *q, const uint8_t *x, int64_t width) {
#if VECTOR_BYTES == 64
    return sum_of_lanes(INT8(square_lanes)(q, x, width));
#else
    int64_t i = 0;
    int32_t total = 0;
#if VECTOR_BYTES == 32
    ints squares = {0}, sums = {0};
    for (; i + 32 <= width; i += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(q + i));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(x + i));
        INT8(add_squares)((ints)_mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b)), &squares, &sums);
    }
    if (i + 16 <= width) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(q + i)), b = _mm_loadu_si128((const __m128i *)(x + i));
        INT8(add_squares)((ints)_mm256_zextsi128_si256(_mm_sub_epi8(_mm_max_epu8(a, b), _mm_min_epu8(a, b))), &squares,
                          &sums);
        i += 16;
    }
    total = sum_of_lanes(squares);
#endif
    for (; i < width; i++) total += ((int32_t)q[i] - x[i]) * ((int32_t)q[i] - x[i]);
    return total;
#endif
}

/* to (count) = sum (q - x)^2 of pairs of q (.., width) and x (.., width) */
static void INT8(squares)(const uint8_t *q, const uint8_t *x, int64_t width, const candidate *pairs, int64_t count,
                          int64_t *to) {
    const int64_t first = width < EXACT_BYTES ? width : EXACT_BYTES;
    int64_t i = 0;
#if VECTOR_BYTES == 64
    for (; i + 4 <= count && width <= EXACT_BYTES; i += 4) {
        ints lanes[4];
    UNROLL for (int k = 0; k < 4; k++)
            lanes[k] = INT8(square_lanes)(q + pairs[i + k].query * width, x + pairs[i + k].row * width, width);
        sums_of_four(lanes, to + i);
    }
#endif
    for (; i < count; i++) {
        const uint8_t *a = q + pairs[i].query * width, *b = x + pairs[i].row * width;
        to[i] = INT8(square)(a, b, first);
        for (int64_t at = first; at < width; at += EXACT_BYTES)
            to[i] += INT8(square)(a + at, b + at, width - at < EXACT_BYTES ? width - at : EXACT_BYTES);
    }
}
