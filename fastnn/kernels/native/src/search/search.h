/* Exact nearest neighbours: the k rows of X (rows, columns) with the least values of every query of Q (queries,
   columns).

   native.pyx has begin_search lay out memory and then lets every thread run search_thread. The threads take blocks of
   queries, or a block's parts of the rows, until none are left; they write the search's values and indices (queries, k)
   and the arena, and read everything else. */
#ifndef FNN_SEARCH_SEARCH_H
#define FNN_SEARCH_SEARCH_H

#include "amx.h"
#include "scan.h"

static const byte_kernels *byte_kernels_of(fnn_int8_dot dot) {
#if VECTOR_BYTES == 64 && defined(FASTNN_AMX)
    if (dot == DOT_AMX) return &amx_kernels;
#endif
#if VECTOR_BYTES == 64
    if (dot == DOT_VNNI) return &vnni_kernels;
#endif
    (void)dot;
    return &madd_kernels;
}

/* Lays a thread's memory out; returns its size. */
static size_t lay_block_out(query_block *block, const search_job *job, char *memory) {
    const fnn_search *s = job->search;
    const fnn_search_plan *plan = job->plan;
    const int64_t queries = padded_queries(plan->block), micro_batches = queries / QUERY_MICRO_BATCH;
    const int64_t real_width = plan->plain_scan == SCAN_REALS ? s->columns : 0;
    const int64_t plain_width = plan->plain_scan == SCAN_BYTES ? s->columns : 0;
    const int64_t width = plain_width > s->codes[0].width ? plain_width : s->codes[0].width;
    const int64_t byte_blocks = (width + BYTE_BLOCK - 1) / BYTE_BLOCK,
                  words = job->bytes->words(BYTE_BLOCK * byte_blocks);
    const int64_t k = plan->seeds > s->k ? plan->seeds : s->k;
    const int64_t room = plan->seed_buffer > plan->buffer ? plan->seed_buffer : plan->buffer;
    arena_cursor at = {memory, 0};
    top_k *best = &block->best;
    best->buffer_values = arena_take(&at, queries * room * sizeof(double));
    best->buffer_indices = arena_take(&at, queries * room * sizeof(int64_t));
    best->count = arena_take(&at, queries * sizeof(int64_t));
    best->all_values = arena_take(&at, (k + room) * sizeof(double));
    best->all_indices = arena_take(&at, (k + room) * sizeof(int64_t));
    best->threshold = arena_take(&at, queries * sizeof(double));
    block->seed_values = arena_take(&at, queries * plan->seeds * sizeof(double));
    block->seed_indices = arena_take(&at, queries * plan->seeds * sizeof(int64_t));
    block->norm = arena_take(&at, queries * sizeof(double));
    lay_cosines_out(&block->cosines, s, &at);
    byte_tiles *tiles = &block->tiles;
    tiles->queries = arena_take(&at, queries * words * sizeof(int32_t));
    if (plain_width) {
        tiles->index = arena_take(&at, micro_batches * words * sizeof(int32_t));
        tiles->index_count = arena_take(&at, micro_batches * sizeof(int64_t));
        block->active = arena_take(&at, queries * active_words(plain_width) * sizeof(uint64_t));
    }
    tiles->rows = arena_take(&at, (words + 2) * INT_ROWS * sizeof(int32_t)); /* and one byte block that is not kept */
    tiles->start = arena_take(&at, INT_ROWS * sizeof(int32_t));
    tiles->threshold = arena_take(&at, queries * sizeof(int32_t));
    tiles->masks = arena_take(&at, (queries + INT_LANES) * sizeof(uint32_t));
    tiles->scores = arena_take(&at, (queries + 1) * INT_ROWS * sizeof(int32_t));
    block->order = arena_take(&at, queries * sizeof(int32_t));
    block->place = arena_take(&at, queries * sizeof(int32_t));
    block->kept = arena_take(&at, width);
    block->byte_blocks = arena_take(&at, byte_blocks * sizeof(int32_t));
    for (int64_t c = 0; c <= plan->finer_codes; c++)
        block->code_distance[c] = arena_take(&at, queries * sizeof(double));
    block->distance = arena_take(&at, queries * sizeof(double));
    block->real_queries = arena_take(&at, queries * real_width * sizeof(real));
    block->real_rows = arena_take(&at, (real_width + 3) * REAL_ROWS * sizeof(real));
    block->real_start = arena_take(&at, REAL_ROWS * sizeof(real));
    block->real_threshold = arena_take(&at, queries * sizeof(real));
    block->four_rows = arena_take(&at, 4 * (real_width + 3) * sizeof(real));
    block->candidates = arena_take(&at, queries * INT_ROWS * sizeof *block->candidates);
    block->squares = arena_take(&at, queries * INT_ROWS * sizeof(int64_t));
    return at.used;
}

/* Lays the arena out, first the job that search_thread is given, and computes what all threads need. Returns the
   arena's size; without one that is all it does. */
