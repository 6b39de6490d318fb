/* Tiles of bytes for one way of multiplying them. Template: BYTES, and IN_GROUP bytes of a row in a 32-bit lane: four for
   vpdpbusd, which is exact, or two widened to 16 bits for pmaddwd. (vpmaddubsw would saturate.) */

/* sum + the products within each lane of x, a row's elements, and q, those of a query less 128 */
INLINE ints BYTES(dot)(ints sum, ints x, ints q) {
#if IN_GROUP == 4
    return (ints)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)q);
#elif VECTOR_BYTES == 64
    return sum + (ints)_mm512_madd_epi16((__m512i)x, (__m512i)q);
#elif VECTOR_BYTES == 32
    return sum + (ints)_mm256_madd_epi16((__m256i)x, (__m256i)q);
#elif defined(FASTNN_X86)
    return sum + (ints)_mm_madd_epi16((__m128i)x, (__m128i)q);
#else
    return sum + (x & 0xffff) * (q << 16 >> 16) + (x >> 16) * (q >> 16);
#endif
}

static int64_t BYTES(groups)(int64_t width) { return (width + IN_GROUP - 1) / IN_GROUP; }

/* The group of bytes from x[i] on, those before `width`. */
INLINE int32_t BYTES(group_of)(const uint8_t *x, int64_t i, int64_t width) {
    uint8_t bytes[4] = {0};
    memcpy(bytes, x + i, width - i < IN_GROUP ? width - i : IN_GROUP);
#if IN_GROUP == 4
    int32_t group;
    memcpy(&group, bytes, 4);
    return group;
#else
    return bytes[0] | bytes[1] << 16;
#endif
}

static void BYTES(pack)(const uint8_t *x, int64_t width, int64_t height, int32_t *to, int32_t *start, uint8_t *odd) {
    const int64_t groups = BYTES(groups)(width);
    int64_t r = 0;
#if IN_GROUP == 4
    for (; r + 4 <= height; r += 4) {
        const uint8_t *rows[4] = {x + r * width, x + (r + 1) * width, x + (r + 2) * width, x + (r + 3) * width};
        int64_t g = 0;
        for (; g + 4 <= width / 4; g += 4) {
            transpose_int(rows, to + g * INT_ROWS + r, INT_ROWS);
            for (int k = 0; k < 4; k++) rows[k] += 16;
        }
        for (; g < groups; g++)
            for (int k = 0; k < 4; k++) to[g * INT_ROWS + r + k] = BYTES(group_of)(x + (r + k) * width, g * 4, width);
    }
#endif
    for (; r < height; r++)
        for (int64_t g = 0; g < groups; g++)
            to[g * INT_ROWS + r] = BYTES(group_of)(x + r * width, g * IN_GROUP, width);
    for (; r < INT_ROWS; r++)
        for (int64_t g = 0; g < groups; g++) to[g * INT_ROWS + r] = 0;
    for (int64_t j = 0; j < INT_ROWS; j += INT_LANES) {
        ints sum = {0}; /* of x (x - 256) */
#if IN_GROUP == 4
        const ints minus_128 = (ints){0} + (int32_t)0x80808080, ones = (ints){0} + 0x01010101;
        ints plain = {0};
        for (int64_t g = 0; g < groups; g++) {
            const ints row = *(const ints *)(to + g * INT_ROWS + j);
            sum = BYTES(dot)(sum, row, row ^ minus_128); /* x ^ 128 is x - 128 as a signed byte */
            plain = BYTES(dot)(plain, row, ones);
        }
        sum -= plain * 128;
#else
        for (int64_t g = 0; g < groups; g++) {
            const ints row = *(const ints *)(to + g * INT_ROWS + j);
            sum = BYTES(dot)(sum, row, row | ((ints){0} + (int32_t)0xff00ff00)); /* x - 256 in 16 bits */
        }
#endif
        *(ints *)(start + j) = -(sum >> 1);
        for (int k = 0; k < INT_LANES; k++) odd[j + k] = sum[k] & 1;
    }
}

