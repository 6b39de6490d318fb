/* Comparisons of a block of queries with some rows, tile after tile of rows.

   A tile's last instructions compare its scores with what each query still wants; pairs that reach it are candidates,
   unless the finer codes rule them out. A candidate's value, that of an exact score or computed as spec.Kernels says,
   decides. So results depend neither on the tiles' rounding nor on who does what.

   search.h calls the scans, each for a block that begin_scan made ready for it; they write to the block alone. */
#ifndef FNN_SEARCH_SCAN_H
#define FNN_SEARCH_SCAN_H

#include "query_block.h"

/* Lets signals be heard; is the search to stop? */
static int is_stopped(search_job *job, int thread) {
    if (thread == 0 && fnn_interrupted(job->interrupt)) __atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&job->stop, __ATOMIC_RELAXED);
}

/* Makes candidates of what the masks of a tile of rows say, but for rows that lack; and their squares from exact
   scores, where odd has a bit for each row whose square is odd. */
static void take_candidates(query_block *block, uint32_t valid, int exact, uint32_t odd) {
    const int32_t *scores = block->tiles.scores;
    const uint32_t *masks = block->tiles.masks;
    for (int64_t place = 0; place < block->count; place += INT_LANES) {
        uint32_t some = nonzero(*(const ints *)(masks + place));
        if (block->count - place < INT_LANES) some &= ((uint32_t)1 << (block->count - place)) - 1;
        for (; some; some &= some - 1, scores += INT_ROWS) {
            const int64_t at = place + __builtin_ctz(some);
            const int32_t query = block->order[at];
            for (uint32_t mask = masks[at] & valid; mask; mask &= mask - 1) {
                const int32_t row = __builtin_ctz(mask);
                if (exact)
                    block->squares[block->candidate_count] =
                        (int64_t)block->norm[query] - 2 * (int64_t)scores[row] + (odd >> row & 1);
                block->candidates[block->candidate_count++] = (candidate){query, row};
            }
        }
    }
}

/* squares = the candidates' distances by bytes: queries and rows, or codes of some width; `row`: the tile's first */
static void find_squares(query_block *block, const uint8_t *queries, const uint8_t *rows, int64_t width, int64_t row) {
    block->job->bytes->squares(queries + block->first * width, rows + row * width, width, block->candidates,
                               block->candidate_count, block->squares);
}

/* Leaves of the candidates those whose codes, the search's `which`-th, are as near as the query wants. */
static void refine(query_block *block, int64_t which, int64_t row) {
    const fnn_codes *codes = &block->job->search->codes[which];
    const float *errors = codes->row_errors + row;
    const double *distance = block->code_distance[which];
    int64_t left = 0;
    find_squares(block, codes->queries, codes->rows, codes->width, row);
    for (int64_t c = 0; c < block->candidate_count; c++) {
        const candidate pair = block->candidates[c];
        const double within = distance[pair.query] + errors[pair.row];
        block->candidates[left] = pair;
        left += (within >= 0) & ((double)block->squares[c] <= within * within * (1 + 1e-6));
    }
    block->candidate_count = left;
}

/* Raises the scores of rows whose codes' errors are above the least, for which the thresholds are: by so much more, at
   most, than (code_distance + least)^2 is (code_distance + error)^2. */
static void add_error_margins(query_block *block, int64_t row, int64_t height) {
    const double least = block->job->least_error, *distance = block->code_distance[0];
    if (block->widest_is_old) {
        block->widest = 0;
        for (int64_t i = 0; i < block->count; i++)
            if (isfinite(distance[i]) && distance[i] > block->widest) block->widest = distance[i];
        block->widest_is_old = 0;
    }
    const float *errors = block->job->search->codes[0].row_errors + row;
    const float shared = (float)(2 * block->widest + least), lowest = (float)least;
    const float most = 1 << 30; /* more than any two codes are apart */
    for (int64_t r = 0; r < height; r++) {
        const float more = (errors[r] - lowest) * (errors[r] + shared) * 0.500001f;
        block->tiles.start[r] += (int32_t)(more < most ? more : most) + 1;
    }
}

/* Takes the candidates in, by their squares or by the metric. */
static void push_candidates(query_block *block, int64_t row, int by_squares) {
    const search_job *job = block->job;
    for (int64_t c = 0; c < block->candidate_count; c++) {
        const int64_t query = block->candidates[c].query, index = row + block->candidates[c].row;
        const double value = by_squares
                                 ? (double)block->squares[c]
                                 : pair_value(job->search, job->bytes, &block->cosines, block->first, query, index);
        if (push(&block->best, query, value, index)) set_threshold(block, query);
    }
}

/* By products of bytes or codes, of every `stride`-th tile of the rows from..to. Returns the row that comes next: `to`,
   or less if codes let too many candidates through to pay. */