static size_t begin_search(const fnn_search *s, void *arena, fnn_interrupt *interrupt) {
    search_job job = {.search = s, .plan = s->plan, .bytes = byte_kernels_of(s->plan->dot), .interrupt = interrupt};
    const int64_t parts = s->plan->parts, of_parts = parts > 1 ? parts * s->queries : 0;
    arena_cursor at = {arena, 0};
    search_job *place = arena_take(&at, sizeof job);
    job.scale.centre = arena_take(&at, s->columns * sizeof(real));
    job.values = arena_take(&at, of_parts * s->k * sizeof(double));
    job.indices = arena_take(&at, of_parts * s->k * sizeof(int64_t));
    job.all_values = arena_take(&at, (parts > 1) * parts * s->k * sizeof(double));
    job.all_indices = arena_take(&at, (parts > 1) * parts * s->k * sizeof(int64_t));
    job.thread_bytes = lay_block_out(&(query_block){.job = &job}, &job, NULL);
    job.thread_memory = arena_take(&at, s->plan->threads * job.thread_bytes);
    if (!arena) return at.used;
    if (parts == 1) job.values = s->values, job.indices = s->indices;
    if (s->plan->plain_scan == SCAN_REALS) find_row_scale(s, &job.scale);
    job.least_error = INFINITY;
    for (int64_t r = 0; r < s->rows && s->plan->scan == SCAN_CODES; r++)
        if (s->codes[0].row_errors[r] < job.least_error) job.least_error = s->codes[0].row_errors[r];
    *place = job;
    return at.used;
}

/* Takes the next item of work: the block's queries, the rows *from..*to, and where the results go. Is there one? */
static int take_item(query_block *block, int64_t *from, int64_t *to, double **values, int64_t **indices) {
    search_job *job = block->job;
    const fnn_search *s = job->search;
    const int64_t parts = job->plan->parts, size = job->plan->block;
    const int64_t item = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED), part = item % parts;
    if (item >= job->plan->blocks * parts) return 0;
    block->first = item / parts * size;
    block->count = s->queries - block->first < size ? s->queries - block->first : size;
    *from = s->rows * part / parts;
    *to = s->rows * (part + 1) / parts;
    *values = job->values + (part * s->queries + block->first) * s->k;
    *indices = job->indices + (part * s->queries + block->first) * s->k;
    return 1;
}

/* Of a query's best rows of each part, the best. */
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
    finish_rows(job->all_values, job->all_indices, count < k ? count : k, k);
    memcpy(s->values + query * k, job->all_values, k * sizeof(double));
    memcpy(s->indices + query * k, job->all_indices, k * sizeof(int64_t));
}

/* What the first thread does once there is no work left: it alone hears signals, and joins what parts found. */
static void end_search(search_job *job, int threads) {
    for (int64_t turn = 0; __atomic_load_n(&job->finished, __ATOMIC_ACQUIRE) < threads; turn++) {
        fnn_back_off(turn);
        is_stopped(job, 0);
    }
    if (job->plan->parts == 1) return;
    for (int64_t i = 0; i < job->search->queries && !is_stopped(job, 0); i++) join_parts(job, i);
}

/* One thread's share of a search; `arena` is what begin_search laid out. */
static void search_thread(void *arena, int thread, int threads) {
    search_job *job = arena;
    const fnn_search *s = job->search;
    const fnn_search_plan *plan = job->plan;
    query_block block = {.job = job, .thread = thread};
    top_k *best = &block.best;
    int64_t from, to, *indices;
    double *values;
    lay_block_out(&block, job, job->thread_memory + thread * job->thread_bytes);
    clear_cosines(&block.cosines);
    while (!is_stopped(job, thread) && take_item(&block, &from, &to, &values, &indices)) {
        find_query_norms(s, &block.cosines, block.first, block.count);
        for (int64_t i = 0; i < block.count; i++) best->threshold[i] = INFINITY;
        if (plan->seeds) {
            begin_top_k(best, block.count, plan->seeds, plan->seed_buffer, block.seed_values, block.seed_indices);
            begin_scan(&block, SCAN_SEEDS); /* any codes will do */
            scan_bytes(&block, from, to, SEED_STRIDE);
            if (is_stopped(job, thread)) break;
            use_seeds(&block);
        }
        for (int64_t i = 0; i < block.count; i++)
            if (s->limit < best->threshold[i]) best->threshold[i] = s->limit;
        begin_top_k(best, block.count, s->k, plan->buffer, values, indices);
        begin_scan(&block, plan->scan);
        if (plan->scan == SCAN_CODES) {
            from = scan_bytes(&block, from, to, 1);
            if (from < to) begin_scan(&block, plan->plain_scan);
        }
        if (block.scan == SCAN_BYTES) scan_bytes(&block, from, to, 1);
        if (block.scan == SCAN_REALS) scan_reals(&block, from, to);
        if (block.scan == SCAN_PAIRS) scan_pairs(&block, from, to);
        for (int64_t i = 0; i < block.count && !is_stopped(job, thread); i++) {
            if (best->count[i] > s->k) select_best(best, i);
            finish_rows(values + i * s->k, indices + i * s->k, best->count[i], s->k);
        }
    }
    __atomic_fetch_add(&job->finished, 1, __ATOMIC_RELEASE);
    if (thread == 0) end_search(job, threads);
}

#endif
