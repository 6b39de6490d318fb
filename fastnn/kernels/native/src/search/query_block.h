/* A block of queries, laid out for the tiles that scan.h compares with rows, and what each of them still wants. Every
   thread of a search has one, in memory of its own, and lays it out anew for each block and scan. */
#ifndef FNN_SEARCH_QUERY_BLOCK_H
#define FNN_SEARCH_QUERY_BLOCK_H

#include "real_tiles.h"
#include "top_k.h"

/* What all threads of a search share. */
typedef struct {
    const fnn_search *search;
    const fnn_search_plan *plan;
    const byte_kernels *bytes;
    fnn_interrupt *interrupt;
    row_scale scale;   /* of reals */
    float least_error; /* of the rows' codes */
    double *values;    /* (parts, queries, k), of one part search->values */
    int64_t *indices;
    double *all_values; /* (parts * k) of one query */
    int64_t *all_indices;
    char *thread_memory; /* of every thread, one after the other */
    size_t thread_bytes;
    int64_t next;       /* of the blocks * parts items of work */
    int stop, finished; /* finished: threads that have no more to do */
} search_job;

/* Arrays have an element a query, padded to whole tiles. In tiles of bytes a query is where `place` says. */
typedef struct {
    search_job *job;
    int thread;
    fnn_scan scan; /* that the block is laid out for */
    int64_t first, count; /* of the queries */
    top_k best;
    double *seed_values; /* (block, seeds), for SCAN_SEEDS */
    int64_t *seed_indices;
    cosine_cache cosines;
    double *norm; /* of bytes and codes pack_query's, of reals |q| */

    byte_tiles tiles;
    fnn_query_grouping grouping; /* of the tiles */
    int32_t *order, *place; /* order[i]: which query is in the tiles' i-th place; and each query's place */
    uint8_t *kept;          /* (byte blocks) whether some of the queries are not zero there; */
    int32_t *byte_blocks;   /* which blocks these are */
    uint64_t *active; /* (queries, active_words) which byte blocks of a query are not zero, while they are arranged */
    /* the threshold in units of each of the codes, and the query's error; -INFINITY: none */
    double *code_distance[FNN_MOST_CODES];
    double widest; /* the greatest finite one, or more: */
    int widest_is_old; /* it may be less by now, and is found anew */

    double *distance; /* the threshold of scores of reals, see real_distance; below 0: nothing is wanted */
    real *real_queries; /* (tiles, columns, TILE_QUERIES) */
    real *real_rows; /* (columns, REAL_ROWS) */
    real *real_start; /* (REAL_ROWS) */
    real *real_threshold;
    real *four_rows; /* (4, columns padded to a multiple of 4), prepared */

    candidate *candidates; /* (block * INT_ROWS) of a tile of rows */
    int64_t *squares; /* of their distances, by bytes or codes */
    int64_t candidate_count;
} query_block;

/* Queries in whole tiles of 4, 6, 8, 12 or 16. */
static int64_t padded_queries(int64_t queries) { return (queries + 95) / 96 * 96; }

/* Sets what a query still wants, from its best rows and, for the scan, in the unit of its scores. */
static void set_threshold(query_block *block, int64_t query) {
    const fnn_search *s = block->job->search;
    const top_k *best = &block->best;
    const int full = best->count[query] >= best->k, exact = block->scan == SCAN_BYTES || block->scan == SCAN_SEEDS;
    double value = best->threshold[query];
    int32_t *score = block->tiles.threshold + block->place[query];
    /* rows come in ascending order: one of the same value as the worst is no better */
    if (full && (exact || value == 0) && value == best->values[(query + 1) * best->k - 1]) value--;
    if (exact) {
        const double least = floor((block->norm[query] - value) / 2);
        *score = value < 0 ? INT32_MAX : least < INT32_MIN ? INT32_MIN : (int32_t)least;
    } else if (block->scan == SCAN_CODES) {
        for (int64_t c = 0; c <= block->job->plan->finer_codes; c++) {
            const double error = s->codes[c].query_errors[block->first + query];
            const double own = (code_distance(s, value) / s->codes[c].scale + error) * (1 + 1e-6);
            block->code_distance[c][query] = value < 0 ? -INFINITY : own;
        }
        const double widest = block->code_distance[0][query] + block->job->least_error;
        const double least = floor((block->norm[query] - widest * widest) / 2) - 2;
        block->widest_is_old |= *score == INT32_MIN;
        *score = value < 0 ? INT32_MAX : least < INT32_MIN ? INT32_MIN : (int32_t)least;
    } else {
        block->distance[query] = value < 0 ? value : real_distance(s, value);
    }
}

