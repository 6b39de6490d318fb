/* The first layer over its active inputs only, for an online block: z (m, n) = C0 + x W and g (k, n) += x^T delta.

   A block's samples, at most ONLINE_MICRO_BATCH, share one index. An input is active if any of them has it other than
   zero (on MNIST one in two, where a single sample has one in five); the active inputs are packed side by side, as the
   samples' Gram matrix needs them, and go through the dense tiles, with an index that names their rows of W. The sums
   run over ascending inputs, so leaving out zeros leaves the bits of the forward pass as they are.

   Called by train/; writes the packed inputs, z or g. */
#ifndef FNN_GEMM_ONLINE_MICRO_BATCH_H
#define FNN_GEMM_ONLINE_MICRO_BATCH_H

#include "../plan_train.h"
#include "tiles.h"

typedef struct {
    real *value;           /* (ONLINE_MICRO_BATCH, inputs) each sample's values of the active inputs */
    int32_t *index;        /* (inputs) which inputs these are, ascending */
    int64_t *count;        /* (SPLITS) how many in each split */
    const int64_t *bounds; /* (SPLITS + 1) where the splits' inputs start; so do their values and indices */
    int64_t width;         /* inputs */
} online_micro_batch;

/* Packs the inputs low..high of some rows of bytes, times scale; they start at column `low` of value
   (samples, width) and index. Returns how many are active. */
static int64_t pack_bytes(const uint8_t *const *rows, int samples, int64_t low, int64_t high, real scale,
                          const online_micro_batch *x) {
    real *const value = x->value;
    int32_t *const index = x->index;
    const int64_t width = x->width;
    int64_t count = low, i = low;
#if VECTOR_BYTES == 64
    const __m512i steps = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (; i + 16 <= high; i += 16) { /* whole vectors are stored: count <= i, so they end in the split */
        __m128i any = _mm_setzero_si128();
        for (int s = 0; s < samples; s++) any = _mm_or_si128(any, _mm_loadu_si128((const __m128i *)(rows[s] + i)));
        const __mmask16 active = _mm_test_epi8_mask(any, any);
        if (active == 0) continue;
        const __m512i at = _mm512_add_epi32(_mm512_set1_epi32((int32_t)i), steps);
        _mm512_storeu_si512(index + count, _mm512_maskz_compress_epi32(active, at));
        for (int s = 0; s < samples; s++) {
            const __m128i bytes = _mm_loadu_si128((const __m128i *)(rows[s] + i));
            const __m512i packed = _mm512_maskz_compress_epi32(active, _mm512_cvtepu8_epi32(bytes));
            real *to = value + s * width + count;
#if REAL_IS_FLOAT
            _mm512_storeu_ps(to, _mm512_cvtepi32_ps(packed) * scale);
#else
            _mm512_storeu_pd(to, _mm512_cvtepi32_pd(_mm512_castsi512_si256(packed)) * scale);
            _mm512_storeu_pd(to + 8, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(packed, 1)) * scale);
#endif
        }
        count += __builtin_popcount(active);
    }
#elif VECTOR_BYTES == 32
    for (; i + 8 <= high; i += 8) { /* likewise */
        __m128i any = _mm_setzero_si128();
        for (int s = 0; s < samples; s++) any = _mm_or_si128(any, _mm_loadl_epi64((const __m128i *)(rows[s] + i)));
        const int active = ~_mm_movemask_epi8(_mm_cmpeq_epi8(any, _mm_setzero_si128())) & 255;
        if (active == 0) continue;
        const __m128i from = _mm_loadl_epi64((const __m128i *)&fnn_set_bits[active]);
        const __m256i at = _mm256_add_epi32(_mm256_set1_epi32((int32_t)i), _mm256_cvtepu8_epi32(from));
        _mm256_storeu_si256((__m256i *)(index + count), at);
        for (int s = 0; s < samples; s++) {
            const __m128i bytes = _mm_loadl_epi64((const __m128i *)(rows[s] + i));
            const __m256i packed = _mm256_cvtepu8_epi32(_mm_shuffle_epi8(bytes, from));
            real *to = value + s * width + count;
#if REAL_IS_FLOAT
            _mm256_storeu_ps(to, _mm256_cvtepi32_ps(packed) * scale);
#else
            _mm256_storeu_pd(to, _mm256_cvtepi32_pd(_mm256_castsi256_si128(packed)) * scale);
            _mm256_storeu_pd(to + 4, _mm256_cvtepi32_pd(_mm256_extracti128_si256(packed, 1)) * scale);
#endif
        }
        count += __builtin_popcount(active);
    }
