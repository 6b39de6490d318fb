/* The first layer over its active inputs only, for narrow layers and small batches: z (m, n) = C0 + x W and
   g (k, n) += x^T delta.

   Samples go in micro-batches of MICRO_BATCH that share one index of active inputs, and their sums stay in registers.
   Fewer inputs are active in a micro-batch than in a whole batch (on MNIST 39%, where ten samples have 49%), and only
   their indices are packed: the values are read where they lie, bytes through a table.

   Called by train/; writes the index, z or g. */
#ifndef FNN_GEMM_MICRO_BATCH_H
#define FNN_GEMM_MICRO_BATCH_H

#include "block_csc.h"
#include "tiles.h"

typedef struct {
    /* (micro-batches, width + SPLITS) the active inputs of each, ascending, with END_OF_INDEX after those of a split */
    int32_t *index;
    const int64_t *bounds; /* (SPLITS + 1) where the splits' inputs start */
    int64_t width;         /* inputs */
} micro_batches;

#define END_OF_INDEX INT32_MAX

/* A micro-batch's active inputs in a split. */
INLINE int32_t *index_of(const micro_batches *x, int64_t batch, int split) {
    return x->index + batch * (x->width + SPLITS) + x->bounds[split] + split;
}

#if VECTOR_BYTES > 16
#define WORD (VECTOR_BYTES / 4) /* inputs looked at together: a vector of indices */
/* Bytes of reals that are asked for before their turn: rows come from the second-level cache, which takes longer to
   answer than a vector to be looked at. */
#define ROW_AHEAD 128

/* One bit for each of the inputs i..i + WORD that is other than zero in any of some rows. */
INLINE unsigned active_in_any(const void *const *rows, int samples, const int is_uint8, int64_t i) {
    unsigned active = 0;
    if (is_uint8) {
#if VECTOR_BYTES == 64
        __m128i any = _mm_setzero_si128();
        for (int s = 0; s < samples; s++)
            any = _mm_or_si128(any, _mm_loadu_si128((const __m128i *)((const uint8_t *)rows[s] + i)));
        active = _mm_test_epi8_mask(any, any);
#else
        __m128i any = _mm_setzero_si128();
        for (int s = 0; s < samples; s++)
            any = _mm_or_si128(any, _mm_loadl_epi64((const __m128i *)((const uint8_t *)rows[s] + i)));
        active = ~(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) & 255;
#endif
    } else {
        for (int s = 0; s < samples; s++) {
            const real *x = (const real *)rows[s] + i;
            __builtin_prefetch((const char *)(x + WORD) + ROW_AHEAD);
            for (int k = 0; k < WORD; k += LANES) active |= vnonzero(*(const vec_unaligned *)(x + k)) << k;
        }
    }
    return active;
}

/* Stores i + the positions of the bits set side by side, and something after them. */
INLINE void store_indices(int32_t *to, int64_t i, unsigned bits) {
#if VECTOR_BYTES == 64
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i at = _mm512_add_epi32(_mm512_set1_epi32((int32_t)i), steps);
    _mm512_storeu_si512(to, _mm512_maskz_compress_epi32((__mmask16)bits, at));
#else
    const __m256i steps = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)&fnn_set_bits[bits]));
    _mm256_storeu_si256((__m256i *)to, _mm256_add_epi32(_mm256_set1_epi32((int32_t)i), steps));
#endif
}
#endif

/* index[0..) = which of the inputs low..high are other than zero in any of some rows; returns how many. */
INLINE int64_t find_active(const void *const *rows, int samples, const int is_uint8, int64_t low, int64_t high,
                           int32_t *index) {
    int64_t count = 0, i = low;
#if VECTOR_BYTES > 16
    for (; i + WORD <= high; i += WORD) { /* whole vectors are stored: count <= i - low, so they end in time */
        const unsigned active = active_in_any(rows, samples, is_uint8, i);
        store_indices(index + count, i, active);
        count += __builtin_popcount(active);
    }
#endif
    for (; i < high; i += 64) {
        const int64_t here = high - i < 64 ? high - i : 64;
        uint64_t any = 0;
        for (int s = 0; s < samples; s++)
            any |= is_uint8 ? active_bytes((const uint8_t *)rows[s] + i, here)
                            : active_reals((const real *)rows[s] + i, here);
        for (; any; any &= any - 1) index[count++] = (int32_t)(i + __builtin_ctzll(any));
    }
    return count;
}

