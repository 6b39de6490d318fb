/* Visits of a block of queries to the next rows.

   A visit compares the block with INT_ROWS or REAL_ROWS rows in register tiles, whose last instructions compare the
   scores with what each query still wants; what reaches that is a hit, unless the finer codes rule it out. A hit's value,
   that of an exact score or computed as spec.Kernels says, decides. So results depend neither on the tiles' rounding nor
   on who does what. */
#ifndef FNN_SEARCH_SCAN_H
#define FNN_SEARCH_SCAN_H

#include "searcher.h"

/* Makes the hits of a visit from the masks, and their squares from exact scores. */
static void take_hits(searcher *here, uint32_t valid, int exact) {
    const int32_t *scores = here->found;
    for (int64_t place = 0; place < here->count; place += INT_LANES) {
        uint32_t some = nonzero(*(const ints *)(here->masks + place));
        if (here->count - place < INT_LANES) some &= ((uint32_t)1 << (here->count - place)) - 1;
        for (; some; some &= some - 1, scores += INT_ROWS) {
            const int64_t at = place + __builtin_ctz(some);
            const int32_t query = here->order[at];
            for (uint32_t mask = here->masks[at] & valid; mask; mask &= mask - 1) {
                const int32_t row = __builtin_ctz(mask);
                if (exact)
                    here->squares[here->hit_count] =
                        (int64_t)here->norm[query] - 2 * (int64_t)scores[row] + (here->odd >> row & 1);
                here->hits[here->hit_count++] = (fnn_pair){query, row};
            }
        }
    }
}

/* squares = the hits' distances by bytes: queries and rows, or codes of some width. */
static void measure(searcher *here, const uint8_t *queries, const uint8_t *rows, int64_t width, int64_t row) {
    here->job->bytes->squares(queries + here->first * width, rows + row * width, width, here->hits, here->hit_count,
                              here->squares);
}

/* Leaves of the hits those whose codes are as near as the query wants. */
static void sift(searcher *here, const uint8_t *query_codes, const uint8_t *row_codes, int64_t width, int64_t row) {
    const fnn_search *s = here->job->search;
    const float *errors = s->row_errors + row;
    int64_t left = 0;
    measure(here, query_codes, row_codes, width, row);
    for (int64_t h = 0; h < here->hit_count; h++) {
        const fnn_pair hit = here->hits[h];
        const double reach = here->own[hit.query] + errors[hit.row];
        here->hits[left] = hit;
        left += (reach >= 0) & ((double)here->squares[h] <= reach * reach * (1 + 1e-6));
    }
    here->hit_count = left;
}

/* Asks for a row, of which only codes have been read. */
INLINE void fetch_row(const searcher *here, int64_t row) {
    const char *start = point_at(here->job->search, here->job->search->x, row);
    const int64_t bytes = (const char *)point_at(here->job->search, here->job->search->x, row + 1) - start;
    for (int64_t at = 0; at < bytes && at < MOST_PREFETCHED; at += 64) __builtin_prefetch(start + at);
}

/* Lets the rows' codes reach as far as their errors are above the least: by so much more, at most, than (own + least)^2
   is (own + error)^2. */
static void relax(searcher *here, int64_t row, int64_t height) {
    const fnn_search *s = here->job->search;
    const double least = here->job->least_error;
    if (here->narrowed) {
        here->widest = 0;
        for (int64_t i = 0; i < here->count; i++) {
            const double own = here->reach[i] / s->scale + s->query_errors[here->first + i];
            if (isfinite(own) && own > here->widest) here->widest = own;
        }
        here->widest *= 1 + 1e-6;
        here->narrowed = 0;
    }
    const float *errors = s->row_errors + row, shared = (float)(2 * here->widest + least), lowest = (float)least;
    const float most = 1 << 30; /* more than any two codes are apart */
    for (int64_t r = 0; r < height; r++) {
        const float more = (errors[r] - lowest) * (errors[r] + shared) * 0.500001f;
        here->start[r] += (int32_t)(more < most ? more : most) + 1;
    }
}