static void BYTES(pack_query)(const uint8_t *q, int64_t width, int32_t *to, int64_t step) {
    for (int64_t g = 0; g < BYTES(groups)(width); g++) {
#if IN_GROUP == 4
        to[g * step] = BYTES(group_of)(q, g * 4, width) ^ (int32_t)0x80808080;
#else
        const int32_t first = q[2 * g] - 128, second = 2 * g + 1 < width ? q[2 * g + 1] - 128 : 0;
        to[g * step] = (int32_t)((uint32_t)first & 0xffff) | (int32_t)((uint32_t)second << 16);
#endif
    }
}

static int BYTES(tile)(const int32_t *x, const int32_t *start, const int32_t *q, int64_t groups, const int32_t *limit,
                       uint32_t *masks, int32_t *scores) {
    ints sum[TILE_ROWS][2];
    UNROLL for (int r = 0; r < TILE_ROWS; r++)
        UNROLL for (int j = 0; j < 2; j++) sum[r][j] = *(const ints *)(start + j * INT_LANES);
    for (int64_t g = 0; g < groups; g++, x += INT_ROWS, q += TILE_ROWS) {
        const ints left = *(const ints *)x, right = *(const ints *)(x + INT_LANES);
        UNROLL for (int r = 0; r < TILE_ROWS; r++) {
            const ints query = (ints){0} + q[r];
            sum[r][0] = BYTES(dot)(sum[r][0], left, query);
            sum[r][1] = BYTES(dot)(sum[r][1], right, query);
        }
    }
    uint32_t any = 0;
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        const ints least = (ints){0} + limit[r];
        masks[r] = reaches(sum[r][0], least) | reaches(sum[r][1], least) << INT_LANES;
        any |= masks[r];
        if (__builtin_expect(masks[r] != 0, 0)) {
            *(ints *)(scores + r * INT_ROWS) = sum[r][0];
            *(ints *)(scores + r * INT_ROWS + INT_LANES) = sum[r][1];
        }
    }
    return any != 0;
}

#if VECTOR_BYTES > 16
/* squares + the sums of d^2 over the bytes of each lane; by fours, those of d (d - 128), and plain + those of d */
INLINE void BYTES(add_squares)(ints d, ints *squares, ints *plain) {
#if IN_GROUP == 4
    *squares = BYTES(dot)(*squares, d, d ^ ((ints){0} + (int32_t)0x80808080));
    *plain = BYTES(dot)(*plain, d, (ints){0} + 0x01010101);
#else
    const ints even = d & 0x00ff00ff, odd = (d >> 8) & 0x00ff00ff;
    (void)plain;
    *squares = BYTES(dot)(BYTES(dot)(*squares, even, even), odd, odd);
#endif
}
#endif

static int64_t BYTES(square)(const uint8_t *q, const uint8_t *x, int64_t width) {
    int64_t total = 0;
    for (int64_t i = 0; i < width;) {
        const int64_t stop = width - i < SQUARED ? width : i + SQUARED;
#if VECTOR_BYTES > 16
        ints squares = {0}, plain = {0};
#endif
#if VECTOR_BYTES == 64
        for (; i < stop; i += 64) {
            const __mmask64 here = ~(uint64_t)0 >> (stop - i < 64 ? 64 - (stop - i) : 0);
            const __m512i a = _mm512_maskz_loadu_epi8(here, q + i), b = _mm512_maskz_loadu_epi8(here, x + i);
            BYTES(add_squares)((ints)_mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b)), &squares, &plain);
        }
        i = stop;
        total += sum_of_lanes(squares) + 128 * sum_of_lanes(plain);
#elif VECTOR_BYTES == 32
        for (; i + 32 <= stop; i += 32) {
            const __m256i a = _mm256_loadu_si256((const __m256i *)(q + i));
            const __m256i b = _mm256_loadu_si256((const __m256i *)(x + i));
            BYTES(add_squares)((ints)_mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b)), &squares, &plain);
        }
        total += sum_of_lanes(squares);
#endif
        int32_t rest = 0;
        for (; i < stop; i++) rest += ((int32_t)q[i] - x[i]) * ((int32_t)q[i] - x[i]);
        total += rest;
    }
    return total;
}

static const bytes_kernels BYTES(kernels) = {BYTES(groups), BYTES(pack), BYTES(pack_query), BYTES(tile),
                                            BYTES(square)};