static int64_t scan_bytes(query_block *block, int64_t from, int64_t to, int64_t stride) {
    search_job *job = block->job;
    const fnn_search *s = job->search;
    const fnn_search_plan *plan = job->plan;
    const byte_kernels *bytes = job->bytes;
    const int plain = block->scan == SCAN_BYTES, by_codes = block->scan == SCAN_CODES;
    const uint8_t *queries = plain ? s->q : s->codes[0].queries, *rows = plain ? s->x : s->codes[0].rows;
    const int64_t width = plain ? s->columns : s->codes[0].width;
    double verified = 0;
    for (int64_t row = from, tile = 0; row < to; row += stride * INT_ROWS, tile++) {
        if (tile % POLL_TILES == 0) {
            if (is_stopped(job, block->thread)) return to;
            block->widest_is_old = 1;
        }
        const int64_t height = to - row < INT_ROWS ? to - row : INT_ROWS;
        block->candidate_count = 0;
        if (block->grouping == QUERIES_ALONE) {
            for (int32_t r = 0; r < height; r++) block->candidates[block->candidate_count++] = (candidate){0, r};
            if (by_codes)
                refine(block, 0, row);
            else
                find_squares(block, queries, rows, width, row);
        } else {
            const uint32_t odd =
                bytes->pack_rows(rows + row * width, width, height, block->kept, block->tiles.rows, block->tiles.start);
            if (by_codes) add_error_margins(block, row, height);
            if (block->grouping == QUERIES_IN_MICRO_BATCHES)
                bytes->compare_micro_batches(&block->tiles);
            else
                bytes->compare(&block->tiles);
            take_candidates(block, ~(uint32_t)0 >> (32 - height), !by_codes, odd);
        }
        if (!by_codes) {
            push_candidates(block, row, 1);
            continue;
        }
        for (int64_t c = 1; c <= plan->finer_codes; c++) {
            verified += plan->refine_cost * (double)block->candidate_count;
            refine(block, c, row);
        }
        if (is_by_squares(s)) find_squares(block, s->q, s->x, s->columns, row);
        push_candidates(block, row, is_by_squares(s));
        verified += (double)block->candidate_count;
        const double compared = (double)(block->count * (row + height - from));
        if (verified > plan->most_verified * compared + plan->grace * (double)block->count) return row + height;
    }
    return to;
}

/* By products or differences of prepared reals. */
static void scan_reals(query_block *block, int64_t from, int64_t to) {
    search_job *job = block->job;
    const fnn_search *s = job->search;
    for (int64_t row = from, tile = 0; row < to; row += REAL_ROWS, tile++) {
        if (tile % POLL_TILES == 0 && is_stopped(job, block->thread)) return;
        const int64_t height = to - row < REAL_ROWS ? to - row : REAL_ROWS, width = s->columns;
        const double longest =
            pack_real_rows(s, &job->scale, row, height, block->real_rows, block->real_start, block->four_rows);
        find_real_thresholds(s, job->scale.unit, longest, block->count, block->norm, block->distance,
                             block->real_threshold);
        for (int64_t t = 0; t < block->tiles.tiles; t++)
            compare_reals(s->metric, block->real_rows, block->real_start,
                          block->real_queries + t * width * TILE_QUERIES, width,
                          block->real_threshold + t * TILE_QUERIES, block->tiles.masks + t * TILE_QUERIES);
        block->candidate_count = 0;
        take_candidates(block, ~(uint32_t)0 >> (32 - height), 0, 0);
        if (is_by_squares(s)) find_squares(block, s->q, s->x, s->columns, row);
        push_candidates(block, row, is_by_squares(s));
    }
}

/* By the value of every pair. */
static void scan_pairs(query_block *block, int64_t from, int64_t to) {
    search_job *job = block->job;
    for (int64_t row = from, tile = 0; row < to; row += INT_ROWS, tile++) {
        if (tile % POLL_TILES == 0 && is_stopped(job, block->thread)) return;
        const int64_t end = to - row < INT_ROWS ? to : row + INT_ROWS;
        for (int64_t i = 0; i < block->count; i++)
            for (int64_t r = row; r < end; r++)
                push(&block->best, i, pair_value(job->search, job->bytes, &block->cosines, block->first, i, r), r);
    }
}

/* Lowers the thresholds to the k-th best of the seeds that a scan found: else most candidates are rows that come before
   any good ones. */
static void use_seeds(query_block *block) {
    const search_job *job = block->job;
    const fnn_search *s = job->search;
    top_k *best = &block->best;
    const int64_t k = s->k, seeds = best->k;
    for (int64_t i = 0; i < block->count; i++) {
        double *values = best->values + i * seeds;
        int64_t *indices = best->indices + i * seeds;
        select_best(best, i);
        for (int64_t j = 0; j < seeds; j++)
            values[j] = pair_value(s, job->bytes, &block->cosines, block->first, i, indices[j]);
        select_row(values, indices, seeds, k - 1);
        best->threshold[i] = values[k - 1];
    }
}

#endif