/* Bytes of which a word says where they are not zero, a bit for each byte block. */
#define ACTIVE_BITS (64 * BYTE_BLOCK)

static int64_t active_words(int64_t width) { return (width + ACTIVE_BITS - 1) / ACTIVE_BITS; }

/* order (count) = the queries q (count, width), micro-batch after micro-batch: to a first one come those that are zero
   in most nearly the same places, one by one. active: room for (count, active_words). Returns the share of byte blocks
   that are not zero in all of a micro-batch. */
static double arrange_micro_batches(const uint8_t *q, int64_t count, int64_t width, uint64_t *active, int32_t *order) {
    const int64_t words = active_words(width);
    int64_t total = 0;
    memset(active, 0, count * words * sizeof *active);
    for (int64_t query = 0; query < count; query++) {
        const uint8_t *row = q + query * width;
        uint64_t *bits = active + query * words;
        for (int64_t i = 0; i < width; i += BYTE_BLOCK)
            bits[i / ACTIVE_BITS] |= (uint64_t)(block_at(row, i, width) != 0) << i / BYTE_BLOCK % 64;
        order[query] = (int32_t)query;
    }
    for (int64_t at = 0; at < count; at += QUERY_MICRO_BATCH) {
        uint64_t *all = active + order[at] * words; /* what is not zero in all of it */
        for (int64_t next = at + 1; next < count && next < at + QUERY_MICRO_BATCH; next++) {
            int64_t nearest = next, least = INT64_MAX;
            for (int64_t i = next; i < count; i++) {
                const uint64_t *other = active + order[i] * words;
                int64_t different = 0;
                for (int64_t w = 0; w < words; w++) different += __builtin_popcountll(all[w] ^ other[w]);
                if (different < least) least = different, nearest = i;
            }
            const int32_t chosen = order[nearest];
            order[nearest] = order[next];
            order[next] = chosen;
            for (int64_t w = 0; w < words; w++) all[w] |= active[chosen * words + w];
        }
        for (int64_t w = 0; w < words; w++) total += __builtin_popcountll(all[w]);
    }
    const int64_t batches = (count + QUERY_MICRO_BATCH - 1) / QUERY_MICRO_BATCH;
    return (double)total / (double)(batches * ((width + BYTE_BLOCK - 1) / BYTE_BLOCK));
}

/* kept (byte blocks of width, in room for width) = 1 for those that are not zero in all queries q (count, width), else
   0; byte_blocks = the numbers of these. Returns how many. */
static int64_t find_kept(const uint8_t *q, int64_t count, int64_t width, uint8_t *kept, int32_t *byte_blocks) {
    int64_t some = 0;
    memset(kept, 0, width);
    for (; count > 0; count--, q += width)
        for (int64_t i = 0; i < width; i++) kept[i] |= q[i];
    for (int64_t b = 0; BYTE_BLOCK * b < width; b++) {
        kept[b] = block_at(kept, BYTE_BLOCK * b, width) != 0;
        if (kept[b]) byte_blocks[some++] = (int32_t)b;
    }
    return some;
}

/* Leaves of every micro-batch's words (words, QUERY_MICRO_BATCH) those that are not all zero, and writes the index. */
static void index_micro_batches(byte_tiles *tiles) {
    const int64_t words = tiles->words;
    for (int64_t tile = 0; tile < tiles->tiles; tile++) {
        const int4 *from = (const int4 *)(tiles->queries + tile * words * QUERY_MICRO_BATCH);
        int4 *to = (int4 *)from;
        int32_t *index = tiles->index + tile * words;
        for (int64_t w = 0; w < words; w++)
            if (from[w][0] | from[w][1] | from[w][2] | from[w][3]) *to++ = from[w], *index++ = (int32_t)(w * INT_ROWS);
        tiles->index_count[tile] = to - from;
    }
}

