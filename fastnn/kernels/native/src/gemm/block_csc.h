/* Block-CSC of some samples: for each block of INPUT_BLOCK neighbouring inputs (columns) its nonzeros, which are the
   samples with any of these inputs other than zero, ascending, and these inputs' values.

   Neighbours in a picture agree: MNIST has 19% of its inputs active, and 28% of these blocks.

   Here are the format and how rows get into it (writes: the block_csc itself); the products are in block_csc_gemm.h.
   Called by train/inputs.h. */
#ifndef FNN_GEMM_BLOCK_CSC_H
#define FNN_GEMM_BLOCK_CSC_H

#include "../plan_train.h"
#include "tiles.h"

#define PANEL_COLUMNS (PANEL_VECTORS * LANES)
#define PANEL_BYTES (PANEL_VECTORS * VECTOR_BYTES)

typedef real vec_block __attribute__((vector_size(INPUT_BLOCK * sizeof(real)), aligned(16), may_alias));
typedef real vec_block_unaligned
    __attribute__((vector_size(INPUT_BLOCK * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef int32_t ivec_block __attribute__((vector_size(INPUT_BLOCK * sizeof(int32_t))));

INLINE ivec_block widen(uint32_t bytes) {
#if VECTOR_BYTES > 16
    return (ivec_block)_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)bytes));
#else
    return (ivec_block){bytes & 255, bytes >> 8 & 255, bytes >> 16 & 255, bytes >> 24};
#endif
}

/* A nonzero whose values are bytes. */
typedef struct {
    int32_t offset; /* of the sample's row in the panel, in bytes */
    uint8_t bytes[INPUT_BLOCK];
} byte_nonzero;

/* Nonzeros are in one of two layouts: as packing makes them, or as bytes that are stored for every epoch. */
typedef struct {
    int64_t *start, *end;     /* (input blocks) an input block's nonzeros are these, */
    int32_t *offset;          /* (nonzeros) of the sample's row in the panel, in bytes; */
    real *value;              /* (nonzeros, INPUT_BLOCK) */
    byte_nonzero *bytes;      /* (nonzeros) in place of both, if not NULL, */
    const real *byte_value;   /* (256) and what its bytes stand for */
    int64_t room, inputs;     /* samples that an input block has room for */
    /* (room, PANEL_COLUMNS) some columns of z or delta: whole rows lie so far apart that few of them fit the sets of
       the first-level cache that their addresses share */
    real *panel;
    real *zeros, *sink; /* (stride) rows read and written in place of those that the last input block lacks */
} block_csc;

/* One bit for each of at most 64 bytes, or reals, that is other than zero. */
static uint64_t active_bytes(const uint8_t *x, int64_t count) {
#if VECTOR_BYTES == 64
    const __m512i bytes = _mm512_maskz_loadu_epi8(~(uint64_t)0 >> (64 - count), x);
    return _mm512_test_epi8_mask(bytes, bytes);
#else
    uint64_t bits = 0;
    int64_t i = 0;
#if VECTOR_BYTES == 32
    for (; i + 32 <= count; i += 32) {
        const __m256i zero = _mm256_cmpeq_epi8(_mm256_loadu_si256((const __m256i *)(x + i)), _mm256_setzero_si256());
        bits |= (uint64_t)~(uint32_t)_mm256_movemask_epi8(zero) << i;
    }
#endif
    for (; i < count; i++) bits |= (uint64_t)(x[i] != 0) << i;
    return bits;
#endif
}

static uint64_t active_reals(const real *x, int64_t count) {
    uint64_t bits = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) bits |= (uint64_t)vnonzero(*(const vec_unaligned *)(x + i)) << i;
    for (; i < count; i++) bits |= (uint64_t)(x[i] != 0) << i;
    return bits;
}

/* The input blocks among the next 64 inputs of a row, or those before `high`, with any input other than zero: a bit at
   each one's first input. */
static uint64_t active_blocks(const void *row, int is_uint8, int64_t from, int64_t high) {
    const int64_t count = high - from < 64 ? high - from : 64;
    uint64_t any =
        is_uint8 ? active_bytes((const uint8_t *)row + from, count) : active_reals((const real *)row + from, count);
    any |= any >> 1;
    any |= any >> 2;
    return any & 0x1111111111111111;
}

