/* Lazy updates: an input without a nonzero in a batch of CSR has no gradient there, and its weights w and velocities v
   move all the same, by momentum and penalty:

       v <- momentum v - rate l2 w,      w <- w + v, or by Nesterov w <- w + momentum v - rate l2 w

   Nobody reads them until the input has a nonzero again. So these updates wait for that batch, or for the end of a
   window of batches, and are then made one after the other while the row is in registers: what is read and written in a
   batch are the rows of its active inputs alone. Before each update the squares of w are summed for the penalty of its
   batch. Where windows end depends on nothing but the batches, and so do the bits.

   Called by epoch.h and update.h; writes the weights, their velocities, and the penalties. */
#ifndef FNN_TRAIN_LAZY_H
#define FNN_TRAIN_LAZY_H

#include "penalty.h"

#define LAZY_VECTORS 4 /* of w, v and the gradient at a time, in registers */
#define LAZY_AHEAD 8   /* inputs whose rows are prefetched before their turn */

/* What is to be done to rows of w and v: the updates that they lack, or that by the batch at hand. */
typedef struct {
    real momentum, rate, l2;  /* the latter two of the batch at hand, */
    const linked_nonzero *linked; /* its nonzeros by inputs, */
    const real *delta;            /* and (samples, width) */
    const real *pull;             /* (LAZY_BATCHES) -rate l2 of the window's batches */
    /* A row of w has `stride` elements; one of delta has `width`, which are the columns that move. */
    int64_t stride, width;
} lazy_step;

/* v <- momentum v + pull, with pull = -rate times the gradient and penalty, or pull alone without momentum. Returns what w
   moves by: v, or by Nesterov momentum v + pull. */
INLINE vec moved_velocity(const int64_t optimizer, vec momentum, vec pull, vec *v) {
    *v = optimizer == SGD ? pull : vfma(momentum, *v, pull);
    return optimizer == NESTEROV ? vfma(momentum, *v, pull) : *v;
}

/* w and v, some vectors of a row, get the updates of the batches from..to. squares (batches, stride). */
INLINE void catch_up_columns(const int vectors, const int optimizer, const lazy_step *step, int64_t from, int64_t to,
                             real *w_row, real *v_row, real *squares) {
    const vec momentum = vset(step->momentum);
    const int64_t stride = step->stride;
    const real *const pulls = step->pull;
    vec w[LAZY_VECTORS], v[LAZY_VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) {
        w[j] = vload(w_row + j * LANES);
        v[j] = optimizer == SGD ? (vec){0} : vload(v_row + j * LANES);
    }
    for (int64_t b = from; b < to; b++) {
        const vec factor = vset(pulls[b]);
        real *sums = squares + b * stride;
        UNROLL for (int j = 0; j < vectors; j++) {
            vstore(sums + j * LANES, vfma(w[j], w[j], vload(sums + j * LANES)));
            w[j] += moved_velocity(optimizer, momentum, factor * w[j], &v[j]);
        }
    }
    UNROLL for (int j = 0; j < vectors; j++) {
        vstore(w_row + j * LANES, w[j]);
        if (optimizer != SGD) vstore(v_row + j * LANES, v[j]);
    }
}

/* They get that of the batch at hand, whose gradient is summed from the list that begins at `head`. squares (stride). */
INLINE void update_columns(const int vectors, const int optimizer, const lazy_step *step, int64_t head, int64_t column,
                           real *w_row, real *v_row, real *squares) {
    const linked_nonzero *const linked = step->linked;
    const vec momentum = vset(step->momentum), rate = vset(step->rate), l2 = vset(step->l2);
    vec g[LAZY_VECTORS];
    UNROLL for (int j = 0; j < vectors; j++) g[j] = (vec){0};
    for (int64_t k = head; k >= 0; k = linked[k].next) {
        const real *delta = step->delta + linked[k].sample * step->width + column;
        const vec value = vset(linked[k].value);
        UNROLL for (int j = 0; j < vectors; j++) g[j] = vfma(value, vload(delta + j * LANES), g[j]);
    }
    UNROLL for (int j = 0; j < vectors; j++) {
        const vec w = vload(w_row + j * LANES);
        vec v = optimizer == SGD ? (vec){0} : vload(v_row + j * LANES);
        vstore(squares + j * LANES, vfma(w, w, vload(squares + j * LANES)));
        vstore(w_row + j * LANES, w + moved_velocity(optimizer, momentum, -rate * vfma(l2, w, g[j]), &v));
        if (optimizer != SGD) vstore(v_row + j * LANES, v);
    }
}