/* Compares the block with rows of bytes or codes. A query that goes alone meets all rows. */
static void scan_bytes(searcher *here, int64_t row, int64_t height, uint32_t valid) {
    const fnn_search *s = here->job->search;
    const bytes_kernels *bytes = here->job->bytes;
    const int by_codes = here->form == SCAN_CODES, plain = here->form == SCAN_BYTES;
    const uint8_t *queries = plain ? s->q : s->query_codes, *rows = plain ? s->x : s->row_codes;
    const int64_t width = plain ? s->columns : s->width, groups = here->groups;
    if (here->alone) {
        for (int32_t r = 0; r < height; r++) here->hits[here->hit_count++] = (fnn_pair){0, r};
        if (by_codes)
            sift(here, queries, rows, width, row);
        else
            measure(here, queries, rows, width, row);
    } else {
        here->odd = bytes->pack(rows + row * width, width, height, here->kept, here->byte_rows, here->start);
        if (by_codes) relax(here, row, height);
        int32_t *found = here->found;
        if (!here->in_teams)
            bytes->compare(here->byte_rows, here->start, here->byte_queries, groups, here->byte_limit, here->masks,
                           here->tiles, found);
        for (int64_t team = 0; here->in_teams && team < here->tiles; team++)
            found = bytes->team(here->byte_rows, here->start, here->byte_queries + team * groups * QUERY_TEAM,
                                here->listed + team * groups, here->listed_count[team],
                                here->byte_limit + team * QUERY_TEAM, here->masks + team * QUERY_TEAM, found);
        take_hits(here, valid, !by_codes);
    }
    if (!by_codes) return;
    here->refined = here->hit_count;
    if (here->job->plan->refines) sift(here, s->finer_queries, s->finer_rows, s->finer_width, row);
    for (int64_t h = 0; h < here->hit_count; h++) fetch_row(here, row + here->hits[h].row);
}

/* real_rows = some rows, prepared; real_start = where their scores begin. Returns their greatest norm. */
static double pack_reals_tile(searcher *here, int64_t row, int64_t height) {
    const search_job *job = here->job;
    const fnn_search *s = job->search;
    const int64_t width = s->columns, padded = (width + 3) / 4 * 4;
    real *to = here->real_rows, most = 0;
    for (int64_t r = 0; r < REAL_ROWS; r += 4) {
        for (int64_t k = 0; k < 4; k++)
            if (r + k < height)
                prepare(job, point_at(s, s->x, row + r + k), here->four_rows + k * padded);
            else
                memset(here->four_rows + k * padded, 0, width * sizeof(real));
        for (int64_t i = 0; i < padded; i += 4)
            transpose(here->four_rows + i, padded, to + i * REAL_ROWS + r, REAL_ROWS);
    }
    for (int64_t j = 0; j < REAL_ROWS; j += LANES) {
        vec square = {0};
        if (s->metric == EUCLIDEAN)
            for (int64_t i = 0; i < width; i++) {
                const vec x = vload(to + i * REAL_ROWS + j);
                square = vfma(x, x, square);
            }
        vstore(here->real_start + j, square * (real)-0.5);
        for (int k = 0; k < LANES; k++)
            if (!(square[k] <= most)) most = square[k];
    }
    return sqrt((double)most);
}

/* real_limit: the least score that a row may have which a query wants, when the rows' norms are at most `most`. */
static void limit_reals(searcher *here, double most) {
    const search_job *job = here->job;
    const double epsilon = REAL_IS_FLOAT ? 0x1p-23 : 0x1p-52; /* twice the rounding of one operation */
    const double gamma = (double)(job->search->columns + 16) * epsilon, unit = (double)job->unit;
    const double tiny = (double)job->search->columns * (REAL_IS_FLOAT ? 0x1p-125 : 0x1p-1021); /* what may underflow */
    const double far = REAL_IS_FLOAT ? 1e18 : 1e150; /* norms whose squares might overflow */
    const double bound = most * (1 + gamma);
    for (int64_t i = 0; i < here->count; i++) {
        const double norm = here->norm[i], reach = here->reach[i];
        double least;
        if (job->search->metric == EUCLIDEAN) {
            /* |q - x| <= reach, rounding of the prepared included; then of the score */
            const double apart = reach * unit + epsilon * (norm + bound);
            least = (norm * norm - apart * apart) / 2 - gamma * (norm * bound + bound * bound) - tiny;
            if (!(norm < far && bound < far)) least = -INFINITY;
        } else if (job->search->metric == MANHATTAN) {
            least = -reach * unit * (1 + 2 * gamma) - tiny;
        } else {
            least = 1 - reach - 2 * gamma;
        }
        least -= (least < 0 ? -least : least) * epsilon;
        here->real_limit[i] = reach < 0 ? (real)INFINITY : (real)least;
    }
}

