/* The tiles of byte_kernels.h for one instruction. A template as simd/int8_dot.h is, by the same macros. */
#include "../simd/int8_dot.h"

static int64_t INT8(words)(int64_t width) { return (width + WORD_BYTES - 1) / WORD_BYTES; }

/* A vector of byte blocks, one of each row, becomes their words, INT_ROWS apart; adds to the rows' sums of x^2, or of
   x (x - 128), and of x. */
INLINE void INT8(split_blocks)(ints *to, ints *squares, ints *sums) {
#if WORD_BYTES == 4
    const ints x = *to, less = x ^ ((ints){0} + (int32_t)0x80808080); /* x - 128 as signed bytes */
    *squares = INT8(dot)(*squares, x, less);
    *sums = INT8(dot)(*sums, x, (ints){0} + 0x01010101);
    *to = less;
#else
    const ints x = *to, first = (x & 0xff) | (x << 8 & 0xff0000), second = (x >> 16 & 0xff) | (x >> 8 & 0xff0000);
    (void)sums;
    *squares = INT8(dot)(INT8(dot)(*squares, first, first), second, second);
    to[0] = first;
    to[INT_ROWS / INT_LANES] = second;
#endif
}

static uint32_t INT8(pack_rows)(const uint8_t *x, int64_t width, int64_t height, const uint8_t *kept, int32_t *to,
                                int32_t *start) {
    uint32_t odd = 0;
    const int64_t blocks = (width + BYTE_BLOCK - 1) / BYTE_BLOCK, step = BYTE_BLOCK / WORD_BYTES * INT_ROWS;
    for (int64_t j = 0; j < INT_ROWS; j += INT_LANES) {
        const uint8_t *rows[INT_LANES];
        for (int64_t r = 0; r < INT_LANES; r++) rows[r] = x + (j + r < height ? j + r : height - 1) * width;
        ints squares = {0}, sums = {0}, four[4];
        int32_t *next = to + j;
        for (int64_t b = 0; b < blocks; b += 4) {
            const int64_t count = blocks - b < 4 ? blocks - b : 4;
#if VECTOR_BYTES > 16
            if ((b + 4) * BYTE_BLOCK <= width)
                transpose_words(rows, b * BYTE_BLOCK, four);
            else
#endif
                for (int64_t k = 0; k < count; k++)
                    for (int64_t r = 0; r < INT_LANES; r++)
                        four[k][r] = (int32_t)block_at(rows[r], (b + k) * BYTE_BLOCK, width);
            for (int64_t k = 0; k < count; k++) {
                *(ints *)next = four[k];
                INT8(split_blocks)((ints *)next, &squares, &sums);
                next += kept[b + k] * step; /* or the next block takes its place */
            }
        }
        squares += sums * 128;
        *(ints *)(start + j) = -(squares >> 1);
        odd |= nonzero(squares & 1) << j;
    }
    return odd;
}

static int64_t INT8(norm)(const uint8_t *q, int64_t width) {
    int64_t norm = 0;
    for (int64_t i = 0; i < width; i++) norm += (int64_t)q[i] * (q[i] - (WORD_BYTES == 4 ? 256 : 0));
    return norm;
}

static int64_t INT8(pack_query)(const uint8_t *q, int64_t width, const int32_t *blocks, int64_t count, int32_t *to,
                                int64_t tile_queries, int64_t at) {
    for (to += at; count > 0; count--, to += BYTE_BLOCK / WORD_BYTES * tile_queries) {
        const uint32_t block = block_at(q, BYTE_BLOCK * (int64_t)*blocks++, width);
#if WORD_BYTES == 4
        *to = (int32_t)block;
#else
        to[0] = (int32_t)((block & 0xff) | (block << 8 & 0xff0000));
        to[tile_queries] = (int32_t)((block >> 16 & 0xff) | (block >> 8 & 0xff0000));
#endif
    }
    return INT8(norm)(q, width);
}

static void INT8(compare)(const byte_tiles *t) {
    const int32_t *q = t->queries, *start = t->start, *threshold = t->threshold;
    const int64_t words = t->words;
    uint32_t *masks = t->masks;
    int32_t *scores = t->scores;
    for (int64_t tile = t->tiles; tile > 0; tile--, threshold += TILE_QUERIES, masks += TILE_QUERIES) {
        const int32_t *x = t->rows;
        ints sum[TILE_QUERIES][2];
    UNROLL for (int r = 0; r < TILE_QUERIES; r++)
            UNROLL for (int j = 0; j < 2; j++) sum[r][j] = *(const ints *)(start + j * INT_LANES);
        for (int64_t word = 0; word < words; word++, x += INT_ROWS, q += TILE_QUERIES) {
            const ints left = *(const ints *)x, right = *(const ints *)(x + INT_LANES);
            UNROLL for (int r = 0; r < TILE_QUERIES; r++) {
                const ints query = (ints){0} + q[r];
                sum[r][0] = INT8(dot)(sum[r][0], query, left);
                sum[r][1] = INT8(dot)(sum[r][1], query, right);
            }
        }
        UNROLL for (int r = 0; r < TILE_QUERIES; r++)
            scores = write_scores(scores, &masks[r], sum[r][0], sum[r][1], threshold[r]);
    }
}

static void INT8(compare_micro_batches)(const byte_tiles *t) {
    const int32_t *start = t->start, *threshold = t->threshold, *rows = t->rows;
    const int64_t tiles = t->tiles, words = t->words;
    uint32_t *masks = t->masks;
    int32_t *scores = t->scores;
    for (int64_t tile = 0; tile < tiles; tile++, threshold += QUERY_MICRO_BATCH, masks += QUERY_MICRO_BATCH) {
        const int32_t *q = t->queries + tile * words * QUERY_MICRO_BATCH, *index = t->index + tile * words;
        const int32_t *end = index + t->index_count[tile];
        ints sum[QUERY_MICRO_BATCH][2];
        UNROLL for (int r = 0; r < QUERY_MICRO_BATCH; r++)
            UNROLL for (int j = 0; j < 2; j++) sum[r][j] = *(const ints *)(start + j * INT_LANES);
        for (; index < end; index++, q += QUERY_MICRO_BATCH) {
            const ints left = *(const ints *)(rows + *index), right = *(const ints *)(rows + *index + INT_LANES);
            UNROLL for (int r = 0; r < QUERY_MICRO_BATCH; r++) {
                const ints query = (ints){0} + q[r];
                sum[r][0] = INT8(dot)(sum[r][0], query, left);
                sum[r][1] = INT8(dot)(sum[r][1], query, right);
            }
        }
        UNROLL for (int r = 0; r < QUERY_MICRO_BATCH; r++)
            scores = write_scores(scores, &masks[r], sum[r][0], sum[r][1], threshold[r]);
    }
}

static const byte_kernels INT8(kernels) = {INT8(words),   INT8(pack_rows),             INT8(pack_query),
                                           INT8(compare), INT8(compare_micro_batches), INT8(squares)};
