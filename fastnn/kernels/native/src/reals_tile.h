/* Rows of reals in register tiles, whose rounding is bounded; the values of single pairs, of pairs.h, decide. Template,
   after vec.h.

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
