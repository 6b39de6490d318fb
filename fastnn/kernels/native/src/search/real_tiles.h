/* Rows of reals in register tiles, whose rounding is bounded; the values of single pairs, of values.h, decide.

   In a tile, x and q stand for rows that were prepared (see prepare): shifted and scaled, so that their rounding is
   relative to their distances. A score grows as the pair comes closer:
       EUCLIDEAN   q . x - |x|^2 / 2        MANHATTAN   -sum |q - x|        COSINE   q . x of rows of norm 1 */
#ifndef FNN_SEARCH_REAL_TILES_H
#define FNN_SEARCH_REAL_TILES_H

#include "../simd/vec.h"

#define REAL_ROWS (2 * LANES) /* rows of a tile, side by side in two vectors */

/* one bit per lane: not a < b */
INLINE uint32_t vreaches(vec a, vec b) {
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
INLINE void tile_of_reals(const int manhattan, const real *x, const real *start, const real *q, int64_t width,
                             const real *limit, uint32_t *masks) {
    vec sum[TILE_ROWS][2];
    UNROLL for (int r = 0; r < TILE_ROWS; r++)
        UNROLL for (int j = 0; j < 2; j++) sum[r][j] = vload(start + j * LANES);
    for (int64_t k = 0; k < width; k++, x += REAL_ROWS, q += TILE_ROWS) {
        const vec left = vload(x), right = vload(x + LANES);
        UNROLL for (int r = 0; r < TILE_ROWS; r++) {
            const vec query = vset(q[r]);
            if (manhattan) {
                sum[r][0] += vnegabs(query - left);
                sum[r][1] += vnegabs(query - right);
            } else {
                sum[r][0] = vfma(query, left, sum[r][0]);
                sum[r][1] = vfma(query, right, sum[r][1]);
            }
        }
    }
    UNROLL for (int r = 0; r < TILE_ROWS; r++) {
        const vec least = vset(limit[r]);
        masks[r] = vreaches(sum[r][0], least) | vreaches(sum[r][1], least) << LANES;
    }
}

static __attribute__((noinline)) void tile_of_products(const real *x, const real *start, const real *q,
                                                          int64_t width, const real *limit, uint32_t *masks) {
    tile_of_reals(0, x, start, q, width, limit, masks);
}

static __attribute__((noinline)) void tile_of_differences(const real *x, const real *start, const real *q,
                                                             int64_t width, const real *limit, uint32_t *masks) {
    tile_of_reals(1, x, start, q, width, limit, masks);
}

#endif
