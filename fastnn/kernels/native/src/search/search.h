/* Exact nearest neighbours: blocks of queries against all rows, or several parts of the rows at once. */
#ifndef FNN_SEARCH_SEARCH_H
#define FNN_SEARCH_SEARCH_H

#include "scan.h"

#define MOST_QUERIES 1032     /* of a block, which share the costs of fetching and packing rows */
#define BLOCK_BYTES (1 << 22) /* of the elements of a block's queries, where MOST_QUERIES would need more */
#define FEW_QUERIES 64        /* for each thread, below which the threads share out the rows */
#define MOST_ALONE 2          /* queries that are faster one by one than by packing rows for all of them */
#define GRACE 256             /* hits of a query that are no reason to give up the codes; of few rows, one in GRACE */
#define MOST_SEEDED 256       /* neighbours up to which it is worth the memory to look for good rows first */
#define SEED_STRIDE 8         /* of the visits, one in so many looks for them */
#define POLL_VISITS 16

/* Lets signals be heard; is the search to stop? */
static int is_stopped(search_job *job, int thread) {
    if (thread == 0 && fnn_interrupted(job->interrupt)) __atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED);
    return __atomic_load_n(&job->stop, __ATOMIC_RELAXED);
}

static int64_t seed_count(const fnn_search *s) { return s->width && s->k <= MOST_SEEDED ? 2 * s->k : 0; }

/* Caps what the queries want by the k-th best of twice as many rows, those whose codes are nearest: else most hits are
   rows that come before any good ones. */
