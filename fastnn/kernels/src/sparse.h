/* The first layer over the non-zero inputs only: a zero adds nothing to the sum nor to its row of the gradient.
   Template.

   The sums run over ascending inputs as in tiles.h, so skipping zeros leaves the bits of the forward pass as they
   are. */

typedef struct {
    int32_t *index;  /* (BLOCK, sizes[0]) inputs that are not zero, each sample's in ascending order */
    REAL *value;     /* (BLOCK, sizes[0]) their values */
    int64_t *count;  /* (BLOCK) */
    int64_t width;   /* sizes[0] */
} FN(nonzeros);
#define NONZEROS FN(nonzeros)

/* index, value <- the non-zero entries of the bytes x[0..width), times scale; returns how many */
static int64_t FN(compress_bytes)(const uint8_t *x, int64_t width, REAL scale, int32_t *index, REAL *value) {
    int64_t count = 0, i = 0;
#if VECTOR_BYTES == 64
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + 16 <= width; i += 16) { /* whole vectors are stored: count <= i, so they end within the row */
        const __m128i bytes = _mm_loadu_si128((const __m128i *)(x + i));
        const __mmask16 nonzero = _mm_test_epi8_mask(bytes, bytes);
        if (nonzero == 0) continue;
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32((int32_t)i), steps);
        const __m512i packed = _mm512_maskz_compress_epi32(nonzero, _mm512_cvtepu8_epi32(bytes));
        _mm512_storeu_si512(index + count, _mm512_maskz_compress_epi32(nonzero, at));
#if IS_FLOAT
        _mm512_storeu_ps(value + count, _mm512_cvtepi32_ps(packed) * scale);
#else
        _mm512_storeu_pd(value + count, _mm512_cvtepi32_pd(_mm512_castsi512_si256(packed)) * scale);
        _mm512_storeu_pd(value + count + 8, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(packed, 1)) * scale);
#endif
        count += __builtin_popcount(nonzero);
    }
#endif
    for (; i + 8 <= width; i += 8) {
        uint64_t word;
        memcpy(&word, x + i, 8);
        if (word == 0) continue;
        for (int j = 0; j < 8; j++) { /* write always, advance past what counts: no branch to mispredict */
            index[count] = (int32_t)(i + j);
            value[count] = (REAL)x[i + j] * scale;
            count += x[i + j] != 0;
        }
    }
    for (; i < width; i++)
        if (x[i]) {
            index[count] = (int32_t)i;
            value[count++] = (REAL)x[i] * scale;
        }
    return count;
}

static int64_t FN(compress_reals)(const REAL *x, int64_t width, int32_t *index, REAL *value) {
    int64_t count = 0, i = 0;
    for (; i + LANES <= width; i += LANES) {
        V lanes;
        memcpy(&lanes, x + i, sizeof lanes); /* the caller's rows need not be aligned */
        for (unsigned bits = FN(vnonzero)(lanes); bits; bits &= bits - 1) {
            const int64_t at = i + __builtin_ctz(bits);
            index[count] = (int32_t)at;
            value[count++] = x[at];
        }
    }
    for (; i < width; i++)
        if (x[i] != 0) {
            index[count] = (int32_t)i;
            value[count++] = x[i];
        }
    return count;
}

/* z (samples, columns) = start + x W for a group of samples side by side: their sums do not wait for one another */
INLINE void FN(sparse_rows)(const int samples, const int vectors, const NONZEROS *x, int64_t first, const REAL *w,
                            int64_t stride, const REAL *start, REAL *z) {
    V sum[4][4];
    int64_t common = x->count[first];
    for (int s = 0; s < samples; s++) {
        if (x->count[first + s] < common) common = x->count[first + s];
        for (int j = 0; j < vectors; j++) sum[s][j] = start ? FN(vload)(start + j * LANES) : (V){0};
    }
#define ADD(s, i)                                                                                   \
    do {                                                                                            \
        const int64_t at = (first + (s)) * x->width + (i);                                          \
        const V value = FN(vset)(x->value[at]);                                                     \
        const REAL *row = w + x->index[at] * stride;                                                \
        for (int j = 0; j < vectors; j++) sum[s][j] = FN(vfma)(value, FN(vload)(row + j * LANES), sum[s][j]); \
    } while (0)
    for (int64_t i = 0; i < common; i++)
        for (int s = 0; s < samples; s++) ADD(s, i);
    for (int s = 0; s < samples; s++)
        for (int64_t i = common; i < x->count[first + s]; i++) ADD(s, i);
#undef ADD
    for (int s = 0; s < samples; s++)
        for (int j = 0; j < vectors; j++) FN(vstore)(z + (first + s) * stride + j * LANES, sum[s][j]);
}

static void FN(sparse_forward)(const NONZEROS *x, int64_t samples, const REAL *w, int64_t stride, const REAL *start,
                               REAL *z) {
    for (int64_t j = 0; j < stride;) {
        const int64_t vectors = (stride - j) / LANES;
        const REAL *begin = start ? start + j : NULL;
        int64_t s = 0;
#define GROUPS(n)                                                                                    \
    for (; s + 4 <= samples; s += 4) FN(sparse_rows)(4, n, x, s, w + j, stride, begin, z + j);       \
    for (; s < samples; s++) FN(sparse_rows)(1, n, x, s, w + j, stride, begin, z + j);               \
    j += n * LANES
        if (VECTOR_BYTES == 64 && vectors >= 4) {
            GROUPS(4);
        } else if (vectors >= 2) {
            GROUPS(2);
        } else {
            GROUPS(1);
        }
#undef GROUPS
    }
}

/* g (inputs, stride) += factor x^T delta, in the order of the samples */
static void FN(sparse_gradient)(const NONZEROS *x, int64_t samples, REAL factor, const REAL *delta, int64_t stride,
                                REAL *g) {
    for (int64_t s = 0; s < samples; s++) {
        const int32_t *index = x->index + s * x->width;
        const REAL *value = x->value + s * x->width;
        for (int64_t j = 0; j < stride;) {
            const REAL *row = delta + s * stride + j;
#define COLUMNS(n)                                                                      \
    V slope[n];                                                                         \
    for (int v = 0; v < n; v++) slope[v] = FN(vload)(row + v * LANES) * factor;         \
    for (int64_t i = 0; i < x->count[s]; i++) {                                         \
        REAL *to = g + index[i] * stride + j;                                           \
        const V scale = FN(vset)(value[i]);                                             \
        for (int v = 0; v < n; v++) FN(vstore)(to + v * LANES, FN(vfma)(scale, slope[v], FN(vload)(to + v * LANES))); \
    }                                                                                   \
    j += n * LANES
            if ((stride - j) / LANES >= 4) {
                COLUMNS(4);
            } else if ((stride - j) / LANES >= 2) {
                COLUMNS(2);
            } else {
                COLUMNS(1);
            }
#undef COLUMNS
        }
    }
}
