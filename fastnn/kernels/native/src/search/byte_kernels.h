/* Tiles of integer products of bytes: queries or codes of a block with INT_ROWS rows or their codes, for every
   instruction that multiplies bytes. scan.h calls them through byte_kernels.

   Rows of a tile lie side by side, word by word: (words, INT_ROWS) of 32 bits, which have as many bytes as the
   instruction adds up. Byte blocks that are zero in all queries are left out. With the rows' start, the score of a pair

       score = start + q . x,   start = -floor(|x|^2 / 2),   |q - x|^2 = norm(q) - 2 score + (|x|^2 mod 2)

   is the greater the nearer. Where the rows' bytes have 128 taken off, q . x is less by 128 sum q, and norm(q) by twice
   as much. */
#ifndef FNN_SEARCH_BYTE_KERNELS_H
#define FNN_SEARCH_BYTE_KERNELS_H

#include "../simd/bytes.h"

#define INT_ROWS (2 * INT_LANES) /* rows of a tile, side by side in two vectors */
#define TILE_QUERIES TILE_QUERIES_OF(VECTOR_BYTES)

_Static_assert(MOST_INT8_COLUMNS <= EXACT_BYTES, "tiles are exact");

/* A query of a block and a row, as it is counted from the first of a tile. */
typedef struct {
    int32_t query, row;
} candidate;

/* A comparison of a block's queries with the rows of a tile. Micro-batches are tiles of QUERY_MICRO_BATCH. */
typedef struct {
    /* in */
    int64_t words;            /* of a packed row */
    int64_t tiles;            /* of queries */
    int32_t *queries;         /* (tiles, words, queries of a tile); of a micro-batch only its index's words */
    int32_t *index;           /* (tiles, words) of micro-batches: where the active words of rows begin, */
    int64_t *index_count;     /* (tiles) and how many these are */
    int32_t *rows;            /* (words, INT_ROWS) */
    int32_t *start;           /* (INT_ROWS) */
    int32_t *threshold;       /* (tiles, queries of a tile) the least score that is wanted */
    /* out */
    uint32_t *masks;          /* (tiles, queries of a tile) a bit for each row that reaches the threshold */
    int32_t *scores;          /* (.., INT_ROWS) of the queries with any such row, one after the other */
} byte_tiles;

typedef struct {
    int64_t (*words)(int64_t width); /* of so many bytes */

    /* to (words, INT_ROWS) = the byte blocks b with kept[b] of `height` rows of x (.., width), anything for rows that
       lack; start (INT_ROWS). Returns a bit for each row whose |x|^2 is odd. */
    uint32_t (*pack_rows)(const uint8_t *x, int64_t width, int64_t height, const uint8_t *kept, int32_t *to,
                          int32_t *start);

    /* The query `at` of a tile of so many, zeros until now, becomes `count` byte blocks of q; returns norm(q). */
    int64_t (*pack_query)(const uint8_t *q, int64_t width, const int32_t *blocks, int64_t count, int32_t *to,
                          int64_t tile_queries, int64_t at);

    void (*compare)(const byte_tiles *tiles);
    void (*compare_micro_batches)(const byte_tiles *tiles); /* NULL: tiles are as fast */

    void (*squares)(const uint8_t *q, const uint8_t *x, int64_t width, const candidate *pairs, int64_t count,
                    int64_t *to);
} byte_kernels;

/* *mask = the rows whose scores reach the threshold; writes the scores, and returns where the next go: after these if
   there is such a row. */
INLINE int32_t *write_scores(int32_t *scores, uint32_t *mask, ints left, ints right, int32_t threshold) {
    const ints least = (ints){0} + threshold;
    *mask = reaches(left, least) | reaches(right, least) << INT_LANES;
    ((ints *)scores)[0] = left;
    ((ints *)scores)[1] = right;
    return scores + (*mask != 0) * INT_ROWS;
}

#define INT8(name) madd_##name
#define WORD_BYTES 2
#include "byte_tiles.h"
#undef INT8
#undef WORD_BYTES

#if VECTOR_BYTES == 64
TARGET("avx512vnni")
#define INT8(name) vnni_##name
#define WORD_BYTES 4
#include "byte_tiles.h"
#undef INT8
#undef WORD_BYTES
END_TARGET
#endif

#endif
