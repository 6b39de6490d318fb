/* Exact nearest neighbours: blocks of queries against all rows, or several parts of the rows at once. */
#ifndef FNN_SEARCH_SEARCH_H
#define FNN_SEARCH_SEARCH_H

#include "scan.h"

/* Lets signals be heard; is the search to stop? */
static int is_stopped(search_job *job, int thread) {
    if (thread == 0 && fnn_interrupted(job->interrupt)) __atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&job->stop, __ATOMIC_RELAXED);
}

/* Caps what the queries want by the k-th best of twice as many rows, those whose codes are nearest: else most hits are
   rows that come before any good ones. */
static void seed(searcher *here, int64_t low, int64_t high) {
    const int64_t k = here->job->search->k, seeds = here->job->plan->seeds;
    for (int64_t i = 0; i < here->count; i++) here->cap[i] = INFINITY; /* any codes will do */
    use_lists(here, here->job->plan->seed_buffer, here->seed_values, here->seed_indices, seeds);
    enter_form(here, SCAN_SEEDS);
    for (int64_t row = low, visits = 0; row < high; row += SEED_STRIDE * INT_ROWS, visits++) {
        if (visits % POLL_TILES == 0 && is_stopped(here->job, here->thread)) return;
        visit(here, row, high);
    }
    for (int64_t i = 0; i < here->count; i++) {
        select_best(here, i);
        for (int64_t j = i * seeds; j < (i + 1) * seeds; j++) fetch_row(here, here->indices[j]);
        for (int64_t j = i * seeds; j < (i + 1) * seeds; j++) here->values[j] = value_of(here, i, here->indices[j]);
        select_row(here->values + i * seeds, here->indices + i * seeds, seeds, k - 1);
        here->cap[i] = here->values[i * seeds + k - 1];
    }
}

/* Compares a block of queries with the rows low..high; values and indices (count, k) are what it fills. */
static void search_item(searcher *here, int64_t low, int64_t high, double *values, int64_t *indices) {
    const fnn_search *s = here->job->search;
    const fnn_search_plan *plan = here->job->plan;
    double computed = 0;
    for (int64_t i = 0; i < here->count && s->metric == COSINE; i++)
        find_length(s, point_at(s, s->q, here->first + i), &here->q, i);
    for (int64_t i = 0; i < here->count; i++) here->cap[i] = INFINITY;
    if (plan->seeds) seed(here, low, high); /* so that the lists fill */
    for (int64_t i = 0; i < here->count; i++)
        if (s->limit < here->cap[i]) here->cap[i] = s->limit;
    use_lists(here, plan->buffer, values, indices, s->k);
    enter_form(here, plan->scan);
    for (int64_t row = low, visits = 0; row < high; visits++) {
        if (visits % POLL_TILES == 0) {
            if (is_stopped(here->job, here->thread)) return;
            here->narrowed = 1;
        }
        row += visit(here, row, high);
        computed += (double)here->hit_count + plan->refine_cost * (double)here->refined;
        const double compared = (double)(here->count * (row - low));
        if (here->form == SCAN_CODES && computed > plan->most_verified * compared + plan->grace * (double)here->count)
            enter_form(here, plan->plain_scan);
    }
    for (int64_t i = 0; i < here->count && !is_stopped(here->job, here->thread); i++) {
        if (here->taken[i] > s->k) select_best(here, i);
        finish_list(values + i * s->k, indices + i * s->k, here->taken[i], s->k);
    }
}

static void place_lengths(cosine_norms *lengths, int64_t count, int64_t unit, arena_cursor *at) {
    lengths->largest = arena_take(at, count * sizeof(double));
    lengths->square = arena_take(at, count * sizeof(double));
    lengths->unit = arena_take(at, count * unit * sizeof(double));
}

/* Lays a thread's memory out; returns its size. */
static size_t place_searcher(searcher *here, const search_job *job, char *arena) {
    const fnn_search *s = job->search;
    const fnn_search_plan *plan = job->plan;
    const fnn_scan plain = plan->plain_scan;
    const int64_t padded = padded_queries(plan->block);
    const int64_t width = plain == SCAN_REALS ? s->columns : 0;
    const int64_t columns = plain == SCAN_BYTES && s->columns > s->width ? s->columns : s->width;
    const int64_t fours = (columns + 3) / 4, groups = job->bytes->groups(4 * fours);
    const int64_t most = plan->seeds > s->k ? plan->seeds : s->k;
    const int64_t room = plan->seed_buffer > plan->buffer ? plan->seed_buffer : plan->buffer;
    arena_cursor at = {arena, 0};
    here->waiting_values = arena_take(&at, padded * room * sizeof(double));
    here->waiting_indices = arena_take(&at, padded * room * sizeof(int64_t));
    here->taken = arena_take(&at, padded * sizeof(int64_t));
    here->all_values = arena_take(&at, (most + room) * sizeof(double));
    here->all_indices = arena_take(&at, (most + room) * sizeof(int64_t));
    here->seed_values = arena_take(&at, padded * plan->seeds * sizeof(double));
    here->seed_indices = arena_take(&at, padded * plan->seeds * sizeof(int64_t));
    here->cap = arena_take(&at, padded * sizeof(double));
    here->reach = arena_take(&at, padded * sizeof(double));
    here->norm = arena_take(&at, padded * sizeof(double));
    if (s->metric == COSINE) {
        const int64_t unit = s->is_uint8 ? 0 : s->columns;
        here->cached = plan->unit_rows;
        here->cached_row = arena_take(&at, here->cached * sizeof(int64_t));
        place_lengths(&here->q, plan->block, unit, &at);
        place_lengths(&here->x, here->cached, unit, &at);
    }
    here->own = arena_take(&at, padded * sizeof(double));
    here->byte_limit = arena_take(&at, padded * sizeof(int32_t));
    here->real_limit = arena_take(&at, padded * sizeof(real));
    here->order = arena_take(&at, padded * sizeof(int32_t));
    here->place = arena_take(&at, padded * sizeof(int32_t));
    here->kept = arena_take(&at, columns);
    here->fours = arena_take(&at, fours * sizeof(int32_t));
    here->byte_queries = arena_take(&at, padded * groups * sizeof(int32_t));
    if (plain == SCAN_BYTES) {
        here->listed = arena_take(&at, padded / QUERY_TEAM * groups * sizeof(int32_t));
        here->listed_count = arena_take(&at, padded / QUERY_TEAM * sizeof(int64_t));
        here->active = arena_take(&at, padded * active_words(s->columns) * sizeof(uint64_t));
    }
    here->real_queries = arena_take(&at, padded * width * sizeof(real));
    here->byte_rows = arena_take(&at, (groups + 2) * INT_ROWS * sizeof(int32_t)); /* and one four that is not kept */
    here->real_rows = arena_take(&at, (width + 3) * REAL_ROWS * sizeof(real));
    here->four_rows = arena_take(&at, 4 * (width + 3) * sizeof(real));
    here->masks = arena_take(&at, (padded + INT_LANES) * sizeof(uint32_t));
    here->found = arena_take(&at, (padded + 1) * INT_ROWS * sizeof(int32_t));
    here->hits = arena_take(&at, padded * INT_ROWS * sizeof *here->hits);
    here->squares = arena_take(&at, padded * INT_ROWS * sizeof(int64_t));
    return at.used;
}

