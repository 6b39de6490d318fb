/* Tiles of bytes for one way of multiplying them. Template: BYTES, and IN_GROUP bytes of a row in a 32-bit lane: four for
   vpdpbusd, which is exact, or two widened to 16 bits for pmaddwd. (vpmaddubsw would saturate.) */

/* sum + the products within each lane of q, a query's elements, and x, those of a row */
INLINE ints BYTES(dot)(ints sum, ints q, ints x) {
#if IN_GROUP == 4
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

static int64_t BYTES(groups)(int64_t width) { return (width + IN_GROUP - 1) / IN_GROUP; }

/* A vector of fours of bytes, one of each row, becomes their groups, INT_ROWS apart; adds to the rows' sums of x^2, or
   of x (x - 128), and of x. */
INLINE void BYTES(split_fours)(ints *to, ints *squares, ints *plain) {
#if IN_GROUP == 4
    const ints x = *to, less = x ^ ((ints){0} + (int32_t)0x80808080); /* x - 128 as signed bytes */
    *squares = BYTES(dot)(*squares, x, less);
    *plain = BYTES(dot)(*plain, x, (ints){0} + 0x01010101);
    *to = less;
#else
    const ints x = *to, first = (x & 0xff) | (x << 8 & 0xff0000), second = (x >> 16 & 0xff) | (x >> 8 & 0xff0000);
    (void)plain;
    *squares = BYTES(dot)(BYTES(dot)(*squares, first, first), second, second);
    to[0] = first;
    to[INT_ROWS / INT_LANES] = second;
#endif
}

static uint32_t BYTES(pack)(const uint8_t *x, int64_t width, int64_t height, const uint8_t *kept, int32_t *to,
                            int32_t *start) {
    uint32_t odd = 0;
    const int64_t fours = (width + 3) / 4, step = 4 / IN_GROUP * INT_ROWS;
    for (int64_t j = 0; j < INT_ROWS; j += INT_LANES) {
        const uint8_t *rows[INT_LANES];
        for (int64_t r = 0; r < INT_LANES; r++) rows[r] = x + (j + r < height ? j + r : height - 1) * width;
        ints squares = {0}, plain = {0}, four[4];
        int32_t *next = to + j;
        for (int64_t g = 0; g < fours; g += 4) {
            const int64_t count = fours - g < 4 ? fours - g : 4;
#if VECTOR_BYTES > 16
            if (g * 4 + 16 <= width)
                transpose_fours(rows, g * 4, four);
            else
#endif
                for (int64_t k = 0; k < count; k++)
                    for (int64_t r = 0; r < INT_LANES; r++) four[k][r] = (int32_t)four_of(rows[r], (g + k) * 4, width);
            for (int64_t k = 0; k < count; k++) {
                *(ints *)next = four[k];
                BYTES(split_fours)((ints *)next, &squares, &plain);
                next += kept[g + k] * step; /* or the next four takes its place */
            }
        }
        squares += plain * 128;
        *(ints *)(start + j) = -(squares >> 1);
        odd |= nonzero(squares & 1) << j;
    }
    return odd;
}

static int64_t BYTES(norm)(const uint8_t *q, int64_t width) {
    int64_t norm = 0;
    for (int64_t i = 0; i < width; i++) norm += (int64_t)q[i] * (q[i] - (IN_GROUP == 4 ? 256 : 0));
    return norm;
}

static int64_t BYTES(pack_query)(const uint8_t *q, int64_t width, const int32_t *fours, int64_t count, int32_t *to,
                                 int64_t step, int64_t at) {
    for (to += at; count > 0; count--, to += 4 / IN_GROUP * step) {
        const uint32_t four = four_of(q, 4 * (int64_t)*fours++, width);
#if IN_GROUP == 4
        *to = (int32_t)four;
#else
        to[0] = (int32_t)((four & 0xff) | (four << 8 & 0xff0000));
        to[step] = (int32_t)((four >> 16 & 0xff) | (four >> 8 & 0xff0000));
#endif
    }
    return BYTES(norm)(q, width);
}

/* a tile, or with an index a team, of some queries */
INLINE int32_t *BYTES(score)(const int queries, const int32_t *x, const int32_t *start, const int32_t *q,
                             const int32_t *index, int64_t groups, const int32_t *limit, uint32_t *masks,
                             int32_t *found) {
    ints sum[TILE_ROWS][2];
    UNROLL for (int r = 0; r < queries; r++)
        UNROLL for (int j = 0; j < 2; j++) sum[r][j] = *(const ints *)(start + j * INT_LANES);
    for (int64_t g = 0; g < groups; g++, q += queries) {
        const int32_t *rows = x + (index ? index[g] : g * INT_ROWS);
        const ints left = *(const ints *)rows, right = *(const ints *)(rows + INT_LANES);
        UNROLL for (int r = 0; r < queries; r++) {
            const ints query = (ints){0} + q[r];
            sum[r][0] = BYTES(dot)(sum[r][0], query, left);
            sum[r][1] = BYTES(dot)(sum[r][1], query, right);
        }
    }
    UNROLL for (int r = 0; r < queries; r++) found = find(sum[r][0], sum[r][1], limit[r], &masks[r], found);
    return found;
}

static int32_t *BYTES(compare)(const int32_t *x, const int32_t *start, const int32_t *q, int64_t groups,
                               const int32_t *limit, uint32_t *masks, int64_t tiles, int32_t *found) {
    for (; tiles > 0; tiles--, q += groups * TILE_ROWS, limit += TILE_ROWS, masks += TILE_ROWS)
        found = BYTES(score)(TILE_ROWS, x, start, q, NULL, groups, limit, masks, found);
    return found;
}

static int32_t *BYTES(team)(const int32_t *x, const int32_t *start, const int32_t *q, const int32_t *index,
                            int64_t groups, const int32_t *limit, uint32_t *masks, int32_t *found) {
    return BYTES(score)(QUERY_TEAM, x, start, q, index, groups, limit, masks, found);
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

#if VECTOR_BYTES == 64
/* Lanes that add up to sum (q - x)^2 of no more than SQUARED bytes. */
INLINE ints BYTES(square_lanes)(const uint8_t *q, const uint8_t *x, int64_t width) {
    ints squares = {0}, plain = {0};
    for (int64_t i = 0; i < width; i += 64) {
        const __mmask64 here = width - i < 64 ? ~(uint64_t)0 >> (64 - (width - i)) : ~(uint64_t)0;
        const __m512i a = _mm512_maskz_loadu_epi8(here, q + i), b = _mm512_maskz_loadu_epi8(here, x + i);
        BYTES(add_squares)((ints)_mm512_sub_epi8(_mm512_max_epu8(a, b), _mm512_min_epu8(a, b)), &squares, &plain);
    }
    return squares + plain * 128;
}
#endif

/* sum (q - x)^2 of no more than SQUARED bytes */
INLINE int32_t BYTES(square)(const uint8_t *q, const uint8_t *x, int64_t width) {
#if VECTOR_BYTES == 64
    return sum_of_lanes(BYTES(square_lanes)(q, x, width));
#else
    int64_t i = 0;
    int32_t total = 0;
#if VECTOR_BYTES == 32
    ints squares = {0}, plain = {0};
    for (; i + 32 <= width; i += 32) {
        const __m256i a = _mm256_loadu_si256((const __m256i *)(q + i));
        const __m256i b = _mm256_loadu_si256((const __m256i *)(x + i));
        BYTES(add_squares)((ints)_mm256_sub_epi8(_mm256_max_epu8(a, b), _mm256_min_epu8(a, b)), &squares, &plain);
    }
    if (i + 16 <= width) {
        const __m128i a = _mm_loadu_si128((const __m128i *)(q + i)), b = _mm_loadu_si128((const __m128i *)(x + i));
        BYTES(add_squares)((ints)_mm256_zextsi128_si256(_mm_sub_epi8(_mm_max_epu8(a, b), _mm_min_epu8(a, b))),
                           &squares, &plain);
        i += 16;
    }
    total = sum_of_lanes(squares);
#endif
    for (; i < width; i++) total += ((int32_t)q[i] - x[i]) * ((int32_t)q[i] - x[i]);
    return total;
#endif
}

static void BYTES(squares)(const uint8_t *q, const uint8_t *x, int64_t width, const fnn_pair *pairs, int64_t count,
                           int64_t *to) {
    const int64_t first = width < SQUARED ? width : SQUARED;
    int64_t i = 0;
#if VECTOR_BYTES == 64
    for (; i + 4 <= count && width <= SQUARED; i += 4) {
        ints lanes[4];
        UNROLL for (int k = 0; k < 4; k++)
            lanes[k] = BYTES(square_lanes)(q + pairs[i + k].query * width, x + pairs[i + k].row * width, width);
        sums_of_four(lanes, to + i);
    }
#endif
    for (; i < count; i++) {
        const uint8_t *a = q + pairs[i].query * width, *b = x + pairs[i].row * width;
        to[i] = BYTES(square)(a, b, first);
        for (int64_t at = first; at < width; at += SQUARED)
            to[i] += BYTES(square)(a + at, b + at, width - at < SQUARED ? width - at : SQUARED);
    }
}

static const bytes_kernels BYTES(kernels) = {TILE_ROWS, BYTES(groups), BYTES(pack), BYTES(pack_query),
                                            BYTES(compare), BYTES(team), BYTES(squares)};
