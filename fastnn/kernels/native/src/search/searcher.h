/* A block of queries in search of nearest neighbours: what they look for, and how they are laid out for the tiles that
   visits.h compares with rows. */
#ifndef FNN_SEARCH_SEARCHER_H
#define FNN_SEARCH_SEARCHER_H

#include "real_tiles.h"
#include "values.h"
#include "top_k.h"
#include "byte_kernels.h"
#include "query_order.h"
#include "../arena.h"

#define SAMPLED 15      /* rows that tell where the data lie */

typedef struct {
    const fnn_search *search;
    const fnn_search_plan *plan;
    const bytes_kernels *bytes;
    int64_t next; /* of the work's blocks * parts items */
    double *values;               /* (parts, queries, k), of one part search->values */
    int64_t *indices;
    double *all_values; /* (parts * k) of one query */
    int64_t *all_indices;
    real *centre; /* (columns) that prepared rows are relative to, and the power of two that they are multiplied by */
    real unit;
    float least_error; /* of the rows' codes */
    char *arena;
    size_t thread_bytes;
    fnn_interrupt *interrupt;
    int stop, finished; /* finished: threads that have no more to do */
} search_job;

/* What the cosine of rows or queries is computed of. */
typedef struct {
    double *largest; /* elements; 0: a zero vector */
    double *square;  /* of bytes |x|^2 / largest^2, */
    double *unit;    /* and of reals (.., columns) x / |x| */
} cosine_norms;

/* One thread's block of queries. Lists have an entry a query, padded to whole tiles. */
typedef struct {
    search_job *job;
    int thread;
    fnn_scan form;
    int64_t first, count;
    int64_t tiles, tile_rows, in_teams; /* of queries, in the form; whether its tiles are teams */
    int32_t *order, *place; /* order[i]: which query is in the tiles' i-th place; and each query's place */
    int64_t k, room;  /* of the lists: of the best so far, and of those that wait, which are at least as good as the k-th */
    double *values;   /* (count, k), the k-th last; sorted if nobody waits */
    int64_t *indices;
    double *waiting_values; /* (count, room) */
    int64_t *waiting_indices;
    int64_t *taken;      /* how many there are of both */
    double *all_values;  /* (k + room) of one query, from which the best are selected */
    int64_t *all_indices;
    double *seed_values; /* (block, seeds), the lists of SCAN_SEEDS */
    int64_t *seed_indices;
    double *cap;      /* no row with a greater value is among the k best; once there are k, the worst of them at most */
    double *reach;    /* the greatest distance, or in tiles of bytes value, that is still wanted; below 0: none */
    double *norm;     /* |q|, prepared; for codes and bytes pack_query's */
    cosine_norms q, x;    /* for COSINE: of the queries, and of some rows, row r at r % cached; */
    int64_t cached;      /* of how many, */
    int64_t *cached_row; /* (cached) and of which; -1: none */
    double *own;      /* the reach in units of the codes, with the query's error; -INFINITY: none */
    int32_t *byte_limit; /* by places */
    real *real_limit;
    uint8_t *kept;   /* (fours of bytes) whether some of the block's queries are not zero there; */
    int32_t *fours;  /* which these are, */
    int64_t groups;  /* and how many elements a row has of them */
    int32_t *byte_queries; /* (tiles, groups, tile_rows); of teams the groups alone that are not zero in all of it, */
    int32_t *listed;       /* (tiles, groups) where their elements are in byte_rows, */
    int64_t *listed_count; /* (tiles) and how many they are */
    uint64_t *active;      /* room to arrange the queries in */
    int alone;             /* whether the block's only query is not worth packing rows for */
    real *real_queries;    /* (tiles, columns, TILE_ROWS) */
    int32_t *byte_rows;    /* (groups, INT_ROWS) */
    real *real_rows;       /* (columns, REAL_ROWS) */
    real *four_rows;       /* (4, columns padded to a multiple of 4), prepared */
    int32_t start[INT_ROWS] __attribute__((aligned(64)));
    real real_start[REAL_ROWS] __attribute__((aligned(64)));
    double widest; /* no finite reach in units of the codes is greater; `narrowed` says that it should be found anew */
    int narrowed;
    uint32_t *masks;  /* by places, of one visit */
    int32_t *found;   /* (queries with a hit, INT_ROWS) their scores in tiles of bytes */
    uint32_t odd;     /* the rows' bits, of bytes */
    fnn_pair *hits;   /* (block * INT_ROWS) */
    int64_t *squares; /* of their distances */
    int64_t hit_count, refined; /* refined: hits whose finer codes were compared */
} searcher;

/* Queries in whole tiles and teams of any size. */
static int64_t padded_queries(int64_t queries) { return (queries + 95) / 96 * 96; }

