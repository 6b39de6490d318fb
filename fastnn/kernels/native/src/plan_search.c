/* The plan of a search for nearest neighbours, and every constant that was tuned for it. Compiled once. */
#include "plan_search.h"

#include <math.h>

#include "api.h"

/* Elements of codes, or without codes of rows, over all pairs of queries and rows, from which a second thread pays:
   about a millisecond's work. Set by benchmarks/compare_neighbors.py's one-uint8. */
#define LEAST_THREAD_WORK 1e7
/* Queries for each thread below which threads share out the rows. Set by benchmarks/compare_neighbors.py's program. */
#define FEW_QUERIES 64
/* Queries of a block: they share the costs of fetching and packing rows. A multiple of every tile but AMX's.
   Set by benchmarks/compare_neighbors.py's uint8-k5. */
#define MOST_BLOCK_QUERIES 1032
/* Bytes of a block's queries at most, which are to stay in the second-level cache. Set by
   benchmarks/compare_neighbors.py's float32-k5. */
#define MOST_BLOCK_BYTES (1 << 22)
/* Rows from which arranging queries of bytes in micro-batches makes up for its time. Set by benchmarks/crossover.py's
   part queries. */
#define LEAST_MICRO_BATCH_ROWS 700
/* Share of active byte blocks above which whole tiles are faster. Set by benchmarks/crossover.py's part queries. */
#define MOST_ACTIVE_BLOCKS 0.7
/* Neighbours up to which seeds are worth their memory. Set by benchmarks/compare_neighbors.py's uint8-k50. */
#define MOST_SEEDED 256
/* Seeds for each neighbour: with the k-th best of twice as many rows, nearly all neighbours are within the bound.
   Set by benchmarks/compare_neighbors.py's uint8-k5. */
#define SEEDS_PER_NEIGHBOUR 2
/* Rows for each seed that a search needs to look for any. Of those looked at, one in SEED_STRIDE, half are seeds then.
   Set by benchmarks/compare_neighbors.py's uint8-k5. */
#define LEAST_ROWS_PER_SEED 16
/* Candidates of a query that are no reason to give up the codes: of few rows, one in as many.
   Set by benchmarks/compare_neighbors.py's degenerate. */
#define GRACE 256
/* Comparing a pair's finer codes takes this part of the time of a distance. Set by benchmarks/compare_neighbors.py's
   uint8-k50. */
#define REFINE_COST 0.1
/* Neighbours up to which each new row is inserted among a query's best. Set by benchmarks/compare_neighbors.py's
   uint8-k50, plain. */
#define MOST_KEPT_SORTED 32
/* Neighbours up to which new rows are inserted where codes let few in, each of which costs a look at memory. Set by
   benchmarks/compare_neighbors.py's uint8-k50, native. */
#define MOST_KEPT_SORTED_BY_CODES 256
/* Neighbours for each row that the buffer has room for, where rows are not inserted. Set by
   benchmarks/compare_neighbors.py's uint8-k50. */
#define NEIGHBOURS_PER_BUFFERED 2
/* Bytes of unit vectors that are kept, in the second-level cache. Set by benchmarks/suite's Metrics, cosine. */
#define MOST_UNIT_BYTES (1 << 18)

const char *const fnn_names_of_scans[] = {"codes", "bytes", "reals", "pairs", "seeds"};
const char *const fnn_names_of_dots[] = {"madd", "vnni", "amx"};
const char *const fnn_names_of_query_groupings[] = {"alone", "tiles", "micro-batches"};
const char *const fnn_names_of_search_splits[] = {"queries", "rows"};

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t above(int64_t n, int64_t step) { return (n + step - 1) / step * step; }

static int is_by_dots(fnn_scan scan) { return scan == SCAN_CODES || scan == SCAN_BYTES; }

/* What compares rows without codes. Products tell nothing of sums of absolute differences. */
static fnn_scan find_plain_scan(const fnn_search_request *r) {
    if (!r->is_uint8 || r->metric == COSINE) return SCAN_REALS;
    if (r->metric == MANHATTAN) return SCAN_PAIRS;
    return r->columns <= MOST_INT8_COLUMNS ? SCAN_BYTES : SCAN_REALS;
}