/* Finds one split's active inputs of the micro-batch that begins with sample `first` of the block. */
static void index_micro_batch(micro_batches *to, int split, int64_t first, int samples, const row_pointers *rows) {
    const int64_t batch = first / MICRO_BATCH, low = to->bounds[split], high = to->bounds[split + 1];
    const void *const *from = rows->row + first;
    int32_t *index = index_of(to, batch, split);
    index[rows->is_uint8 ? find_active(from, samples, 1, low, high, index)
                         : find_active(from, samples, 0, low, high, index)] = END_OF_INDEX;
}

/* What a tile works on: some samples' rows, their active inputs below `high`, and columns of W or its gradient, whose
   rows are w_stride apart, and those of z or delta z_stride. */
typedef struct {
    const void *const *row;
    const real *byte_value;
    const int32_t *index;
    int64_t high;
    real *w;
    int64_t w_stride, z_stride;
} micro_operands;

INLINE vec input_value(const real *byte_value, const void *row, const int is_uint8, int64_t i) {
    return vset(is_uint8 ? byte_value[((const uint8_t *)row)[i]] : ((const real *)row)[i]);
}

/* z (samples, z_stride) = start (rows start_step apart) + x W, in some vectors of columns */
INLINE void micro_sum(const int samples, const int vectors, const int is_uint8, const micro_operands *in,
                      const real *start, int64_t start_step, real *z) {
    const int64_t w_stride = in->w_stride, z_stride = in->z_stride, high = in->high;
    const real *const w = in->w, *const byte_value = in->byte_value;
    const void *row[MICRO_ROWS];
    vec sum[MICRO_ROWS][MICRO_VECTORS];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s];
        UNROLL for (int j = 0; j < vectors; j++) sum[s][j] = vload(start + s * start_step + j * LANES);
    }
    for (const int32_t *index = in->index; *index < high; index++) {
        const real *from = w + *index * w_stride;
        vec value[MICRO_ROWS];
        UNROLL for (int s = 0; s < samples; s++) value[s] = input_value(byte_value, row[s], is_uint8, *index);
        UNROLL for (int j = 0; j < vectors; j++) {
            const vec weights = vload(from + j * LANES);
            UNROLL for (int s = 0; s < samples; s++) sum[s][j] = vfma(value[s], weights, sum[s][j]);
        }
    }
    UNROLL for (int s = 0; s < samples; s++)
        UNROLL for (int j = 0; j < vectors; j++) vstore(z + s * z_stride + j * LANES, sum[s][j]);
}

/* w += x^T delta (samples, z_stride), in some vectors of columns; returns where the index goes on */
INLINE const int32_t *micro_spread(const int samples, const int vectors, const int is_uint8, const micro_operands *in,
                            const real *delta) {
    const int64_t w_stride = in->w_stride, z_stride = in->z_stride, high = in->high;
    const int32_t *index = in->index;
    real *const w = in->w;
    const real *const byte_value = in->byte_value;
    const void *row[MICRO_ROWS];
    vec kept[MICRO_ROWS][MICRO_VECTORS];
    UNROLL for (int s = 0; s < samples; s++) {
        row[s] = in->row[s];
        UNROLL for (int j = 0; j < vectors; j++) kept[s][j] = vload(delta + s * z_stride + j * LANES);
    }
    for (; *index < high; index++) {
        real *to = w + *index * w_stride;
        vec value[MICRO_ROWS];
        UNROLL for (int s = 0; s < samples; s++) value[s] = input_value(byte_value, row[s], is_uint8, *index);
        UNROLL for (int j = 0; j < vectors; j++) {
            vec weights = vload(to + j * LANES);
            UNROLL for (int s = 0; s < samples; s++) weights = vfma(value[s], kept[s][j], weights);
            vstore(to + j * LANES, weights);
        }
    }
    return index;
}

/* A function for each shape, as in tiles.h. */
typedef void sum_function(const micro_operands *in, const real *start, int64_t start_step, real *z);
typedef const int32_t *spread_function(const micro_operands *in, const real *delta);

/* SHAPE expands to the two functions of a tile: its sum and its gradient. */
#define SHAPE(samples, vectors, bytes)                                                                            \
    static __attribute__((noinline)) void sum_##samples##_##vectors##_##bytes(                                \
        const micro_operands *in, const real *start, int64_t start_step, real *z) {                                \
        micro_sum(samples, vectors, bytes, in, start, start_step, z);                                          \
    }                                                                                                             \
    static __attribute__((noinline)) const int32_t *spread_##samples##_##vectors##_##bytes(const micro_operands *in,     \
                                                                                     const real *delta) {         \
        return micro_spread(samples, vectors, bytes, in, delta);                                                      \
    }
