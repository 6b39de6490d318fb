/* Lists of the samples in which inputs are active, and how rows get into them.

   Inputs go in groups of QUAD neighbours; a group has a list of the samples in which any of its inputs is other than
   zero. Neighbours in a picture agree: MNIST has 19% of its inputs active and 28% of these groups. */
#ifndef FNN_GEMM_CSC_PACK_H
#define FNN_GEMM_CSC_PACK_H

#include "../simd/vec.h"
#include "../plan.h"

#define QUAD 4
#define STRIP_WIDTH (STRIP * LANES)
#define STRIP_BYTES (STRIP * VECTOR_BYTES)

typedef real vec_block __attribute__((vector_size(QUAD * sizeof(real)), aligned(16), may_alias));
typedef real vec_block_unaligned __attribute__((vector_size(QUAD * sizeof(real)), aligned(sizeof(real)), may_alias));
typedef int32_t ivec_block __attribute__((vector_size(QUAD * sizeof(int32_t))));

INLINE ivec_block widen(uint32_t bytes) {
#if VECTOR_BYTES > 16
    return (ivec_block)_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)bytes));
#else
    return (ivec_block){bytes & 255, bytes >> 8 & 255, bytes >> 16 & 255, bytes >> 24};
#endif
}

/* A sample's inputs in a group, as bytes. */
typedef struct {
    int32_t place; /* where the sample begins in the strip, in bytes */
    uint8_t bytes[QUAD];
} byte_nonzero;