/* Either is done to the rows of `count` inputs, ascending: those of an index or, without one, from `low` on. */
INLINE void each_row(const int optimizer, const int updates, const workspace *ws, const lazy_step *step,
                     const int32_t *index, int64_t low, int64_t count) {
    const int64_t stride = step->stride, width = step->width, done = ws->lazy.done;
    real *const all_w = ws->params + ws->net->weights[0],
                *const all_v = optimizer == SGD ? all_w : ws->state + ws->net->weights[0];
    int split = ws->first_split;
    for (int64_t n = 0; n < count; n++) {
        const int64_t i = index ? index[n] : low + n, from = ws->lazy.lacks[i];
        for (int64_t j = 0; index && n + LAZY_AHEAD < count && j < stride; j += 64 / (int64_t)sizeof(real)) {
            __builtin_prefetch(all_w + index[n + LAZY_AHEAD] * stride + j, 1);
            if (optimizer != SGD) __builtin_prefetch(all_v + index[n + LAZY_AHEAD] * stride + j, 1);
        }
        while (i >= ws->input_at[split + 1]) split++;
        if (!updates && from == done) continue;
        real *w = all_w + i * stride, *v = all_v + i * stride;
        real *squares = ws->lazy.squares + split * LAZY_BATCHES * stride;
        for (int64_t j = 0; j < width; j += LAZY_VECTORS * LANES) {
#define CALL(vectors)                                                                                           \
    if (updates)                                                                                                \
        update_columns(vectors, optimizer, step, ws->in->csr.head[i], j, w + j, v + j, squares + done * stride + j); \
    else                                                                                                        \
        catch_up_columns(vectors, optimizer, step, from, done, w + j, v + j, squares + j);
            switch (width - j < LAZY_VECTORS * LANES ? (width - j) / LANES : LAZY_VECTORS) {
            case 1: CALL(1) break;
            case 2: CALL(2) break;
            case 3: CALL(3) break;
            default: CALL(LAZY_VECTORS) break;
            }
#undef CALL
        }
        ws->lazy.lacks[i] = (int32_t)(updates ? done + 1 : done);
    }
}

/* The inputs of the thread that have a nonzero in the batch that begins, or all of them, get what they lack. */
static void catch_up(const workspace *ws, const fnn_rule *rule, int all) {
    const lazy_step step = {
        .momentum = (real)rule->momentum, .pull = ws->lazy.pull, .stride = ws->net->strides[0], .width = ws->right};
    const int32_t *index = all ? NULL : ws->in->csr.active;
    const int64_t count = all ? ws->high - ws->low : ws->in->csr.active_count;
    switch (rule->optimizer) {
    case SGD: each_row(SGD, 0, ws, &step, index, ws->low, count); break;
    case MOMENTUM: each_row(MOMENTUM, 0, ws, &step, index, ws->low, count); break;
    case NESTEROV: each_row(NESTEROV, 0, ws, &step, index, ws->low, count); break;
    }
}

/* The update of the inputs that have a nonzero, which lack no earlier one. */
static void update_active(workspace *ws, int64_t optimizer, real momentum, real rate, real l2) {
    const csr_batch *x = &ws->in->csr;
    const lazy_step step = {.momentum = momentum,
                            .rate = rate,
                            .l2 = l2,
                            .linked = x->linked,
                            .delta = ws->delta,
                            .stride = ws->net->strides[0],
                            .width = ws->right};
    switch (optimizer) {
    case SGD: each_row(SGD, 1, ws, &step, x->active, 0, x->active_count); break;
    case MOMENTUM: each_row(MOMENTUM, 1, ws, &step, x->active, 0, x->active_count); break;
    case NESTEROV: each_row(NESTEROV, 1, ws, &step, x->active, 0, x->active_count); break;
    }
    ws->lazy.done++;
}

/* A window begins at batch `first` of the epoch's `batches`; `done`: of its batches those that other calls have done. */
static void begin_window(workspace *ws, const fnn_training *job, int64_t first, int64_t done, int64_t batches) {
    const fnn_rule *rule = job->rule;
    const int64_t split_size = LAZY_BATCHES * ws->net->strides[0];
    ws->lazy.first = first;
    ws->lazy.done = done;
    for (int64_t b = 0; b < LAZY_BATCHES && first + b < batches; b++) {
        const double rate = job->rates ? job->rates[first + b] : rule->learning_rate;
        const double factor = job->penalty_factors ? job->penalty_factors[first + b] : 1;
        ws->lazy.pull[b] = (real)(-rate * factor * rule->l2[0]);
    }
    if (done > 0) return;
    memset(ws->lazy.lacks + ws->low, 0, (ws->high - ws->low) * sizeof *ws->lazy.lacks);
    memset(ws->lazy.squares + ws->first_split * split_size, 0,
           (ws->end_split - ws->first_split) * split_size * sizeof(real));
}

/* No update waits any more. penalties (batches, SPLITS + 1), or NULL: the window's get the first layer's parts. */
static void end_window(const workspace *ws, const fnn_rule *rule, double *penalties) {
    const int64_t stride = ws->net->strides[0];
    catch_up(ws, rule, 1);
    for (int c = ws->first_split; penalties && c < ws->end_split; c++)
        for (int64_t b = 0; b < ws->lazy.done; b++) {
            const real *sums = ws->lazy.squares + (c * LAZY_BATCHES + b) * stride;
            penalties[(ws->lazy.first + b) * (SPLITS + 1) + c] += rule->l2[0] / 2 * sum_columns(sums, 0, stride);
        }
}

#endif
