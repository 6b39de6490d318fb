/* What a metric is: the value of a pair of query q and row x, which decides, and the score by which tiles of reals find
   the pairs that may be near. A metric is a case of each function here, and where it is not made of products one of
   compare_reals in real_tiles.h and of find_plain_scan in plan_search.c.

                  value, in float64                    score in tiles of reals, of prepared rows
       EUCLIDEAN  sum (q - x)^2                        q . x - |x|^2 / 2, of (row - centre) * unit
       MANHATTAN  sum |q - x|                          -sum |q - x|, of row * unit
       COSINE     1 - q . x / (|q| |x|), 1 of a zero   q . x, of row / |row|

   Values of bytes are exact sums. Of reals they are sums in float64, over eight lanes and two chains of them whatever
   the instruction set, and without fused multiply-adds: the same bits anywhere. Scores round as they come; thresholds
   have a margin for that. `single`: rows are of float32, else of float64. */
#ifndef FNN_SEARCH_METRICS_H
#define FNN_SEARCH_METRICS_H

#include "../arena.h"
#include "../simd/vec.h"
#include "byte_kernels.h"

#define DOUBLES (VECTOR_BYTES / 8)
#define PIECES (8 / DOUBLES) /* vectors that have the eight lanes */

typedef double doubles __attribute__((vector_size(VECTOR_BYTES)));
typedef int64_t double_bits __attribute__((vector_size(VECTOR_BYTES)));
typedef double doubles_anywhere __attribute__((vector_size(VECTOR_BYTES), aligned(8), may_alias));

INLINE double real_at(const void *x, const int single, int64_t i) {
    return single ? (double)((const float *)x)[i] : ((const double *)x)[i];
}

/* to (8) = x[i..i + 8); unless that is `whole`, with zeros from `width` on */
INLINE void load8(const void *x, const int single, int64_t i, const int whole, int64_t width, doubles *to) {
#if VECTOR_BYTES == 64
    const __mmask8 here = (__mmask8)(whole ? 255 : 255 >> (8 - (width - i < 8 ? width - i : 8)));
    to[0] = single ? (doubles)_mm512_cvtps_pd(_mm256_maskz_loadu_ps(here, (const float *)x + i))
                   : (doubles)_mm512_maskz_loadu_pd(here, (const double *)x + i);
#elif VECTOR_BYTES == 32
    UNROLL for (int j = 0; j < PIECES; j++, i += DOUBLES) {
        const float *of_single = (const float *)x + i;
        const double *of_double = (const double *)x + i;
        const __m128i here = _mm_cmpgt_epi32(_mm_set1_epi32((int32_t)(width - i)), _mm_set_epi32(3, 2, 1, 0));
        if (single)
            to[j] = (doubles)_mm256_cvtps_pd(whole ? _mm_loadu_ps(of_single) : _mm_maskload_ps(of_single, here));
        else
            to[j] = (doubles)(whole ? _mm256_loadu_pd(of_double)
                                    : _mm256_maskload_pd(of_double, _mm256_cvtepi32_epi64(here)));
    }
#else
    UNROLL for (int j = 0; j < PIECES; j++, i += DOUBLES)
        to[j] = (doubles){whole || i < width ? real_at(x, single, i) : 0,
                          whole || i + 1 < width ? real_at(x, single, i + 1) : 0};
#endif
}

/* A query and a row of `width` reals, float32 if `single`. */
typedef struct {
    const void *q, *x;
    int single;
    int64_t width;
} real_pair;

/* sum (8) += the terms of eight columns from i on. */
INLINE void add_terms(const int metric, const real_pair p, int64_t i, const int whole, doubles *sum) {
    doubles a[PIECES], b[PIECES] = {{0}};
    load8(p.q, p.single, i, whole, p.width, a);
    if (metric != COSINE) load8(p.x, p.single, i, whole, p.width, b);
    UNROLL for (int j = 0; j < PIECES; j++) {
        const doubles apart = a[j] - b[j];
        sum[j] += metric == MANHATTAN ? (doubles)((double_bits)apart & ((double_bits){0} + INT64_MAX)) : apart * apart;
    }
}