#define SHAPES(samples, vectors) SHAPE(samples, vectors, 0) SHAPE(samples, vectors, 1)
#define NAMES(name, samples, vectors) {name##_##samples##_##vectors##_0, name##_##samples##_##vectors##_1}
#if MICRO_VECTORS == 4
#define EACH_WIDTH(samples) SHAPES(samples, 1) SHAPES(samples, 2) SHAPES(samples, 3) SHAPES(samples, 4)
#define WIDTHS(name, samples) \
    {NAMES(name, samples, 1), NAMES(name, samples, 2), NAMES(name, samples, 3), NAMES(name, samples, 4)}
#else
#define EACH_WIDTH(samples) SHAPES(samples, 1) SHAPES(samples, 2)
#define WIDTHS(name, samples) {NAMES(name, samples, 1), NAMES(name, samples, 2)}
#endif
#if MICRO_ROWS == 4
#define EACH_HEIGHT(name) WIDTHS(name, 1), WIDTHS(name, 2), WIDTHS(name, 3), WIDTHS(name, 4)
EACH_WIDTH(3) EACH_WIDTH(4)
#else
#define EACH_HEIGHT(name) WIDTHS(name, 1), WIDTHS(name, 2)
#endif
EACH_WIDTH(1) EACH_WIDTH(2)
static sum_function *const sum_of[MICRO_ROWS][MICRO_VECTORS][2] = {EACH_HEIGHT(sum)};
static spread_function *const spread_of[MICRO_ROWS][MICRO_VECTORS][2] = {EACH_HEIGHT(spread)};
#undef SHAPE
#undef SHAPES
#undef NAMES
#undef EACH_WIDTH
#undef WIDTHS
#undef EACH_HEIGHT

/* z = C0 + x W over a split's active inputs, in its columns; C0 as in tiles.h. */
static void micro_batch_forward(const micro_batches *x, const row_pointers *rows, int split, int from,
                                const first_product *p) {
    static const real zeros[MICRO_VECTORS * LANES] __attribute__((aligned(64))) = {0};
    for (int64_t j = p->left; j < p->right; j += MICRO_VECTORS * LANES)
        for (int64_t s = 0; s < p->samples; s += MICRO_ROWS) {
            const int64_t height = p->samples - s < MICRO_ROWS ? p->samples - s : MICRO_ROWS;
            const int64_t vectors = (p->right - j) / LANES, batch = s / MICRO_BATCH;
            real *to = p->z + s * p->z_stride + j;
            const real *sums = from == FROM_C ? to : from == FROM_ROW ? p->start + j : zeros;
            sum_of[height - 1][(vectors < MICRO_VECTORS ? vectors : MICRO_VECTORS) - 1][rows->is_uint8](
                &(micro_operands){rows->row + s, rows->byte_value, index_of(x, batch, split), END_OF_INDEX, p->w + j,
                                  p->w_stride, p->z_stride},
                sums, from == FROM_C ? p->z_stride : 0, to);
        }
}

/* next (micro-batches) = where the index of a split begins, for micro_batch_gradient. */
static void begin_split(const micro_batches *x, int split, int64_t samples, const int32_t **next) {
    for (int64_t batch = 0; batch * MICRO_BATCH < samples; batch++) next[batch] = index_of(x, batch, split);
}

/* g += x^T delta over the active inputs from `next` (micro-batches) on and below `high`, where `next` then is. */
static void micro_batch_gradient(const row_pointers *rows, const int32_t **next, int64_t high, const first_product *p) {
    for (int64_t first = 0; first < p->samples; first += MICRO_BATCH, next++) {
        const int64_t rest = p->samples - first, after = rest < MICRO_BATCH ? p->samples : first + MICRO_BATCH;
        const int32_t *const index = *next;
        for (int64_t s = first; s < after; s += MICRO_ROWS)
            for (int64_t j = p->left; j < p->right; j += MICRO_VECTORS * LANES) {
                const int64_t height = after - s < MICRO_ROWS ? after - s : MICRO_ROWS;
                const int64_t vectors = (p->right - j) / LANES;
                *next = spread_of[height - 1][(vectors < MICRO_VECTORS ? vectors : MICRO_VECTORS) - 1][rows->is_uint8](
                    &(micro_operands){rows->row + s, rows->byte_value, index, high, p->w + j, p->w_stride, p->z_stride},
                    p->z + s * p->z_stride + j);
            }
    }
}

#endif
