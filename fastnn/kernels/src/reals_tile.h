/* What rows of reals need: products in register tiles whose rounding is bounded, and values of single pairs, which decide.
   Template, after vec.h.

   In a tile, x and q stand for rows that were prepared (see FN(prepare)): shifted and scaled, so that their rounding is
   relative to their distances. A score grows as the pair comes closer:
       EUCLIDEAN   q . x - |x|^2 / 2        MANHATTAN   -sum |q - x|        COSINE   q . x of rows of norm 1 */

#define REAL_ROWS (2 * LANES) /* rows of a tile, side by side in two vectors */

/* one bit per lane: not a < b */
INLINE uint32_t FN(reaches)(V a, V b) {
#if VECTOR_BYTES == 64
    return GLUE(M_(cmp), _mask)(a, b, _CMP_NLT_UQ);
#elif VECTOR_BYTES == 32
    return (uint32_t)M_(movemask)(M_(cmp)(a, b, _CMP_NLT_UQ));
#else
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint32_t) !(a[i] < b[i]) << i;
    return bits;
#endif
}

/* masks (TILE_ROWS) = a bit for each of the rows x (width, REAL_ROWS) whose score, begun at `start`, reaches the limit of
   the query in q (width, TILE_ROWS). */
INLINE void FN(tile_of_reals)(const int manhattan, const REAL *x, const REAL *start, const REAL *q, int64_t width,
                             const REAL *limit, uint32_t *masks) {
    V sum[TILE_ROWS][2];
    UNROLL for (int r = 0; r < TILE_ROWS; r++)
        UNROLL for (int j = 0; j < 2; j++) sum[r][j] = FN(vload)(start + j * LANES);
    for (int64_t k = 0; k < width; k++, x += REAL_ROWS, q += TILE_ROWS) {
        const V left = FN(vload)(x), right = FN(vload)(x + LANES);
        UNROLL for (int r = 0; r < TILE_ROWS; r++) {
            const V query = FN(vset)(q[r]);
            if (manhattan) {
                sum[r][0] += FN(vnegabs)(query - left);
                sum[r][1] += FN(vnegabs)(query - right);
            } else {
                sum[r][0] = FN(vfma)(query, left, sum[r][0]);
                sum[r][1] = FN(vfma)(query, right, sum[r][1]);
            }
        }
    }
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        const V least = FN(vset)(limit[r]);
        masks[r] = FN(reaches)(sum[r][0], least) | FN(reaches)(sum[r][1], least) << LANES;
    }
}

static __attribute__((noinline)) void FN(tile_of_products)(const REAL *x, const REAL *start, const REAL *q,
                                                          int64_t width, const REAL *limit, uint32_t *masks) {
    FN(tile_of_reals)(0, x, start, q, width, limit, masks);
}

static __attribute__((noinline)) void FN(tile_of_differences)(const REAL *x, const REAL *start, const REAL *q,
                                                             int64_t width, const REAL *limit, uint32_t *masks) {
    FN(tile_of_reals)(1, x, start, q, width, limit, masks);
}

/* Eight lanes and two chains of them whatever the instruction set, and no fused multiply-adds: the same bits anywhere. */
typedef double FN(D8) __attribute__((vector_size(64)));
typedef REAL FN(V8) __attribute__((vector_size(8 * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));

INLINE double FN(sum8)(const FN(D8) *a, const FN(D8) *b) {
    const FN(D8) s = *a + *b;
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

INLINE void FN(widen8)(const REAL *x, FN(D8) *to) {
#if VECTOR_BYTES == 64 && IS_FLOAT
    *to = (FN(D8))_mm512_cvtps_pd(_mm256_loadu_ps(x)); /* GCC would make halves of it */
#else
    *to = __builtin_convertvector(*(const FN(V8) *)x, FN(D8));
#endif
}

/* sum += the terms of eight columns */
INLINE void FN(add_terms)(const int metric, const REAL *q, double q_factor, const REAL *x, double x_factor,
                          FN(D8) *sum) {
    typedef int64_t I8 __attribute__((vector_size(64)));
    FN(D8) a, b;
    FN(widen8)(q, &a);
    FN(widen8)(x, &b);
    const FN(D8) apart = metric == COSINE ? a * q_factor - b * x_factor : a - b;
    *sum += metric == MANHATTAN ? (FN(D8))((I8)apart & ((I8){0} + INT64_MAX)) : apart * apart;
}

INLINE double FN(sum_of_terms)(const int metric, const REAL *q, double q_factor, const REAL *x, double x_factor,
                               int64_t width) {
    FN(D8) even = {0}, odd = {0};
    int64_t i = 0;
    for (; i + 16 <= width; i += 16) {
        FN(add_terms)(metric, q + i, q_factor, x + i, x_factor, &even);
        FN(add_terms)(metric, q + i + 8, q_factor, x + i + 8, x_factor, &odd);
    }
    if (i < width) {
        REAL rest[2][16] = {{0}};
        memcpy(rest[0], q + i, (width - i) * sizeof(REAL));
        memcpy(rest[1], x + i, (width - i) * sizeof(REAL));
        FN(add_terms)(metric, rest[0], q_factor, rest[1], x_factor, &even);
        FN(add_terms)(metric, rest[0] + 8, q_factor, rest[1] + 8, x_factor, &odd);
    }
    return FN(sum8)(&even, &odd);
}

/* 1 / |x|, or 0 for zeros */
static double FN(inverse_norm)(const REAL *x, int64_t width) {
    static const REAL zeros[16] = {0};
    double square = 0;
    for (int64_t i = 0; i < width; i += 16)
        square += FN(sum_of_terms)(EUCLIDEAN, x + i, 1, zeros, 1, width - i < 16 ? width - i : 16);
    return square > 0 ? 1 / sqrt(square) : 0;
}

/* What spec.Kernels.neighbors calls the value of a pair. q_factor is 1 / |q| for COSINE. */
static double FN(value_of_reals)(int64_t metric, const REAL *q, double q_factor, const REAL *x, int64_t width) {
    if (metric == EUCLIDEAN) return FN(sum_of_terms)(EUCLIDEAN, q, 1, x, 1, width);
    if (metric == MANHATTAN) return FN(sum_of_terms)(MANHATTAN, q, 1, x, 1, width);
    const double x_factor = FN(inverse_norm)(x, width);
    if (q_factor == 0 || x_factor == 0) return 1;
    return FN(sum_of_terms)(COSINE, q, q_factor, x, x_factor, width) / 2;
}
