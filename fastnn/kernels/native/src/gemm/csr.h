/* The first layer over compressed sparse rows (CSR): z (m, n) = start + x W and g (k, n) += x^T delta.

   Of a row only its nonzeros are walked, in ascending order, while a row of z, or of delta, stays in registers. An
   optimizer that moves every weight takes the gradient input by input instead: for that, a batch's nonzeros are linked
   to a list for each input.

   Called by train/; writes z or g, and the lists. */
#ifndef FNN_GEMM_CSR_H
#define FNN_GEMM_CSR_H

#include "tiles.h"

/* Vectors of a row of z, or of W, that are summed together. */
#define CSR_VECTORS 8

typedef struct {
    int64_t next; /* of the same input, in a later sample; -1: there is none */
    int32_t sample;
    real value;
} linked_nonzero;

/* Some samples of CSR: sample s is the row order[s] or, without an order, first + s. */
typedef struct {
    const int64_t *indptr;  /* (rows + 1) row i's nonzeros are indptr[i]..indptr[i + 1]: */
    const int32_t *indices; /* (nonzeros) their inputs, ascending, */
    const real *value;      /* (nonzeros) and values */
    const int64_t *order;
    int64_t first;
    /* the lists of the samples' nonzeros by input, where the plan has them */
    int64_t *head; /* (inputs) the first one's place in `linked`; -1: there is none */
    linked_nonzero *linked;
    int32_t *active;      /* the inputs that have a list, ascending, with room for one more: */
    int64_t active_count; /* so many */
} csr_batch;

INLINE int64_t csr_row(const csr_batch *x, int64_t s) { return x->order ? x->order[s] : x->first + s; }

/* The first of a row's nonzeros from..end whose input is at least `low`. */
static int64_t lower_bound(const int32_t *indices, int64_t from, int64_t end, int64_t low) {
    if (low == 0) return from;
    while (from < end) {
        const int64_t middle = from + (end - from) / 2;
        if (indices[middle] < low)
            from = middle + 1;
        else
            end = middle;
    }
    return from;
}

/* Expands to a loop over sample s's nonzeros k of the inputs low..high. */
#define EACH_OF_ROW(x, s, low, high) \
    for (int64_t k = lower_bound((x)->indices, (x)->indptr[csr_row(x, s)], (x)->indptr[csr_row(x, s) + 1], low), \
                 end = (x)->indptr[csr_row(x, s) + 1]; \
         k < end && (x)->indices[k] < high; k++)

/* Some vectors of columns of z's rows = start + x W over the inputs low..high; no start: zero. */
INLINE void csr_sums(const int vectors, const csr_batch *batch, int64_t low, int64_t high, const first_product *p,
                     int64_t column) {
    const csr_batch copy = *batch, *x = &copy; /* as what is written through pointers cannot be it */
    for (int64_t s = 0; s < p->samples; s++) {
        real *z = p->z + s * p->z_stride + column;
        vec sum[CSR_VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) sum[j] = p->start ? vload(p->start + column + j * LANES) : (vec){0};
        EACH_OF_ROW(x, s, low, high) {
            const real *w = p->w + x->indices[k] * p->w_stride + column;
            const vec value = vset(x->value[k]);
            UNROLL for (int j = 0; j < vectors; j++) sum[j] = vfma(value, vload(w + j * LANES), sum[j]);
        }
        UNROLL for (int j = 0; j < vectors; j++) vstore(z + j * LANES, sum[j]);
    }
}

/* Some vectors of columns of g (p->w) += x^T delta (p->z) over the inputs low..high, sample by sample. */
INLINE void csr_spread(const int vectors, const csr_batch *batch, int64_t low, int64_t high, const first_product *p,
                       int64_t column) {
    const csr_batch copy = *batch, *x = &copy; /* as what is written through pointers cannot be it */
    for (int64_t s = 0; s < p->samples; s++) {
        const real *from = p->z + s * p->z_stride + column;
        vec delta[CSR_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) delta[j] = vload(from + j * LANES);
        EACH_OF_ROW(x, s, low, high) {
            real *g = p->w + x->indices[k] * p->w_stride + column;
            const vec value = vset(x->value[k]);
            UNROLL for (int j = 0; j < vectors; j++) vstore(g + j * LANES, vfma(value, delta[j], vload(g + j * LANES)));
        }
    }
}

/* The same of the inputs low..high that have lists, input by input: g, from row `low` on, is set, not added to. */
INLINE void csr_gather(const int vectors, const csr_batch *batch, int64_t low, int64_t high, const first_product *p,
                       int64_t column) {
    const csr_batch copy = *batch, *x = &copy; /* as above */
    for (int64_t i = low; i < high; i++) {
        vec sum[CSR_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) sum[j] = (vec){0};
        for (int64_t k = x->head[i]; k >= 0; k = x->linked[k].next) {
            const real *delta = p->z + x->linked[k].sample * p->z_stride + column;
            const vec value = vset(x->linked[k].value);
            UNROLL for (int j = 0; j < vectors; j++) sum[j] = vfma(value, vload(delta + j * LANES), sum[j]);
        }
        real *g = p->w + (i - low) * p->w_stride + column;
        UNROLL for (int j = 0; j < vectors; j++) vstore(g + j * LANES, sum[j]);
    }
}

/* Expands to a loop over the columns p->left..p->right that calls NAME with n vectors of them, a constant. */
#define EACH_CSR_WIDTH(NAME)                                                                          \
    for (int64_t column = p->left; column < p->right; column += CSR_VECTORS * LANES)                  \
        switch (p->right - column < CSR_VECTORS * LANES ? (p->right - column) / LANES : CSR_VECTORS) { \
        case 1: NAME(1, x, low, high, p, column); break;                                              \
        case 2: NAME(2, x, low, high, p, column); break;                                              \
        case 3: NAME(3, x, low, high, p, column); break;                                              \
        case 4: NAME(4, x, low, high, p, column); break;                                              \
        case 5: NAME(5, x, low, high, p, column); break;                                              \
        case 6: NAME(6, x, low, high, p, column); break;                                              \
        case 7: NAME(7, x, low, high, p, column); break;                                              \
        default: NAME(8, x, low, high, p, column); break;                                             \
        }

static void csr_forward(const csr_batch *x, int64_t low, int64_t high, const first_product *p) {
    EACH_CSR_WIDTH(csr_sums)
}

static void csr_gradient(const csr_batch *x, int64_t low, int64_t high, const first_product *p) {
    EACH_CSR_WIDTH(csr_spread)
}

static void csr_gradient_of_inputs(const csr_batch *x, int64_t low, int64_t high, const first_product *p) {
    EACH_CSR_WIDTH(csr_gather)
}

/* Links the nonzeros of m samples for each of the inputs low..high, ascending by sample, in place of those there are. */
static void link_nonzeros(csr_batch *x, int64_t m, int64_t low, int64_t high) {
    int64_t n = 0;
    for (int64_t a = 0; a < x->active_count; a++) x->head[x->active[a]] = -1;
    x->active_count = 0;
    for (int64_t s = m - 1; s >= 0; s--)
        EACH_OF_ROW(x, s, low, high) {
            int64_t *head = x->head + x->indices[k];
            x->linked[n] = (linked_nonzero){*head, (int32_t)s, x->value[k]};
            *head = n++;
        }
    for (int64_t i = low; i < high; i++) { /* no branch: which inputs are active cannot be foreseen */
        x->active[x->active_count] = (int32_t)i;
        x->active_count += x->head[i] >= 0;
    }
}

#endif