static void seed(searcher *here, int64_t low, int64_t high) {
    const int64_t k = here->job->search->k, seeds = seed_count(here->job->search);
    for (int64_t i = 0; i < here->count; i++) here->cap[i] = INFINITY; /* any codes will do */
    use_lists(here, SEEDING, here->seed_values, here->seed_indices, seeds);
    enter_form(here, SEEDING);
    for (int64_t row = low, visits = 0; row < high; row += SEED_STRIDE * INT_ROWS, visits++) {
        if (visits % POLL_VISITS == 0 && is_stopped(here->job, here->thread)) return;
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
    const double grace = (double)(high - low < GRACE * GRACE ? (high - low) / GRACE : GRACE);
    const int64_t seeds = seed_count(s);
    const int form = s->width ? BY_CODES : plain_form(s);
    double computed = 0;
    for (int64_t i = 0; i < here->count && s->metric == COSINE; i++)
        find_length(s, point_at(s, s->q, here->first + i), &here->q, i);
    for (int64_t i = 0; i < here->count; i++) here->cap[i] = INFINITY;
    if (seeds && high - low >= 16 * seeds) seed(here, low, high); /* so that the lists fill */
    for (int64_t i = 0; i < here->count; i++)
        if (s->limit < here->cap[i]) here->cap[i] = s->limit;
    use_lists(here, form, values, indices, s->k);
    enter_form(here, form);
    for (int64_t row = low, visits = 0; row < high; visits++) {
        if (visits % POLL_VISITS == 0) {
            if (is_stopped(here->job, here->thread)) return;
            here->narrowed = 1;
        }
        row += visit(here, row, high);
        computed += (double)here->hit_count + REFINED_VALUES * (double)here->refined;
        const double compared = (double)(here->count * (row - low));
        if (here->form == BY_CODES && computed > s->most_verified * compared + grace * (double)here->count)
            enter_form(here, plain_form(s));
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
    const int plain = plain_form(s);
    const int64_t padded = padded_queries(job->block);
    const int64_t width = plain == BY_REALS ? s->columns : 0;
    const int64_t columns = plain == BY_BYTES && s->columns > s->width ? s->columns : s->width;
    const int64_t fours = (columns + 3) / 4, groups = job->bytes->groups(4 * fours);
    const int64_t most = seed_count(s) > s->k ? seed_count(s) : s->k;
    const int64_t room = waiting_room(s->width && s->k == most ? BY_CODES : plain, most);
    arena_cursor at = {arena, 0};
    here->waiting_values = arena_take(&at, padded * room * sizeof(double));
    here->waiting_indices = arena_take(&at, padded * room * sizeof(int64_t));
    here->taken = arena_take(&at, padded * sizeof(int64_t));
    here->all_values = arena_take(&at, (most + room) * sizeof(double));
    here->all_indices = arena_take(&at, (most + room) * sizeof(int64_t));
    here->seed_values = arena_take(&at, padded * seed_count(s) * sizeof(double));
    here->seed_indices = arena_take(&at, padded * seed_count(s) * sizeof(int64_t));
    here->cap = arena_take(&at, padded * sizeof(double));
    here->reach = arena_take(&at, padded * sizeof(double));
    here->norm = arena_take(&at, padded * sizeof(double));
    if (s->metric == COSINE) {
        const int64_t unit = s->is_uint8 ? 0 : s->columns, fit = UNIT_BYTES / (unit * (int64_t)sizeof(double) + 1);
        here->cached = fit < 1 ? 1 : fit < INT_ROWS ? fit : INT_ROWS;
        here->cached_row = arena_take(&at, here->cached * sizeof(int64_t));
        place_lengths(&here->q, job->block, unit, &at);
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
    if (plain == BY_BYTES) {
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
    searcher here = {.job = job, .thread = thread};
    place_searcher(&here, job, job->arena + thread * job->thread_bytes);
    for (int64_t i = 0; i < here.cached; i++) here.cached_row[i] = -1;
    while (!__atomic_load_n(&job->stop, __ATOMIC_RELAXED)) {
        const int64_t item = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED);
        if (item >= job->blocks * job->parts) break;
        const int64_t part = item % job->parts, left = s->queries - (here.first = item / job->parts * job->block);
        here.count = left < job->block ? left : job->block;
        const int64_t at = (part * s->queries + here.first) * s->k;
        search_item(&here, s->rows * part / job->parts, s->rows * (part + 1) / job->parts, job->values + at,
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
    for (int64_t part = 0; part < job->parts; part++) {
        const int64_t at = (part * s->queries + query) * k;
        for (int64_t j = 0; j < k && job->indices[at + j] >= 0; j++, count++)
            job->all_values[count] = job->values[at + j], job->all_indices[count] = job->indices[at + j];
    }
    if (count > k) select_row(job->all_values, job->all_indices, count, k - 1);
    finish_list(job->all_values, job->all_indices, count < k ? count : k, k);
    memcpy(s->values + query * k, job->all_values, k * sizeof(double));
    memcpy(s->indices + query * k, job->all_indices, k * sizeof(int64_t));
}

/* Shares the work out: by blocks of queries, or, where there are too few, by parts of the rows too. Returns the bytes
   needed by all. */
static size_t plan_search(search_job *job, const fnn_search *s, int threads, char *arena) {
    const int64_t bytes = plain_form(s) == BY_REALS ? s->columns * (int64_t)sizeof(real) : s->columns;
    int64_t most = BLOCK_BYTES / bytes < MOST_QUERIES ? BLOCK_BYTES / bytes : MOST_QUERIES;
    *job = (search_job){.search = s, .bytes = best_bytes(), .arena = arena};
    const int by_bytes = s->width || plain_form(s) == BY_BYTES, alone = s->queries <= MOST_ALONE && by_bytes;
    const int64_t tile = by_bytes ? job->bytes->queries : TILE_ROWS;
    most = most < tile ? tile : most / tile * tile;
    if (alone) most = 1;
    if (most > s->queries) most = s->queries;
    job->parts = s->queries < FEW_QUERIES * threads ? threads : 1;
    const int64_t sharers = job->parts > 1 ? 1 : threads, rounds = (s->queries + most * sharers - 1) / (most * sharers);
    job->block = (s->queries + rounds * sharers - 1) / (rounds * sharers); /* about equal, for all to end together */
    if (!alone) job->block = (job->block + tile - 1) / tile * tile;
    job->blocks = (s->queries + job->block - 1) / job->block;
    job->thread_bytes = place_searcher(&(searcher){.job = job}, job, NULL);
    arena_cursor at = {arena, threads * job->thread_bytes};
    const int64_t lists = job->parts > 1 ? job->parts * s->queries : 0;
    job->centre = arena_take(&at, s->columns * sizeof(real));
    job->values = arena_take(&at, lists * s->k * sizeof(double));
    job->indices = arena_take(&at, lists * s->k * sizeof(int64_t));
    job->all_values = arena_take(&at, (lists > 0) * job->parts * s->k * sizeof(double));
    job->all_indices = arena_take(&at, (lists > 0) * job->parts * s->k * sizeof(int64_t));
    if (job->parts == 1) job->values = s->values, job->indices = s->indices;
    return at.used;
}

static size_t search_room(const fnn_search *s, int threads) {
    search_job job;
    return plan_search(&job, s, threads, NULL);
}

static int search_all(const fnn_search *s, void *arena, int threads, fnn_interrupt *interrupt) {
    search_job job;
    plan_search(&job, s, threads, arena);
    if (plain_form(s) == BY_REALS) find_centre(&job);
    job.interrupt = interrupt;
    job.least_error = INFINITY;
    for (int64_t r = 0; r < s->rows && s->width; r++)
        if (s->row_errors[r] < job.least_error) job.least_error = s->row_errors[r];
    fnn_parallel(search_thread, &job, threads);
    if (job.stop) return 1;
    if (job.parts == 1) return 0;
    for (int64_t i = 0; i < s->queries && !is_stopped(&job, 0); i++) join_parts(&job, i);
    return job.stop;
}

#endif