/* Packing rows costs more than a single query gains. Codes have no zeros to skip, and a matrix unit skips none. */
static fnn_query_grouping find_grouping(const fnn_search_request *r, fnn_scan scan) {
    if (is_by_dots(scan) && r->queries == 1) return QUERIES_ALONE;
    if (scan != SCAN_BYTES || r->dot == DOT_AMX || r->forced_queries == QUERIES_IN_TILES) return QUERIES_IN_TILES;
    return r->rows >= LEAST_MICRO_BATCH_ROWS || r->forced_queries == QUERIES_IN_MICRO_BATCHES ? QUERIES_IN_MICRO_BATCHES
                                                                                              : QUERIES_IN_TILES;
}

static int64_t find_buffer(fnn_scan scan, int64_t k) {
    return k > (scan == SCAN_CODES ? MOST_KEPT_SORTED_BY_CODES : MOST_KEPT_SORTED) ? k / NEIGHBOURS_PER_BUFFERED : 0;
}

/* Threads take blocks of queries, or, where there are too few, every block's parts of the rows. */
static void split_work(fnn_search_plan *plan, const fnn_search_request *r) {
    const double width = (double)(r->code_width ? r->code_width : r->columns);
    const double work = (double)r->rows * (double)r->queries * width;
    plan->threads = work >= LEAST_THREAD_WORK || r->forced_threads ? r->threads : 1;
    plan->split = plan->threads > 1 && r->queries < FEW_QUERIES * plan->threads ? SPLIT_ROWS : SPLIT_QUERIES;
    plan->parts = plan->split == SPLIT_ROWS ? plan->threads : 1;
    const int64_t bytes = r->columns * (plan->plain_scan == SCAN_REALS ? r->real_bytes : 1), tile = plan->tile_queries;
    const int64_t fit = least(MOST_BLOCK_BYTES / bytes, MOST_BLOCK_QUERIES);
    const int64_t most = least(fit < tile ? tile : fit / tile * tile, r->queries);
    const int64_t sharers = plan->split == SPLIT_QUERIES ? plan->threads : 1;
    const int64_t blocks = above(r->queries, most * sharers) / most; /* as many for each of the sharers */
    plan->block = above(above(r->queries, blocks) / blocks, tile);   /* about equal, for all to end together */
    plan->blocks = above(r->queries, plan->block) / plan->block;
}

/* The rows that codes let look for first, and when codes are given up. */
static void plan_codes(fnn_search_plan *plan, const fnn_search_request *r) {
    const int64_t rows = r->rows / plan->parts, seeds = SEEDS_PER_NEIGHBOUR * r->k;
    plan->seeds = r->k <= MOST_SEEDED && rows >= LEAST_ROWS_PER_SEED * seeds ? seeds : 0;
    plan->seed_buffer = find_buffer(SCAN_SEEDS, plan->seeds);
    plan->finer_codes = r->finer_codes;
    plan->most_verified = r->most_verified;
    plan->grace = (double)(rows < GRACE * GRACE ? rows / GRACE : GRACE);
    plan->refine_cost = REFINE_COST;
}

fnn_search_plan fnn_plan_search(const fnn_search_request *r) {
    fnn_search_plan plan = {.plain_scan = find_plain_scan(r), .dot = r->dot};
    plan.scan = r->code_width ? SCAN_CODES : plan.plain_scan;
    plan.queries = find_grouping(r, plan.scan);
    plan.plain_queries = find_grouping(r, plan.plain_scan);
    plan.most_active = r->forced_queries == QUERIES_IN_MICRO_BATCHES ? INFINITY : MOST_ACTIVE_BLOCKS;
    plan.tile_queries =
        is_by_dots(plan.scan) && r->dot == DOT_AMX ? AMX_TILE_QUERIES : TILE_QUERIES_OF(r->vector_bytes);
    plan.buffer = find_buffer(plan.scan, r->k);
    if (r->metric == COSINE) {
        const int64_t unit_bytes = r->is_uint8 ? 0 : r->columns * (int64_t)sizeof(double);
        const int64_t fit = MOST_UNIT_BYTES / (unit_bytes + 1);
        plan.unit_rows = fit < 1 ? 1 : least(fit, r->vector_bytes / 2);
    }
    split_work(&plan, r);
    if (plan.scan == SCAN_CODES) plan_codes(&plan, r);
    return plan;
}