/* Lays the block's queries, or their codes, q (.., width), out in tiles of bytes. */
static void pack_byte_queries(query_block *block, const uint8_t *q, int64_t width) {
    const fnn_search_plan *plan = block->job->plan;
    const byte_kernels *bytes = block->job->bytes;
    byte_tiles *tiles = &block->tiles;
    block->grouping = block->scan == plan->plain_scan ? plan->plain_queries : plan->queries;
    if (block->grouping == QUERIES_ALONE) return;
    const int64_t byte_blocks = find_kept(q, block->count, width, block->kept, block->byte_blocks);
    if (block->grouping == QUERIES_IN_MICRO_BATCHES &&
        arrange_micro_batches(q, block->count, width, block->active, block->order) >= plan->most_active)
        block->grouping = QUERIES_IN_TILES;
    const int in_micro_batches = block->grouping == QUERIES_IN_MICRO_BATCHES;
    const int64_t tile_queries = in_micro_batches ? QUERY_MICRO_BATCH : plan->tile_queries;
    const int64_t words = tiles->words = bytes->words(BYTE_BLOCK * byte_blocks);
    tiles->tiles = (block->count + tile_queries - 1) / tile_queries;
    memset(tiles->queries, 0, tiles->tiles * tile_queries * words * sizeof(int32_t));
    for (int64_t i = 0; i < block->count; i++) {
        const int64_t query = block->order[i];
        int32_t *to = tiles->queries + i / tile_queries * words * tile_queries;
        block->norm[query] = (double)bytes->pack_query(q + query * width, width, block->byte_blocks, byte_blocks, to,
                                                       tile_queries, i % tile_queries);
    }
    if (in_micro_batches) index_micro_batches(tiles);
}

/* Lays the block's queries out in tiles of reals, prepared. */
static void pack_real_queries(query_block *block) {
    const fnn_search *s = block->job->search;
    const int64_t width = s->columns;
    block->tiles.tiles = (block->count + TILE_QUERIES - 1) / TILE_QUERIES;
    memset(block->real_queries, 0, block->tiles.tiles * TILE_QUERIES * width * sizeof(real));
    for (int64_t i = 0; i < block->count; i++) {
        real *to = block->real_queries + i / TILE_QUERIES * width * TILE_QUERIES + i % TILE_QUERIES;
        double square = 0;
        prepare_row(s, &block->job->scale, point_at(s, s->q, block->first + i), block->four_rows);
        for (int64_t k = 0; k < width; k++) {
            to[k * TILE_QUERIES] = block->four_rows[k];
            square += (double)block->four_rows[k] * (double)block->four_rows[k];
        }
        block->norm[i] = sqrt(square);
    }
}

/* Makes the block ready for a scan: its queries, and what they want after the scans before. */
static void begin_scan(query_block *block, fnn_scan scan) {
    const fnn_search *s = block->job->search;
    const int64_t padded = padded_queries(block->count);
    block->scan = scan;
    for (int64_t i = 0; i < padded; i++) { /* nothing is wanted where there is no query */
        block->order[i] = (int32_t)i;
        block->tiles.threshold[i] = INT32_MAX;
        block->real_threshold[i] = INFINITY;
    }
    if (scan == SCAN_CODES || scan == SCAN_SEEDS)
        pack_byte_queries(block, s->codes[0].queries + block->first * s->codes[0].width, s->codes[0].width);
    else if (scan == SCAN_BYTES)
        pack_byte_queries(block, (const uint8_t *)s->q + block->first * s->columns, s->columns);
    else if (scan == SCAN_REALS)
        pack_real_queries(block);
    for (int64_t i = 0; i < block->count; i++) block->place[block->order[i]] = (int32_t)i;
    for (int64_t i = 0; i < block->count; i++) {
        block->tiles.threshold[block->place[i]] = INT32_MIN;
        set_threshold(block, i);
    }
    block->widest_is_old = 1;
}

#endif