/* sum (q - x)^2; for MANHATTAN sum |q - x|; for COSINE, to make unit vectors, sum q^2 */
INLINE double sum_of_terms(const int metric, const void *q, const void *x, const int single, int64_t width) {
    const real_pair pair = {q, x, single, width};
    doubles even[PIECES] = {{0}}, odd[PIECES] = {{0}};
    double s[8];
    int64_t i = 0;
    for (; i + 16 <= width; i += 16) {
        add_terms(metric, pair, i, 1, even);
        add_terms(metric, pair, i + 8, 1, odd);
    }
    if (i < width) add_terms(metric, pair, i, 0, even);
    if (i + 8 < width) add_terms(metric, pair, i + 8, 0, odd);
    UNROLL for (int j = 0; j < PIECES; j++) *(doubles_anywhere *)(s + j * DOUBLES) = even[j] + odd[j];
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

/* max |x|: the bits of numbers ascend as these do */
INLINE double largest_of(const void *x, const int single, int64_t width) {
    typedef int32_t bits32 __attribute__((may_alias));
    typedef int64_t bits64 __attribute__((may_alias));
    int32_t most32 = 0;
    int64_t most = 0;
    float largest32;
    double largest;
    for (int64_t i = 0; i < width && single; i++) {
        const int32_t bits = ((const bits32 *)x)[i] & INT32_MAX;
        most32 = bits > most32 ? bits : most32;
    }
    for (int64_t i = 0; i < width && !single; i++) {
        const int64_t bits = ((const bits64 *)x)[i] & INT64_MAX;
        most = bits > most ? bits : most;
    }
    memcpy(&largest32, &most32, sizeof most32);
    memcpy(&largest, &most, sizeof most);
    return single ? (double)largest32 : largest;
}

/* unit (width) = x / |x|, or anything if x is zero; returns the largest element.

   x is divided by that first. The quotients of rows that are exactly proportional are of the same real numbers, and
   IEEE 754 rounds these alike: so these rows have the same unit, to the last bit. And no square overflows, or
   underflows while it counts. */
INLINE double to_unit(const void *x, const int single, int64_t width, double *unit) {
    const double largest = largest_of(x, single, width);
    if (largest == 0) return 0;
    for (int64_t i = 0; i < width; i++) unit[i] = real_at(x, single, i) / largest;
    const double factor = 1 / sqrt(sum_of_terms(COSINE, unit, NULL, 0, width));
    for (int64_t i = 0; i < width; i++) unit[i] *= factor;
    return largest;
}

/* What the cosines of some rows are computed of. */
typedef struct {
    double *largest; /* elements; 0: a zero vector */
    double *square;  /* of bytes |x|^2 / largest^2, */
    double *unit;    /* and of reals (.., columns) x / |x| */
} cosine_norms;

/* One thread's, for a block of queries. */
typedef struct {
    cosine_norms q, x; /* of the block's queries, and of the last rows looked at: row r is at r % kept */
    int64_t kept;
    int64_t *row; /* (kept) which these are; -1: none */
} cosine_cache;

static const void *point_at(const fnn_search *s, const void *rows, int64_t i) {
    return (const char *)rows + i * s->columns * (s->is_uint8 ? 1 : (int64_t)sizeof(real));
}

/* norms[at] = those of a row or query x */
static void find_norm(const fnn_search *s, const void *x, const cosine_norms *norms, int64_t at) {
    const int64_t width = s->columns;
    if (s->is_uint8) {
        const double largest = norms->largest[at] = (double)largest_byte(x, width);
        norms->square[at] = (double)byte_dot(x, x, width) / (largest * largest);
    } else {
        norms->largest[at] = to_unit(x, REAL_IS_FLOAT, width, norms->unit + at * width);
    }
}

/* Lays the cache out; of other metrics it is empty. */
static void lay_cosines_out(cosine_cache *cache, const fnn_search *s, arena_cursor *at) {
    const int64_t kept = s->plan->unit_rows, queries = kept ? s->plan->block : 0, unit = s->is_uint8 ? 0 : s->columns;
    cache->kept = kept;
    cache->row = arena_take(at, kept * sizeof(int64_t));
    for (int i = 0; i < 2; i++) {
        cosine_norms *norms = i ? &cache->x : &cache->q;
        const int64_t count = i ? kept : queries;
        norms->largest = arena_take(at, count * sizeof(double));
        norms->square = arena_take(at, count * sizeof(double));
        norms->unit = arena_take(at, count * unit * sizeof(double));
    }
}

static void clear_cosines(cosine_cache *cache) {
    for (int64_t i = 0; i < cache->kept; i++) cache->row[i] = -1;
}

/* Finds the norms of a block's queries, where the metric needs them. */
static void find_query_norms(const fnn_search *s, cosine_cache *cache, int64_t first, int64_t count) {
    for (int64_t i = 0; i < count && s->metric == COSINE; i++) find_norm(s, point_at(s, s->q, first + i), &cache->q, i);
}

/* 1 - cos, where q and x stand for themselves over their largest elements: see to_unit. Of parallel bytes all quotients
   are the same r, and sqrt(r^2) is r without rounding. Of reals it is |q / |q| - x / |x||^2 / 2. */
static double cosine_value(const fnn_search *s, cosine_cache *cache, int64_t query, const void *q, int64_t row,
                           const void *x) {
    const int64_t width = s->columns, at = row % cache->kept;
    if (cache->row[at] != row) find_norm(s, x, &cache->x, at);
    cache->row[at] = row;
    const double largest = cache->q.largest[query] * cache->x.largest[at];
    if (cache->q.largest[query] == 0 || cache->x.largest[at] == 0) return 1;
    if (!s->is_uint8)
        return sum_of_terms(EUCLIDEAN, cache->q.unit + query * width, cache->x.unit + at * width, 0, width) / 2;
    const double norms = sqrt(cache->q.square[query] * cache->x.square[at]);
    const double value = 1 - (double)byte_dot(q, x, width) / largest / norms;
    return value > 0 ? value : 0;
}

/* The value of the query `first` + `query`, which is that of the block, and a row. */
static double pair_value(const fnn_search *s, const byte_kernels *bytes, cosine_cache *cache, int64_t first,
                         int64_t query, int64_t row) {
    const void *q = point_at(s, s->q, first + query), *x = point_at(s, s->x, row);
    int64_t square;
    if (s->metric == COSINE) return cosine_value(s, cache, query, q, row, x);
    if (s->is_uint8 && s->metric == MANHATTAN) return (double)byte_differences(q, x, s->columns);
    if (s->metric == MANHATTAN) return sum_of_terms(MANHATTAN, q, x, REAL_IS_FLOAT, s->columns);
    if (!s->is_uint8) return sum_of_terms(EUCLIDEAN, q, x, REAL_IS_FLOAT, s->columns);
    bytes->squares(q, x, s->columns, &(candidate){0, 0}, 1, &square);
    return (double)square;
}

/* Whether values are the squares that byte_kernels has for many pairs at once. */
static int is_by_squares(const fnn_search *s) { return s->is_uint8 && s->metric == EUCLIDEAN; }

/* The Euclidean distance, of unit vectors for COSINE, that codes bound for a value, rounded up. */
static double code_distance(const fnn_search *s, double value) {
    return sqrt(s->metric == COSINE ? 2 * value : value) * (1 + 1e-14);
}

/* What rows are prepared by, so that their rounding is relative to their distances, and no square overflows where no
   distance does. */
typedef struct {
    real *centre; /* (columns) that they are relative to */
    real unit;    /* the power of two that they are multiplied by */
} row_scale;

/* Finds it from a few rows: the medians, which no outlier moves, and how far the rows are from these. */
static void find_row_scale(const fnn_search *s, row_scale *scale) {
    const int64_t count = s->rows < CENTRE_ROWS ? s->rows : CENTRE_ROWS;
    real most = 0;
    for (int64_t i = 0; i < s->columns; i++) {
        real sorted[CENTRE_ROWS];
        for (int64_t k = 0; k < count; k++) {
            const void *row = point_at(s, s->x, s->rows * k / count);
            const real x = s->is_uint8 ? (real)((const uint8_t *)row)[i] : ((const real *)row)[i];
            int64_t at = k;
            for (; at > 0 && sorted[at - 1] > x; at--) sorted[at] = sorted[at - 1];
            sorted[at] = x;
        }
        scale->centre[i] = s->metric == EUCLIDEAN ? sorted[count / 2] : 0;
        const real above = sorted[count - 1] - scale->centre[i], below = scale->centre[i] - sorted[0];
        if (above > most) most = above;
        if (below > most) most = below;
    }
    int exponent = most > 0 ? ilogb((double)most) : 0;
    if (exponent > 100) exponent = 100;
    if (exponent < -100) exponent = -100;
    scale->unit = (real)ldexp(1, -exponent);
}

/* to (columns) = a row as tiles of reals take it */
static void prepare_row(const fnn_search *s, const row_scale *scale, const void *row, real *to) {
    const int64_t width = s->columns;
    const real unit = scale->unit, *centre = scale->centre;
    if (s->is_uint8)
        for (int64_t i = 0; i < width; i++) to[i] = (real)((const uint8_t *)row)[i];
    else
        memcpy(to, row, width * sizeof(real));
    if (s->metric == EUCLIDEAN) {
        for (int64_t i = 0; i < width; i++) to[i] = (to[i] - centre[i]) * unit;
    } else if (s->metric == MANHATTAN) {
        for (int64_t i = 0; i < width; i++) to[i] *= unit;
    } else {
        double square = sum_of_terms(COSINE, to, NULL, REAL_IS_FLOAT, width);
        if (!REAL_IS_FLOAT && square < 0x1p-800) { /* of which some squares underflow */
            for (int64_t i = 0; i < width; i++) to[i] *= REAL_IS_FLOAT ? 1 : (real)0x1p600;
            square = sum_of_terms(COSINE, to, NULL, REAL_IS_FLOAT, width);
        }
        const double factor = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t i = 0; i < width; i++) to[i] = (real)(to[i] * factor);
    }
}