/* value = the `count` inputs of an input block that a row has, zeros in place of those it lacks */
INLINE void pack_nonzero(real *value, const void *row, const int is_uint8, real scale, int64_t at, int64_t count) {
    if (is_uint8) {
        uint32_t bytes = 0;
        memcpy(&bytes, (const uint8_t *)row + at, count);
        *(vec_block *)value = __builtin_convertvector(widen(bytes), vec_block) * scale;
    } else if (count ==
               INPUT_BLOCK) { /* GCC would make a memcpy of it two halves, which a load of the whole has to wait for */
        *(vec_block *)value = *(const vec_block_unaligned *)((const real *)row + at);
    } else {
        vec_block reals = {0};
        memcpy(&reals, (const real *)row + at, count * sizeof(real));
        *(vec_block *)value = reals;
    }
}

/* Adds a sample's nonzeros among its next 64 inputs. */
INLINE void pack_row(const block_csc *to, int32_t offset, const void *row, const int is_uint8, real scale, int64_t from,
                     int64_t high) {
    uint64_t active = active_blocks(row, is_uint8, from, high);
    for (; active; active &= active - 1) {
        const int64_t at = from + __builtin_ctzll(active), block = at / INPUT_BLOCK;
        const int64_t n = to->end[block]++;
        to->offset[n] = offset;
        if (high - at >= INPUT_BLOCK)
            pack_nonzero(to->value + n * INPUT_BLOCK, row, is_uint8, scale, at, INPUT_BLOCK);
        else
            pack_nonzero(to->value + n * INPUT_BLOCK, row, is_uint8, scale, at, high - at);
    }
}

#if VECTOR_BYTES > 16
/* The same of up to INT_LANES samples of bytes, from sample `first` on, and of the inputs from..high, a multiple of 16
   of them: one input block's bytes are an int of each sample, and those of the samples that have it active are moved
   side by side. */
INLINE void pack_some(const block_csc *to, int64_t first, int64_t samples, const void *const *rows, real scale,
                      int64_t from, int64_t high) {
    real *const values = to->value;
    int32_t *const offsets = to->offset;
    int64_t *const ends = to->end;
    const uint8_t *row[INT_LANES];
    ints offset, words[16 / INPUT_BLOCK];
    for (int i = 0; i < INT_LANES; i++) {
        row[i] = rows[i < samples ? i : 0];
        offset[i] = ((int32_t)first + i) * PANEL_BYTES;
    }
    for (; from < high; from += 16) {
        transpose_words(row, from, words);
        for (int64_t i = 0; i < 16 / INPUT_BLOCK; i++) {
            const uint32_t active = nonzero(words[i]) & (uint32_t)((1 << samples) - 1);
            if (active == 0) continue;
            const int64_t block = from / INPUT_BLOCK + i, n = ends[block];
            const int count = __builtin_popcount(active);
            const ints offsets_here = compress(offset, active), bytes = compress(words[i], active);
            memcpy(offsets + n, &offsets_here, sizeof bytes); /* whole vectors, here and below: there is room */
            int s = 0;
            do {
    UNROLL for (int end = 0; end < 8; end += LANES / INPUT_BLOCK, s += LANES / INPUT_BLOCK)
                    *(vec_unaligned *)(values + (n + s) * INPUT_BLOCK) =
                        vbytes((const uint8_t *)&bytes + s * INPUT_BLOCK) * scale;
            } while (s < count);
            ends[block] += count;
        }
    }
}
#endif

/* Adds the nonzeros of some samples from `first` on, of the inputs low..high, whole blocks: a few inputs at a time, so
   that the ends of their columns are in the first-level cache. */
static void pack_block_csc(const block_csc *to, int64_t first, int64_t samples, const row_pointers *rows, real scale,
                           int64_t low, int64_t high) {
    const void *const *row = rows->row + first;
    for (int64_t i = low; i < high; i += 64) {
        int64_t end = i; /* of what is done */
#if VECTOR_BYTES > 16
        if (rows->is_uint8) {
            end = high - i < 64 ? high - (high - i) % 16 : i + 64;
            /* The rows' next inputs are asked for while these are packed: the second-level cache, where rows are brought
               before their turn, is too far for what is used at once. Of their 64 bytes it is the last that
               is asked for, as the first mostly lie in a line that is here. */
            for (int64_t s = 0; s < samples && end < high; s++) __builtin_prefetch((const uint8_t *)row[s] + end + 63);
            for (int64_t s = 0; s < samples; s += INT_LANES)
                pack_some(to, first + s, samples - s < INT_LANES ? samples - s : INT_LANES, row + s, scale, i, end);
        }
#endif
        for (int64_t s = 0; s < samples && end < high && end < i + 64; s++)
            if (rows->is_uint8)
                pack_row(to, (int32_t)(first + s) * PANEL_BYTES, row[s], 1, scale, end, high);
            else
                pack_row(to, (int32_t)(first + s) * PANEL_BYTES, row[s], 0, scale, end, high);
    }
}

#endif
