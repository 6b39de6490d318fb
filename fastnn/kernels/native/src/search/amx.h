/* The tiles of byte_kernels.h by AMX: a matrix unit that multiplies 16 queries by 16 rows, 64 bytes of each, at once.
   Rows are packed as for vpdpbusd, which also does what is not worth a matrix. */
#ifndef FNN_SEARCH_AMX_H
#define FNN_SEARCH_AMX_H

#include "byte_kernels.h"

#if VECTOR_BYTES == 64 && defined(FASTNN_AMX)
TARGET("amx-tile,amx-int8")

#define MATRIX_WORDS 16 /* of a query or row in a matrix */

/* Whole matrices, and at least one. */
static int64_t amx_words(int64_t width) { return width ? (width + 63) / 64 * MATRIX_WORDS : MATRIX_WORDS; }

/* A tile of queries is matrices (words / MATRIX_WORDS, AMX_TILE_QUERIES, MATRIX_WORDS). */
static int64_t amx_pack_query(const uint8_t *q, int64_t width, const int32_t *blocks, int64_t count, int32_t *to,
                              int64_t tile_queries, int64_t at) {
    (void)tile_queries;
    to += at * MATRIX_WORDS;
    for (int64_t i = 0; i < count; i += MATRIX_WORDS, to += AMX_TILE_QUERIES * MATRIX_WORDS)
        for (int64_t k = 0; k < MATRIX_WORDS && i + k < count; k++)
            to[k] = (int32_t)block_at(q, BYTE_BLOCK * (int64_t)blocks[i + k], width);
    return vnni_norm(q, width);
}

/* What compare writes, from the scores (AMX_TILE_QUERIES, INT_ROWS) of a tile's queries low..high. */
INLINE int32_t *amx_write_scores(int32_t *scores, uint32_t *masks, const int32_t *from, int64_t low, int64_t high,
                                 const int32_t *threshold) {
    for (int64_t r = low; r < high; r++) {
        const ints *of = (const ints *)(from + r * INT_ROWS);
        scores = write_scores(scores, &masks[r], of[0], of[1], threshold[r]);
    }
    return scores;
}

static void amx_compare(const byte_tiles *t) {
    /* palette 1; every one of the 8 matrix registers has 16 rows of 64 bytes */
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    const int64_t words = t->words, tiles = t->tiles, row_bytes = 4 * INT_ROWS;
    const int64_t steps = words / MATRIX_WORDS, queries_a_step = (AMX_TILE_QUERIES + steps - 1) / steps;
    const int32_t *x = t->rows, *start = t->start, *q = t->queries, *threshold = t->threshold;
    uint32_t *masks = t->masks;
    int32_t *scores = t->scores;
    int32_t products[2][AMX_TILE_QUERIES * INT_ROWS] __attribute__((aligned(64)));
    _tile_loadconfig(&shape);
    for (int64_t tile = 0; tile < tiles; tile++) {
        int32_t *to = products[tile % 2];
        const int32_t *rows = x;
        _tile_loadd(0, start, 0);
        _tile_loadd(1, start + 16, 0);
        /* Comparing the scores of the tile before takes no time beside the products of this one. */
        for (int64_t low = 0; rows < x + words * INT_ROWS; rows += MATRIX_WORDS * INT_ROWS) {
            _tile_loadd(2, q, 64);
            _tile_loadd(3, rows, row_bytes);
            _tile_dpbusd(0, 2, 3);
            _tile_loadd(4, rows + 16, row_bytes);
            _tile_dpbusd(1, 2, 4);
            const int64_t high = low + queries_a_step < AMX_TILE_QUERIES ? low + queries_a_step : AMX_TILE_QUERIES;
            if (tile)
                scores = amx_write_scores(scores, masks + (tile - 1) * AMX_TILE_QUERIES, products[(tile + 1) % 2], low,
                                          high, threshold + (tile - 1) * AMX_TILE_QUERIES);
            low = high;
            q += AMX_TILE_QUERIES * MATRIX_WORDS;
        }
        _tile_stored(0, to, row_bytes);
        _tile_stored(1, to + 16, row_bytes);
    }
    _tile_release();
    const int64_t last = (tiles - 1) * AMX_TILE_QUERIES;
    amx_write_scores(scores, masks + last, products[(tiles - 1) % 2], 0, AMX_TILE_QUERIES, threshold + last);
}

static const byte_kernels amx_kernels = {amx_words, vnni_pack_rows, amx_pack_query, amx_compare, NULL, vnni_squares};

END_TARGET
#endif

#endif
