/* Tiles of prepared reals: TILE_QUERIES queries with REAL_ROWS rows, by the scores that metrics.h says. scan.h's
   scan_reals packs the rows and compares them with tile after tile of its block's queries. */
#ifndef FNN_SEARCH_REAL_TILES_H
#define FNN_SEARCH_REAL_TILES_H

#include "metrics.h"

#define REAL_ROWS (2 * LANES) /* rows of a tile, side by side in two vectors */

/* one bit per lane: not a < b */
INLINE uint32_t vreaches(vec a, vec b) {
#if VECTOR_BYTES == 64
    return GLUE(M_(cmp), _mask)(a, b, _CMP_NLT_UQ);
#elif VECTOR_BYTES == 32
    return (uint32_t)M_(movemask)(M_(cmp)(a, b, _CMP_NLT_UQ));
#else
    uint32_t bits = 0;
    for (int i = 0; i < LANES; i++) bits |= (uint32_t)!(a[i] < b[i]) << i;
    return bits;
#endif
}

/* x (columns, REAL_ROWS) = the rows row..row + height, prepared, and zeros; start (REAL_ROWS) = where their scores
   begin. `four` has room for four rows of columns, padded to a multiple of 4. Returns the greatest norm that scores
   need. */
static double pack_real_rows(const fnn_search *s, const row_scale *scale, int64_t row, int64_t height, real *x,
                             real *start, real *four) {
    const int64_t width = s->columns, padded = (width + 3) / 4 * 4;
    real most = 0;
    for (int64_t r = 0; r < REAL_ROWS; r += 4) {
        for (int64_t k = 0; k < 4; k++)
            if (r + k < height)
                prepare_row(s, scale, point_at(s, s->x, row + r + k), four + k * padded);
            else
                memset(four + k * padded, 0, width * sizeof(real));
        for (int64_t i = 0; i < padded; i += 4) transpose(four + i, padded, x + i * REAL_ROWS + r, REAL_ROWS);
    }
    for (int64_t j = 0; j < REAL_ROWS; j += LANES) {
        vec square = {0};
        if (s->metric == EUCLIDEAN)
            for (int64_t i = 0; i < width; i++) {
                const vec some = vload(x + i * REAL_ROWS + j);
                square = vfma(some, some, square);
            }
        vstore(start + j, square * (real)-0.5);
        for (int k = 0; k < LANES; k++)
            if (!(square[k] <= most)) most = square[k];
    }
    return sqrt((double)most);
}

/* masks (TILE_QUERIES) = a bit for each of the rows x (width, REAL_ROWS) whose score, begun at `start`, reaches the
   threshold of the query in q (width, TILE_QUERIES). */
static __attribute__((noinline)) void compare_reals(int64_t metric, const real *x, const real *start, const real *q,
                                                    int64_t width, const real *threshold, uint32_t *masks) {
    vec sum[TILE_QUERIES][2];
    UNROLL for (int r = 0; r < TILE_QUERIES; r++)
        UNROLL for (int j = 0; j < 2; j++) sum[r][j] = vload(start + j * LANES);
    if (metric == MANHATTAN)
        for (int64_t k = 0; k < width; k++, x += REAL_ROWS, q += TILE_QUERIES) {
            const vec left = vload(x), right = vload(x + LANES);
            UNROLL for (int r = 0; r < TILE_QUERIES; r++) {
                const vec query = vset(q[r]);
                sum[r][0] += vnegabs(query - left);
                sum[r][1] += vnegabs(query - right);
            }
        }
    else
        for (int64_t k = 0; k < width; k++, x += REAL_ROWS, q += TILE_QUERIES) {
            const vec left = vload(x), right = vload(x + LANES);
            UNROLL for (int r = 0; r < TILE_QUERIES; r++) {
                const vec query = vset(q[r]);
                sum[r][0] = vfma(query, left, sum[r][0]);
                sum[r][1] = vfma(query, right, sum[r][1]);
            }
        }
    UNROLL for (int r = 0; r < TILE_QUERIES; r++) {
        const vec least = vset(threshold[r]);
        masks[r] = vreaches(sum[r][0], least) | vreaches(sum[r][1], least) << LANES;
    }
}

#endif