#endif
    for (; i < high; i += 8) {
        const int64_t here = high - i < 8 ? high - i : 8;
        uint64_t any = 0;
        for (int s = 0; s < samples; s++) {
            uint64_t word = 0;
            memcpy(&word, rows[s] + i, here);
            any |= word;
        }
        for (; any; any &= ~((uint64_t)255 << (__builtin_ctzll(any) & ~7))) {
            const int64_t at = i + __builtin_ctzll(any) / 8; /* little-endian, as all supported machines are */
            for (int s = 0; s < samples; s++) value[s * width + count] = (real)rows[s][at] * scale;
            index[count++] = (int32_t)at;
        }
    }
    return count - low;
}

/* The same for rows of reals, used as they are. */
static int64_t pack_reals(const real *const *rows, int samples, int64_t low, int64_t high,
                          const online_micro_batch *x) {
    real *const value = x->value;
    int32_t *const index = x->index;
    const int64_t width = x->width;
    int64_t count = low, i = low;
    for (; i + LANES <= high; i += LANES) { /* whole vectors may be stored: count <= i, so they end in the split */
        unsigned any = 0;
        for (int s = 0; s < samples; s++) any |= vnonzero(*(const vec_unaligned *)(rows[s] + i));
        if (!any) continue;
        for (int s = 0; s < samples; s++)
            vcompress(value + s * width + count, *(const vec_unaligned *)(rows[s] + i), any);
        for (; any; any &= any - 1) index[count++] = (int32_t)i + __builtin_ctz(any);
    }
    for (; i < high; i++) {
        int any = 0;
        for (int s = 0; s < samples; s++) any |= rows[s][i] != 0;
        if (!any) continue;
        for (int s = 0; s < samples; s++) value[s * width + count] = rows[s][i];
        index[count++] = (int32_t)i;
    }
    return count - low;
}

/* Packs one split's inputs. */
static void pack_online_micro_batch(online_micro_batch *to, int split, int samples, const row_pointers *rows,
                                    real scale) {
    const int64_t low = to->bounds[split], high = to->bounds[split + 1];
    to->count[split] = rows->is_uint8 ? pack_bytes((const uint8_t *const *)rows->row, samples, low, high, scale, to)
                                      : pack_reals((const real *const *)rows->row, samples, low, high, to);
}

/* z = C0 + x W over a split's active inputs, in its columns; C0 as in tiles.h. */
static void online_micro_batch_forward(const online_micro_batch *x, int split, int from, const first_product *p) {
    const int64_t low = x->bounds[split];
    gemm_tiles(INDEX_B, from, p->samples, p->right - p->left, x->count[split],
               &(gemm_operands){x->value + low, x->width, 1, p->w + p->left, p->w_stride,
                                p->start ? p->start + p->left : NULL, p->z + p->left, p->z_stride, x->index + low});
}

/* g += x^T delta over a split's active inputs. */
static void online_micro_batch_gradient(const online_micro_batch *x, int split, const first_product *p) {
    const int64_t low = x->bounds[split];
    gemm_tiles(INDEX_C, FROM_C, x->count[split], p->right - p->left, p->samples,
               &(gemm_operands){x->value + low, 1, x->width, p->z + p->left, p->z_stride, NULL, p->w + p->left,
                                p->w_stride, x->index + low});
}

#endif
