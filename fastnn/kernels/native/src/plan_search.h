/* How a search for nearest neighbours is run. fnn_plan_search is a pure function of the search's shape and of the
   machine: native.pyx asks it for the plan of a call, or of one that is only imagined, and search/ does what the plan
   says. No plan changes what is found. */
#ifndef FNN_PLAN_SEARCH_H
#define FNN_PLAN_SEARCH_H

#include <stdint.h>

/* The ways in which queries are compared with rows. */
typedef enum {
    SCAN_CODES, /* tiles of integer products of codes, whose bound on the distance leaves few candidates */
    SCAN_BYTES, /* tiles of integer products of uint8 rows, exact */
    SCAN_REALS, /* tiles of floating-point products or differences, with a margin for their rounding */
    SCAN_PAIRS, /* the metric's value of every pair: one instruction sums absolute differences of 64 bytes */
    SCAN_SEEDS  /* as SCAN_CODES, of some rows, for those whose codes are nearest: they come before a scan of codes */
} fnn_scan;

/* What multiplies bytes: pmaddwd, with bytes widened to 16 bits; vpdpbusd; or AMX's matrix unit. */
typedef enum { DOT_MADD, DOT_VNNI, DOT_AMX } fnn_int8_dot;

/* How a block's queries are taken together. */
typedef enum {
    QUERIES_ALONE,           /* a single one, without packing rows */
    QUERIES_IN_TILES,        /* as they come, and a tile skips what is zero in all of the block */
    QUERIES_IN_MICRO_BATCHES /* few that are zero in about the same places, whose zeros are skipped */
} fnn_query_grouping;

/* What threads share out. */
typedef enum { SPLIT_QUERIES, SPLIT_ROWS } fnn_search_split;

/* What a plan depends on: the search's shape and the machine, not what its arrays hold. */
typedef struct {
    int64_t metric, rows, queries, columns, k; /* metric: a code of codes.h */
    int is_uint8; /* rows and queries are bytes, else reals */
    int real_bytes; /* of the kernels' type: 4 or 8 */
    int64_t code_width, finer_codes; /* bytes of a code, 0: there are none; and how many finer ones there are */
    double most_verified; /* see spec.Codes */
    int threads; /* that the call may use */
    int vector_bytes; /* of the instruction set: 16, 32 or 64 */
    fnn_int8_dot dot;
    int forced_queries; /* for tests: tiles or micro-batches of bytes, whatever suits; -1: as suits */
    int forced_threads; /* for tests: all threads, however little the work is */
} fnn_search_request;

typedef struct {
    fnn_scan scan; /* what the search begins by */
    fnn_scan plain_scan; /* the same, or what takes the place of codes that rule out too little */
    fnn_query_grouping queries, plain_queries; /* of either scan; of reals and pairs always tiles */
    double most_active;   /* share of their active byte blocks from which a block has tiles for micro-batches */
    fnn_int8_dot dot;
    int64_t tile_queries; /* the block's size is a multiple of the queries in a tile */
    int64_t seeds; /* rows whose codes are nearest that every query looks at first; 0: none */
    int64_t finer_codes; /* that candidates by codes go through */
    double most_verified; /* codes are given up at more candidates for each query and row compared than this */
    double grace; /* candidates of each query that do not count for that */
    double refine_cost; /* what comparing a pair's finer codes counts for, where a candidate counts for 1 */
    int64_t buffer; /* new rows of a query that wait until the k best of all are selected; 0: each is inserted */
    int64_t seed_buffer; /* the same of seeds */
    int64_t unit_rows; /* by cosine: rows of which the unit vector is kept for the block's next query */
    fnn_search_split split;
    int threads; /* to use */
    int64_t block; /* queries that go together */
    int64_t blocks;
    int64_t parts; /* of the rows; every block is compared with every part by itself */
} fnn_search_plan;

fnn_search_plan fnn_plan_search(const fnn_search_request *request);

/* The words for the plan's values: spec.SearchPlan has them. */
extern const char *const fnn_names_of_scans[], *const fnn_names_of_dots[], *const fnn_names_of_query_groupings[],
                                                                               *const fnn_names_of_search_splits[];

/* Columns up to which no sum of products of bytes overflows 32 bits. */
#define MOST_INT8_COLUMNS 16384

/* Queries of a tile of reals, or of bytes but for AMX: the accumulators, two vectors a query, must fit the registers
   beside two operands. */
#ifdef __aarch64__
#define BASELINE_TILE_QUERIES 8
#else
#define BASELINE_TILE_QUERIES 4
#endif
#define TILE_QUERIES_OF(vector_bytes) ((vector_bytes) == 64 ? 12 : (vector_bytes) == 32 ? 6 : BASELINE_TILE_QUERIES)
#define AMX_TILE_QUERIES 16 /* a matrix's rows: with more queries, the rows would not stay in the first-level cache */
#define QUERY_MICRO_BATCH 4 /* queries that share an index of active byte blocks; whatever the instruction set */

/* Elements of rows to be coded from which a call has threads. Set by benchmarks/compare_neighbors.py's fit of
   float32-k5. */
#define FNN_ENCODE_THREAD_WORK 262144.0
/* Tiles of rows of which the first is looked at for seeds. Set by benchmarks/compare_neighbors.py's uint8-k5. */
#define SEED_STRIDE 8
/* Tiles of rows between two looks at the interrupt: a small part of the 0.1 s within which signals are heard. */
#define POLL_TILES 16
/* Rows up to which sorting is by insertion. Set by benchmarks/compare_neighbors.py's uint8-k50. */
#define MOST_INSERTED 12
/* Rows of which the median says where the data lie. More would not move it much. */
#define CENTRE_ROWS 15

#endif