static const void *point_at(const fnn_search *s, const void *rows, int64_t i) {
    return (const char *)rows + i * s->columns * (s->is_uint8 ? 1 : (int64_t)sizeof(real));
}

/* to (columns) = a row as the tiles of reals take it */
static void prepare(const search_job *job, const void *row, real *to) {
    const fnn_search *s = job->search;
    const int64_t width = s->columns;
    const real unit = job->unit, *centre = job->centre;
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

/* Finds the centre and the unit from a few rows: the medians, which no outlier moves, and how far they are from these. */
static void find_centre(search_job *job) {
    const fnn_search *s = job->search;
    const int64_t count = s->rows < SAMPLED ? s->rows : SAMPLED;
    real most = 0;
    for (int64_t i = 0; i < s->columns; i++) {
        real sorted[SAMPLED];
        for (int64_t k = 0; k < count; k++) {
            const void *row = point_at(s, s->x, s->rows * k / count);
            const real x = s->is_uint8 ? (real)((const uint8_t *)row)[i] : ((const real *)row)[i];
            int64_t at = k;
            for (; at > 0 && sorted[at - 1] > x; at--) sorted[at] = sorted[at - 1];
            sorted[at] = x;
        }
        job->centre[i] = s->metric == EUCLIDEAN ? sorted[count / 2] : 0;
        const real above = sorted[count - 1] - job->centre[i], below = job->centre[i] - sorted[0];
        if (above > most) most = above;
        if (below > most) most = below;
    }
    int exponent = most > 0 ? ilogb((double)most) : 0;
    if (exponent > 100) exponent = 100;
    if (exponent < -100) exponent = -100;
    job->unit = (real)ldexp(1, -exponent);
}

/* Writes what the cosine of a row or query x is computed of, at some place. */
static void find_length(const fnn_search *s, const void *x, const cosine_norms *to, int64_t at) {
    const int64_t width = s->columns;
    if (s->is_uint8) {
        const double largest = to->largest[at] = (double)largest_byte(x, width);
        to->square[at] = (double)dot_of_bytes(x, x, width) / (largest * largest);
    } else {
        to->largest[at] = to_unit(x, REAL_IS_FLOAT, width, to->unit + at * width);
    }
}

/* 1 - cos, where q and x stand for themselves over their largest elements: see to_unit. Of parallel bytes all quotients
   are the same r, and sqrt(r^2) is r without rounding. Of reals it is |q / |q| - x / |x||^2 / 2. */
static double cosine_value(searcher *here, int64_t query, const void *q, int64_t row, const void *x) {
    const fnn_search *s = here->job->search;
    const int64_t width = s->columns, at = row % here->cached; /* several queries of the block look at the same row */
    if (here->cached_row[at] != row) find_length(s, x, &here->x, at);
    here->cached_row[at] = row;
    const double largest = here->q.largest[query] * here->x.largest[at];
    if (here->q.largest[query] == 0 || here->x.largest[at] == 0) return 1;
    if (!s->is_uint8)
        return sum_of_terms(EUCLIDEAN, here->q.unit + query * width, here->x.unit + at * width, 0, width) / 2;
    const double norms = sqrt(here->q.square[query] * here->x.square[at]);
    const double value = 1 - (double)dot_of_bytes(q, x, width) / largest / norms;
    return value > 0 ? value : 0;
}

/* The value of a pair of query, of the block, and row. */
static double value_of(searcher *here, int64_t query, int64_t row) {
    const fnn_search *s = here->job->search;
    const void *q = point_at(s, s->q, here->first + query), *x = point_at(s, s->x, row);
    if (s->metric == COSINE) return cosine_value(here, query, q, row, x);
    if (s->is_uint8) return value_of_bytes(here->job->bytes, s->metric, q, x, s->columns);
    if (s->metric == MANHATTAN) return sum_of_terms(MANHATTAN, q, x, REAL_IS_FLOAT, s->columns);
    return sum_of_terms(EUCLIDEAN, q, x, REAL_IS_FLOAT, s->columns);
}

/* What a query still wants, from its list and, for the form, in its unit. */
static void aim(searcher *here, int64_t query) {
    const search_job *job = here->job;
    const fnn_search *s = job->search;
    const int full = here->taken[query] >= here->k;
    const int exact = here->form == SCAN_BYTES || here->form == SCAN_SEEDS;
    double reach = here->cap[query];
    int32_t *byte_limit = here->byte_limit + here->place[query];
    /* rows come in ascending order: one of the same value as the worst is no better */
    if (full && (exact || reach == 0) && reach == here->values[(query + 1) * here->k - 1]) reach--;
    if (exact) {
        const double least = floor((here->norm[query] - reach) / 2);
        *byte_limit = reach < 0 ? INT32_MAX : least < INT32_MIN ? INT32_MIN : (int32_t)least;
    } else if (reach >= 0) {
        const int as_distance = here->form == SCAN_CODES || s->metric == EUCLIDEAN;
        if (as_distance) reach = sqrt(s->metric == COSINE ? 2 * reach : reach) * (1 + 1e-14);
    }
    if (here->form == SCAN_CODES) {
        const double own = (reach / s->scale + s->query_errors[here->first + query]) * (1 + 1e-6);
        const double least = floor((here->norm[query] - (own + job->least_error) * (own + job->least_error)) / 2) - 2;
        here->own[query] = reach < 0 ? -INFINITY : own;
        here->narrowed |= *byte_limit == INT32_MIN;
        *byte_limit = reach < 0 ? INT32_MAX : least < INT32_MIN ? INT32_MIN : (int32_t)least;
    }
    here->reach[query] = reach;
}

/* Whether the block's queries go in teams; these are arranged then. */
static int arrange_teams(searcher *here, const uint8_t *q, int64_t width) {
    const fnn_search_plan *plan = here->job->plan;
    const fnn_query_grouping grouping = here->form == plan->scan ? plan->queries : plan->plain_queries;
    if (here->form == SCAN_SEEDS || grouping != QUERIES_IN_MICRO_BATCHES) return 0;
    return arrange(q, here->count, width, here->active, here->order) < plan->most_active;
}

/* byte_queries = the block's queries of bytes, in teams if enough of these are zero. */
static void pack_byte_queries(searcher *here, const uint8_t *q, int64_t width) {
    const bytes_kernels *bytes = here->job->bytes;
    here->alone = here->job->plan->queries == QUERIES_ONE_BY_ONE;
    if (here->alone) return;
    const int64_t fours = keep_fours(q, here->count, width, here->kept, here->fours), groups = bytes->groups(4 * fours);
    here->groups = groups;
    here->in_teams = arrange_teams(here, q, width);
    here->tile_rows = here->in_teams ? QUERY_TEAM : bytes->queries;
    here->tiles = (here->count + here->tile_rows - 1) / here->tile_rows;
    memset(here->byte_queries, 0, here->tiles * here->tile_rows * groups * sizeof(int32_t));
    for (int64_t i = 0; i < here->count; i++) {
        const int64_t query = here->order[i], tile = i / here->tile_rows;
        int32_t *to = here->byte_queries + tile * groups * here->tile_rows;
        here->norm[query] = (double)bytes->pack_query(q + query * width, width, here->fours, fours, to,
                                                      here->tile_rows, i % here->tile_rows);
    }
    for (int64_t team = 0; here->in_teams && team < here->tiles; team++) {
        const int4 *from = (const int4 *)(here->byte_queries + team * groups * QUERY_TEAM);
        int4 *to = (int4 *)from;
        int32_t *index = here->listed + team * groups;
        for (int64_t g = 0; g < groups; g++)
            if (from[g][0] | from[g][1] | from[g][2] | from[g][3]) *to++ = from[g], *index++ = (int32_t)(g * INT_ROWS);
        here->listed_count[team] = to - from;
    }
}

/* Makes the block's queries ready for a form. */
static void enter_form(searcher *here, fnn_scan form) {
    const search_job *job = here->job;
    const fnn_search *s = job->search;
    const int64_t padded = padded_queries(here->count), width = s->columns;
    here->form = form;
    here->tile_rows = TILE_ROWS;
    here->tiles = (here->count + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t i = 0; i < padded; i++) {
        here->order[i] = (int32_t)i;
        here->byte_limit[i] = INT32_MAX;
        here->real_limit[i] = INFINITY;
        here->reach[i] = -1;
    }
    if (form == SCAN_CODES || form == SCAN_SEEDS) {
        pack_byte_queries(here, s->query_codes + here->first * s->width, s->width);
    } else if (form == SCAN_BYTES) {
        pack_byte_queries(here, (const uint8_t *)s->q + here->first * width, width);
    } else if (form == SCAN_REALS) {
        memset(here->real_queries, 0, padded * width * sizeof(real));
        for (int64_t i = 0; i < here->count; i++) {
            real *to = here->real_queries + i / TILE_ROWS * width * TILE_ROWS + i % TILE_ROWS;
            double square = 0;
            prepare(job, point_at(s, s->q, here->first + i), here->four_rows);
            for (int64_t k = 0; k < width; k++) {
                to[k * TILE_ROWS] = here->four_rows[k];
                square += (double)here->four_rows[k] * (double)here->four_rows[k];
            }
            here->norm[i] = sqrt(square);
        }
    }
    for (int64_t i = 0; i < here->count; i++) here->place[here->order[i]] = (int32_t)i;
    for (int64_t i = 0; i < here->count; i++) {
        here->byte_limit[here->place[i]] = INT32_MIN;
        aim(here, i);
    }
    here->narrowed = 1;
}

#endif