/* Entries are in one of two forms: what packing makes of a batch, or bytes that are stored for every epoch. */
typedef struct {
    int64_t *start, *end;  /* (groups) a group's list is these entries, its samples ascending */
    int32_t *place;        /* (entries) where these begin in the strip, in bytes; */
    real *value;           /* (entries, QUAD) and their inputs */
    byte_nonzero *bytes; /* (entries) in place of both, if not NULL, */
    const real *of_byte;   /* (256) and what these stand for */
    int64_t room, inputs;  /* samples that a list has room for */
    real *strip;           /* (room, STRIP_WIDTH) some columns of z or delta: whole rows lie so far apart that few of them
                              fit the sets of the first-level cache that their addresses share */
    real *zeros, *sink; /* (stride) rows read and written in place of those that the last group lacks */
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

/* The groups among the next 64 inputs of a row, or those before `high`, with any input other than zero: a bit at each
   one's first input. */
static uint64_t active_quads(const void *row, int is_uint8, int64_t from, int64_t high) {
    const int64_t count = high - from < 64 ? high - from : 64;
    uint64_t any = is_uint8 ? active_bytes((const uint8_t *)row + from, count)
                            : active_reals((const real *)row + from, count);
    any |= any >> 1;
    any |= any >> 2;
    return any & 0x1111111111111111;
}

/* value = the `count` inputs of a group that a row has, zeros in place of those it lacks */
INLINE void pack_quad(real *value, const void *row, const int is_uint8, real scale, int64_t at, int64_t count) {
    if (is_uint8) {
        uint32_t bytes = 0;
        memcpy(&bytes, (const uint8_t *)row + at, count);
        *(vec_block *)value = __builtin_convertvector(widen(bytes), vec_block) * scale;
    } else if (count == QUAD) { /* GCC would make a memcpy of it two halves, which a load of the whole has to wait for */
        *(vec_block *)value = *(const vec_block_unaligned *)((const real *)row + at);
    } else {
        vec_block reals = {0};
        memcpy(&reals, (const real *)row + at, count * sizeof(real));
        *(vec_block *)value = reals;
    }
}

/* Puts the groups among the next 64 inputs of a sample into the lists. */
INLINE void pack_row(const block_csc *to, int32_t place, const void *row, const int is_uint8, real scale,
                         int64_t from, int64_t high) {
    uint64_t groups = active_quads(row, is_uint8, from, high);
    for (; groups; groups &= groups - 1) {
        const int64_t at = from + __builtin_ctzll(groups), group = at / QUAD;
        const int64_t n = to->end[group]++;
        to->place[n] = place;
        if (high - at >= QUAD)
            pack_quad(to->value + n * QUAD, row, is_uint8, scale, at, QUAD);
        else
            pack_quad(to->value + n * QUAD, row, is_uint8, scale, at, high - at);
    }
}

#if VECTOR_BYTES > 16
/* The same of up to INT_LANES samples of bytes, from sample `first` on, and of the inputs from..high, a multiple of 16 of
   them: one group's bytes are an int of each sample, and those of the samples that have it active are moved side by
   side. */
INLINE void pack_some(const block_csc *to, int64_t first, int64_t samples, const void *const *rows, real scale,
                          int64_t from, int64_t high) {
    real *const values = to->value;
    int32_t *const places = to->place;
    int64_t *const ends = to->end;
    const uint8_t *row[INT_LANES];
    ints place, fours[16 / QUAD];
    for (int i = 0; i < INT_LANES; i++) {
        row[i] = rows[i < samples ? i : 0];
        place[i] = ((int32_t)first + i) * STRIP_BYTES;
    }
    for (; from < high; from += 16) {
        transpose_fours(row, from, fours);
        for (int64_t i = 0; i < 16 / QUAD; i++) {
            const uint32_t active = nonzero(fours[i]) & (uint32_t)((1 << samples) - 1);
            if (active == 0) continue;
            const int64_t group = from / QUAD + i, n = ends[group];
            const int count = __builtin_popcount(active);
            const ints places_here = compress(place, active), bytes = compress(fours[i], active);
            memcpy(places + n, &places_here, sizeof bytes); /* whole vectors, here and below: there is room */
            int s = 0;
            do {
                UNROLL for (int end = 0; end < 8; end += LANES / QUAD, s += LANES / QUAD)
                    *(vec_unaligned *)(values + (n + s) * QUAD) = vbytes((const uint8_t *)&bytes + s * QUAD) * scale;
            } while (s < count);
            ends[group] += count;
        }
    }
}
#endif

/* Puts the inputs low..high, whole groups, of some samples from `first` on into the lists: a few inputs at a time, so
   that the ends of their lists are in the first-level cache. */
INLINE void pack_rows(const block_csc *to, int64_t first, int64_t samples, const void *const *rows,
                          const int is_uint8, real scale, int64_t low, int64_t high) {
    for (int64_t i = low; i < high; i += 64) {
        int64_t end = i; /* of what is done */
#if VECTOR_BYTES > 16
        if (is_uint8) {
            end = high - i < 64 ? high - (high - i) % 16 : i + 64;
            for (int64_t s = 0; s < samples; s += INT_LANES)
                pack_some(to, first + s, samples - s < INT_LANES ? samples - s : INT_LANES, rows + s, scale, i, end);
        }
#endif
        for (int64_t s = 0; s < samples && end < high && end < i + 64; s++)
            pack_row(to, (int32_t)(first + s) * STRIP_BYTES, rows[s], is_uint8, scale, end, high);
    }
}

static void pack_lists(const block_csc *to, int64_t first, int64_t samples, const void *const *rows, int is_uint8,
                           real scale, int64_t low, int64_t high) {
    if (is_uint8)
        pack_rows(to, first, samples, rows, 1, scale, low, high);
    else
        pack_rows(to, first, samples, rows, 0, scale, low, high);
}

/* Where lists lie that are made once, for batches of rows in order that come again every epoch: block after block of
   rows that go through the network together, each with the ends of its lists and their entries. */
typedef struct {
    int64_t batch_size, rows, blocks; /* rows of a batch and of a block; blocks of a batch */
    int64_t groups, most, bytes;      /* of a block; most: entries */
} csc_layout;

static csc_layout stored_lists(int64_t inputs, int64_t batch_size) {
    const int64_t rows = batch_size > BLOCK ? LONG_BLOCK : batch_size, groups = (inputs + QUAD - 1) / QUAD;
    const int64_t most = (int64_t)(MOST_STORED * (double)rows * (double)groups) + 1;
    const int64_t bytes = (groups + 1) * (int64_t)sizeof(int64_t) + most * (int64_t)sizeof(byte_nonzero);
    return (csc_layout){batch_size, rows, (batch_size + rows - 1) / rows, groups, most, (bytes + 63) / 64 * 64};
}

/* Lets lists be those of the block that begins with some row. */
static void use_stored(block_csc *lists, const csc_layout *layout, const void *all, int64_t row) {
    const int64_t block = row / layout->batch_size * layout->blocks + row % layout->batch_size / layout->rows;
    lists->start = (int64_t *)((char *)all + block * layout->bytes); /* a list starts where the one before ends */
    lists->end = lists->start + 1;
    lists->bytes = (byte_nonzero *)(lists->end + layout->groups);
}

#endif