/* How a query's threshold is kept for tiles of reals: a distance for EUCLIDEAN, else a value. */
static double real_distance(const fnn_search *s, double value) {
    return s->metric == EUCLIDEAN ? sqrt(value) * (1 + 1e-14) : value;
}

/* threshold (count) = the least scores of rows no longer than `longest` that queries want: those within a `distance`,
   or if that is below 0 none. norm (count): |q|, prepared. */
static void find_real_thresholds(const fnn_search *s, real unit, double longest, int64_t count, const double *norm,
                                 const double *distance, real *threshold) {
    const double epsilon = REAL_IS_FLOAT ? 0x1p-23 : 0x1p-52; /* twice the rounding of one operation */
    const double gamma = (double)(s->columns + 16) * epsilon;
    const double tiny = (double)s->columns * (REAL_IS_FLOAT ? 0x1p-125 : 0x1p-1021); /* what may underflow */
    const double far = REAL_IS_FLOAT ? 1e18 : 1e150; /* norms whose squares might overflow */
    const double bound = longest * (1 + gamma);
    for (int64_t i = 0; i < count; i++) {
        double least;
        if (s->metric == EUCLIDEAN) {
            /* |q - x| <= distance, rounding of the prepared included; then of the score */
            const double apart = distance[i] * (double)unit + epsilon * (norm[i] + bound);
            least = (norm[i] * norm[i] - apart * apart) / 2 - gamma * (norm[i] * bound + bound * bound) - tiny;
            if (!(norm[i] < far && bound < far)) least = -INFINITY;
        } else if (s->metric == MANHATTAN) {
            least = -distance[i] * (double)unit * (1 + 2 * gamma) - tiny;
        } else {
            least = 1 - distance[i] - 2 * gamma;
        }
        least -= (least < 0 ? -least : least) * epsilon;
        threshold[i] = distance[i] < 0 ? (real)INFINITY : (real)least;
    }
}

#endif