static void scan_reals(searcher *here, int64_t row, int64_t height, uint32_t valid) {
    const int64_t width = here->job->search->columns;
    limit_reals(here, pack_reals_tile(here, row, height));
    for (int64_t tile = 0; tile < here->tiles; tile++) {
        const real *q = here->real_queries + tile * width * TILE_ROWS, *limit = here->real_limit + tile * TILE_ROWS;
        uint32_t *masks = here->masks + tile * TILE_ROWS;
        if (here->job->search->metric == MANHATTAN)
            tile_of_differences(here->real_rows, here->real_start, q, width, limit, masks);
        else
            tile_of_products(here->real_rows, here->real_start, q, width, limit, masks);
    }
    take_hits(here, valid, 0);
}

/* Begins with these lists; `room`: how many rows wait. */
static void use_lists(searcher *here, int64_t room, double *values, int64_t *indices, int64_t k) {
    here->k = k;
    here->room = room;
    here->values = values;
    here->indices = indices;
    memset(here->taken, 0, here->count * sizeof *here->taken);
}

/* Leaves the k best of a query's rows, of which there are as many at least, with the worst of them in the last place. */
static void select_best(searcher *here, int64_t query) {
    const int64_t k = here->k, room = here->room, taken = here->taken[query];
    double *values = here->values + query * k, *all_values = here->all_values;
    int64_t *indices = here->indices + query * k, *all_indices = here->all_indices;
    if (taken > k) {
        memcpy(all_values, values, k * sizeof *values);
        memcpy(all_indices, indices, k * sizeof *indices);
        memcpy(all_values + k, here->waiting_values + query * room, (taken - k) * sizeof *values);
        memcpy(all_indices + k, here->waiting_indices + query * room, (taken - k) * sizeof *indices);
        select_row(all_values, all_indices, taken, k - 1);
        memcpy(values, all_values, k * sizeof *values);
        memcpy(indices, all_indices, k * sizeof *indices);
    } else {
        select_row(values, indices, k, k - 1);
    }
    here->taken[query] = k;
    here->cap[query] = values[k - 1];
}

/* Takes a row in if it is better than the worst of k; is that another one now? */
INLINE int offer(searcher *here, int64_t query, double value, int64_t index) {
    if (!(value <= here->cap[query])) return 0;
    const int64_t k = here->k, room = here->room, taken = here->taken[query], waits = taken - k;
    double *values = here->values + query * k;
    int64_t *indices = here->indices + query * k;
    if (waits >= 0 && !is_better(value, index, values[k - 1], indices[k - 1])) return 0;
    if (room == 0) {
        insert_row(values, indices, waits < 0 ? taken : k - 1, value, index);
        if (waits < 0) here->taken[query] = taken + 1;
        if (waits < -1) return 0;
        here->cap[query] = values[k - 1];
        return 1;
    }
    values = waits < 0 ? values + taken : here->waiting_values + query * room + waits;
    indices = waits < 0 ? indices + taken : here->waiting_indices + query * room + waits;
    *values = value;
    *indices = index;
    here->taken[query] = taken + 1;
    if (waits + 1 != 0 && waits + 1 != room) return 0;
    select_best(here, query);
    return 1;
}

/* Takes the hits of a visit into the lists. */
static void settle(searcher *here, int64_t row) {
    const fnn_search *s = here->job->search;
    const int measured = here->form == SCAN_SEEDS || here->form == SCAN_BYTES;
    const int by_squares = measured || (s->is_uint8 && s->metric == EUCLIDEAN);
    if (by_squares && !measured) measure(here, s->q, s->x, s->columns, row);
    for (int64_t h = 0; h < here->hit_count; h++) {
        const int64_t query = here->hits[h].query, index = row + here->hits[h].row;
        const double value = by_squares ? (double)here->squares[h] : value_of(here, query, index);
        if (offer(here, query, value, index)) aim(here, query);
    }
}

static void scan_rows(searcher *here, int64_t row, int64_t height) {
    for (int64_t i = 0; i < here->count; i++)
        for (int64_t r = row; r < row + height; r++) offer(here, i, value_of(here, i, r), r);
}

/* Compares the block with the next rows before `high`; returns how many these are. */
static int64_t visit(searcher *here, int64_t row, int64_t high) {
    const int64_t most = here->form == SCAN_REALS ? REAL_ROWS : INT_ROWS;
    const int64_t height = high - row < most ? high - row : most;
    const uint32_t valid = ~(uint32_t)0 >> (32 - height);
    here->hit_count = here->refined = 0;
    if (here->form == SCAN_PAIRS)
        scan_rows(here, row, height);
    else if (here->form == SCAN_REALS)
        scan_reals(here, row, height, valid);
    else
        scan_bytes(here, row, height, valid);
    settle(here, row);
    return height;
}

#endif