static void search_thread(void *argument, int thread, int threads) {
    search_job *job = argument;
    const fnn_search *s = job->search;
    const int64_t block = job->plan->block, parts = job->plan->parts;
    searcher here = {.job = job, .thread = thread};
    place_searcher(&here, job, job->arena + thread * job->thread_bytes);
    for (int64_t i = 0; i < here.cached; i++) here.cached_row[i] = -1;
    while (!__atomic_load_n(&job->stop, __ATOMIC_RELAXED)) {
        const int64_t item = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED);
        if (item >= job->plan->blocks * parts) break;
        const int64_t part = item % parts, left = s->queries - (here.first = item / parts * block);
        here.count = left < block ? left : block;
        const int64_t at = (part * s->queries + here.first) * s->k;
        search_item(&here, s->rows * part / parts, s->rows * (part + 1) / parts, job->values + at,
                        job->indices + at);
    }
    __atomic_fetch_add(&job->finished, 1, __ATOMIC_RELEASE);
    for (int64_t turn = 0; thread == 0 && __atomic_load_n(&job->finished, __ATOMIC_ACQUIRE) < threads; turn++) {
        fnn_rest(turn);
        is_stopped(job, thread); /* signals come to it alone */
    }
}

/* Of a query's lists, one for each part of the rows, the best. */
static void join_parts(const search_job *job, int64_t query) {
    const fnn_search *s = job->search;
    const int64_t k = s->k;
    int64_t count = 0;
    for (int64_t part = 0; part < job->plan->parts; part++) {
        const int64_t at = (part * s->queries + query) * k;
        for (int64_t j = 0; j < k && job->indices[at + j] >= 0; j++, count++)
            job->all_values[count] = job->values[at + j], job->all_indices[count] = job->indices[at + j];
    }
    if (count > k) select_row(job->all_values, job->all_indices, count, k - 1);
    finish_list(job->all_values, job->all_indices, count < k ? count : k, k);
    memcpy(s->values + query * k, job->all_values, k * sizeof(double));
    memcpy(s->indices + query * k, job->all_indices, k * sizeof(int64_t));
}

/* Lays all memory out; returns its size. */
static size_t place_job(search_job *job, const fnn_search *s, char *arena) {
    *job = (search_job){.search = s, .plan = s->plan, .bytes = kernels_of(s->plan->dot), .arena = arena};
    job->thread_bytes = place_searcher(&(searcher){.job = job}, job, NULL);
    arena_cursor at = {arena, job->plan->threads * job->thread_bytes};
    const int64_t parts = job->plan->parts, lists = parts > 1 ? parts * s->queries : 0;
    job->centre = arena_take(&at, s->columns * sizeof(real));
    job->values = arena_take(&at, lists * s->k * sizeof(double));
    job->indices = arena_take(&at, lists * s->k * sizeof(int64_t));
    job->all_values = arena_take(&at, (lists > 0) * parts * s->k * sizeof(double));
    job->all_indices = arena_take(&at, (lists > 0) * parts * s->k * sizeof(int64_t));
    if (parts == 1) job->values = s->values, job->indices = s->indices;
    return at.used;
}

static size_t search_room(const fnn_search *s) {
    search_job job;
    return place_job(&job, s, NULL);
}

static int search_all(const fnn_search *s, void *arena, fnn_interrupt *interrupt) {
    search_job job;
    place_job(&job, s, arena);
    if (s->plan->plain_scan == SCAN_REALS) find_centre(&job);
    job.interrupt = interrupt;
    job.least_error = INFINITY;
    for (int64_t r = 0; r < s->rows && s->width; r++)
        if (s->row_errors[r] < job.least_error) job.least_error = s->row_errors[r];
    fnn_parallel(search_thread, &job, s->plan->threads);
    if (job.stop) return 1;
    if (s->plan->parts == 1) return 0;
    for (int64_t i = 0; i < s->queries && !is_stopped(&job, 0); i++) join_parts(&job, i);
    return job.stop;
}

#endif
