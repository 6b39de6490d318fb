/* Gradients straight into updates: each layer's gradient goes a few rows at a time to the optimizer, never to memory as
   a whole; spec.Rule has the optimizers' equations.

   Called by epoch.h and online.h; writes the parameters, their state, and the workspace's gradient and before. */
#ifndef FNN_TRAIN_UPDATE_H
#define FNN_TRAIN_UPDATE_H

#include "backward.h"
#include "lazy.h"

typedef struct {
    int64_t optimizer;
    real rate, momentum, beta1, beta2, epsilon; /* rate: Adam's includes its bias corrections */
    real one_minus_beta1, one_minus_beta2; /* 1 - beta; in float32, 1 - 0.999f would be 1e-5 off */
    real of_mean, of_gradient, of_square; /* Nadam's factors of m, g and v */
    const double *l1, *l2; /* (layers) */
    /* What becomes of the gradient with its penalties: it is multiplied by `scale`, and then no more than `most`. */
    real scale, most;
    double penalty_factor; /* of l1 and l2 */
    real kept; /* the part of a weight that its decay leaves */
} optimizer_step;

/* Nadam's momentum schedule u_t = beta1 (1 - 0.96^t / 2), at t: the product u_1 .. u_t, zero once nothing is seen of
   it. */
typedef struct {
    int64_t t;
    double product;
} momentum_schedule;

static double scheduled_momentum(double beta1, int64_t t) { return beta1 * (1 - 0.5 * pow(0.96, (double)t)); }

static void advance_schedule(momentum_schedule *schedule, double beta1, int64_t t) {
    for (; schedule->t < t && schedule->product > 0; schedule->t++) {
        schedule->product *= scheduled_momentum(beta1, schedule->t + 1);
        if (schedule->product < 1e-20) schedule->product = 0;
    }
}

/* The rule at update t (from 1), with the learning rate and the factor of the penalties of its batch. The schedule is at most at t. */
static optimizer_step make_step(const fnn_rule *rule, double learning_rate, double penalty_factor, int64_t t,
                                momentum_schedule *schedule) {
    const double beta1 = rule->beta1, beta2 = rule->beta2;
    optimizer_step step = {.optimizer = rule->optimizer,
                           .rate = (real)learning_rate,
                           .momentum = (real)rule->momentum,
                           .beta1 = (real)beta1,
                           .beta2 = (real)beta2,
                           .epsilon = (real)rule->epsilon,
                           .one_minus_beta1 = (real)(1 - beta1),
                           .one_minus_beta2 = (real)(1 - beta2),
                           .l1 = rule->l1,
                           .l2 = rule->l2,
                           .scale = 1,
                           .penalty_factor = penalty_factor,
                           .most = rule->clip_value > 0 ? (real)rule->clip_value : (real)INFINITY,
                           .kept = (real)(1 - learning_rate * rule->weight_decay)};
    if (rule->optimizer == ADAM || rule->optimizer == ADAMW)
        step.rate = (real)(learning_rate * (sqrt(1 - pow(beta2, t)) / (1 - pow(beta1, t))));
    if (rule->optimizer == NADAM) {
        const double now = scheduled_momentum(beta1, t), next = scheduled_momentum(beta1, t + 1);
        advance_schedule(schedule, beta1, t);
        step.of_mean = (real)(next / (1 - schedule->product * next));
        step.of_gradient = (real)((1 - now) / (1 - schedule->product));
        step.of_square = (real)(1 / (1 - pow(beta2, t)));
    }
    return step;
}

/* What comes to the gradient of the loss before it updates: nothing, the usual penalty, or any of penalties, clipping
   and the decay of weights. */
typedef enum { LOSS_ALONE, LOSS_AND_L2, LOSS_AND_ALL } gradient_parts;

/* Of layer l, with l < 0 of biases. */
INLINE gradient_parts parts_of_gradient(const optimizer_step *step, int64_t l) {
    if (step->scale != 1 || step->most < (real)INFINITY || step->kept != 1) return LOSS_AND_ALL;
    if (l < 0) return LOSS_ALONE;
    return step->l1[l] != 0 ? LOSS_AND_ALL : step->l2[l] != 0 ? LOSS_AND_L2 : LOSS_ALONE;
}

INLINE vec vsign(vec x) {
    const vec zero = {0}, one = vset(1);
    return vless(zero, x, one, vless(x, zero, -one, zero));
}

/* Rows of parameters, all of one kind (handed over by their address, as copies of what was just written stall):
   `columns` from the parameter `at` on, the next row `stride` further; those of their gradient g_stride apart. */
typedef struct {
    int64_t at, stride, rows, columns, g_stride;
} parameter_rows;

/* w of layer l, and the state m, v where the optimizer has it, are updated by the loss's gradient g and the other
   `parts`. */
INLINE void update_rows(const gradient_parts parts, const optimizer_step *step, int64_t l, const parameter_rows *p,
                        const real *restrict g, real *restrict w, real *restrict m, real *restrict v) {
    int64_t rows = p->rows, columns = p->columns;
    const int64_t stride = p->stride, g_stride = p->g_stride;
    const vec rate = vset(step->rate), momentum = vset(step->momentum), zero = {0};
    const vec beta1 = vset(step->beta1), beta2 = vset(step->beta2), epsilon = vset(step->epsilon);
    const vec one_minus_beta1 = vset(step->one_minus_beta1), one_minus_beta2 = vset(step->one_minus_beta2);
    const vec of_mean = vset(step->of_mean), of_gradient = vset(step->of_gradient), of_square = vset(step->of_square);
    const vec l1 = vset(parts && l >= 0 ? (real)(step->penalty_factor * step->l1[l]) : 0),
              l2 = vset(parts && l >= 0 ? (real)(step->penalty_factor * step->l2[l]) : 0);
    const vec scale = vset(step->scale), most = vset(step->most), kept = vset(step->kept);
/* Expands to a loop over all elements, with the weight and the gradient (dw) at hand. */
#define EACH(...) \
    for (int64_t row = 0; row < rows; row++) \
        for (int64_t i = row * stride, from = row * g_stride, end = i + columns; i < end; i += LANES, from += LANES) { \
            vec weight = vload(w + i), dw = vload(g + from); \
            if (parts) dw = vfma(l2, weight, dw); \
            if (parts == LOSS_AND_ALL) { \
                dw = (dw + l1 * vsign(weight)) * scale; \
                dw = -vmax(-most, -vmax(-most, dw)); \
                weight *= kept; \
            } \
            __VA_ARGS__ \
        }
    if (g_stride == columns && stride == columns) columns *= rows, rows = 1; /* one long row */
    switch (step->optimizer) {
    case SGD:
        EACH(vstore(w + i, vfma(-rate, dw, weight));) break;
/* Expands to the loop of one of these two. */
#define MOVE(optimizer) \
    EACH(vec velocity = vload(m + i); \
         vstore(w + i, weight + moved_velocity(optimizer, momentum, -rate * dw, &velocity)); vstore(m + i, velocity);)
    case MOMENTUM: MOVE(MOMENTUM) break;
    case NESTEROV: MOVE(NESTEROV) break;
#undef MOVE
    case ADAM:
    case ADAMW:
        EACH(const vec mean = vfma(beta1, vload(m + i), one_minus_beta1 * dw);
             const vec square = vfma(beta2, vload(v + i), one_minus_beta2 * dw * dw); vstore(m + i, mean);
             vstore(v + i, square); vstore(w + i, weight - rate * mean / vsqrt_add(square, epsilon));)
        break;
    case NADAM:
        EACH(const vec mean = vfma(beta1, vload(m + i), one_minus_beta1 * dw);
             const vec square = vfma(beta2, vload(v + i), one_minus_beta2 * dw * dw); vstore(m + i, mean);
             vstore(v + i, square); vstore(w + i, weight - rate * vfma(of_mean, mean, of_gradient * dw) /
                                                               vsqrt_add(of_square * square, epsilon));)
        break;
    case RMSPROP:
        if (step->momentum == 0) {
            EACH(const vec square = vfma(beta2, vload(v + i), one_minus_beta2 * dw * dw); vstore(v + i, square);
                 vstore(w + i, weight - rate * dw / vsqrt_add(square + epsilon, zero));)
        } else {
            EACH(const vec square = vfma(beta2, vload(v + i), one_minus_beta2 * dw * dw); vstore(v + i, square);
                 const vec velocity = vfma(momentum, vload(m + i), rate * dw / vsqrt_add(square + epsilon, zero));
                 vstore(m + i, velocity); vstore(w + i, weight - velocity);)
        }
        break;
    case ADAGRAD:
        EACH(const vec square = vfma(dw, dw, vload(m + i)); vstore(m + i, square);
             vstore(w + i, weight - rate * dw / vsqrt_add(square + epsilon, zero));)
    }
#undef EACH
}

/* Rows of layer l's weights or, with l < 0, of biases are updated by the rows of the gradient g. */
static void apply_update(const workspace *ws, const optimizer_step *step, int64_t l, const real *g,
                         const parameter_rows *p) {
    const int later = p->at >= ws->later_at;
    real *w = parameters(ws, p->at), *m = NULL, *v = NULL;
    if (step->optimizer != SGD) {
        m = later ? ws->later_state + (p->at - ws->later_at) : ws->state + p->at;
        v = m + (later ? ws->later_size : ws->size);
    }
    switch (parts_of_gradient(step, l)) {
    case LOSS_ALONE: update_rows(LOSS_ALONE, step, l, p, g, w, m, v); break;
    case LOSS_AND_L2: update_rows(LOSS_AND_L2, step, l, p, g, w, m, v); break;
    case LOSS_AND_ALL: update_rows(LOSS_AND_ALL, step, l, p, g, w, m, v);
    }
}

static void update_bias(workspace *ws, int64_t l, int64_t m, const optimizer_step *step) {
    const int64_t width = output_width(ws->net, l), left = l ? 0 : ws->left, columns = l ? width : ws->right - left;
    if (ws->net->biases[l] < 0) return;
    memset(ws->gradient, 0, columns * sizeof(real));
    bias_gradient(ws->delta + left, m, width, columns, ws->gradient);
    apply_update(ws, step, -1, ws->gradient, &(parameter_rows){ws->net->biases[l] + left, 0, 1, columns, 0});
}

/* g (rows, columns) = the column offset's part of the first layer's gradient, from one input and column on; zeros if
   there is no offset. */
INLINE void start_gradient(const workspace *ws, int64_t input, int64_t column, int64_t rows, int64_t columns, real *g,
                           int64_t g_stride) {
    const real *const delta_sum = ws->offset.delta_sum + column, *const u = ws->offset.u;
    if (ws->plan.offset) {
        for (int64_t r = 0; r < rows; r++, g += g_stride)
            for (int64_t j = 0; j < columns; j += LANES) vstore(g + j, vload(delta_sum + j) * u[input + r]);
        return;
    }
    if (g_stride == columns) columns *= rows, rows = 1; /* one long row */
    for (int64_t r = 0; r < rows; r++, g += g_stride) memset(g, 0, columns * sizeof(real));
}

/* Some vectors of columns of the first layer's gradient, an input block's rows at a time, straight into their
   update. */
INLINE void update_panel(const int vectors, workspace *ws, int64_t m, int64_t column, const optimizer_step *step) {
    const panel_matrix w = panel_of(first_weights(ws, ws->params), column, vectors);
    real g[INPUT_BLOCK][PANEL_COLUMNS] __attribute__((aligned(64))), *const rows[INPUT_BLOCK] = {g[0], g[1], g[2],
                                                                                                 g[3]};
    const block_csc csc = ws->in->csc; /* a copy, as in gradient_panel */
    fill_panel(vectors, &csc, m, ws->delta, output_width(ws->net, 0), column);
    for (int64_t input = ws->low; input < ws->high; input += INPUT_BLOCK) {
        const int64_t left = ws->high - input, count = left < INPUT_BLOCK ? left : INPUT_BLOCK;
        const int64_t here = w.at - ws->params + input * w.stride, block = input / INPUT_BLOCK;
        if (ws->plan.offset) start_gradient(ws, input, column, count, vectors * LANES, g[0], PANEL_COLUMNS);
        gradient_tile(vectors, &csc, block, !ws->plan.offset, rows);
        apply_update(ws, step, 0, g[0], &(parameter_rows){here, w.stride, count, vectors * LANES, PANEL_COLUMNS});
    }
}

static void update_block_csc(workspace *ws, int64_t m, const optimizer_step *step) {
#define CALL(n) update_panel(n, ws, m, column, step)
    EACH_PANEL(ws->left, ws->right, CALL)
#undef CALL
}

/* The same of micro-batches, or of CSR, some inputs at a time, whose gradient and weights are in the first-level cache;
   all of these inputs have updates, also those without a nonzero. Before it the penalty is measured. */
static void update_in_pieces(workspace *ws, int64_t m, const optimizer_step *step) {
    const int64_t stride = ws->net->strides[0], width = output_width(ws->net, 0), left = ws->left;
    const int64_t columns = ws->right - left;
    const int64_t most = stride < GRADIENT_PIECE ? GRADIENT_PIECE / stride : 1;
    const double l1 = step->l1[0], l2 = step->l2[0];
    double *parts = (l1 != 0 || l2 != 0) && measures_in_update(&ws->plan) ? ws->penalties : NULL;
    real *g = ws->gradient, *sums = ws->before;
    const int32_t *next[SHORT_BATCH / MICRO_BATCH];
    for (int c = ws->first_read; c < ws->end_read; c++) {
        const int64_t end = ws->input_at[c + 1];
        if (ws->plan.inputs == MICRO_BATCHES) begin_split(&ws->in->micro, c, m, next);
        memset(sums, 0, columns * sizeof(real));
        for (int64_t i = ws->input_at[c]; i < end; i += most) {
            const int64_t rows = end - i < most ? end - i : most, at = ws->net->weights[0] + i * stride + left;
            if (ws->plan.inputs == CSR_ROWS) {
                csr_gradient_of_inputs(&ws->in->csr, i, i + rows,
                                       &(first_product){m, left, ws->right, ws->delta, width, g, stride, NULL});
            } else {
                const first_product p = {m, left, ws->right, ws->delta, width, g - i * stride, stride, NULL};
                start_gradient(ws, i, left, rows, columns, g + left, stride);
                micro_batch_gradient(&ws->in->rows, next, i + rows, &p);
            }
            if (parts) penalty_of_rows(ws->params + at, stride, 0, rows, columns, l1, l2, sums);
            apply_update(ws, step, 0, g + left, &(parameter_rows){at, stride, rows, columns, stride});
        }
        if (parts) parts[c] += sum_columns(sums, 0, columns);
    }
}

/* to[0..count) = from * factor, count a multiple of LANES */
static void scale_into(const real *from, real factor, int64_t count, real *to) {
    for (int64_t i = 0; i < count; i += LANES) vstore(to + i, vload(from + i) * factor);
}

/* Layer l's gradient, a few rows at a time, straight into its update. */
static void fused_update(workspace *ws, int64_t l, int64_t m, const optimizer_step *step) {
    const fnn_net *net = ws->net;
    const int64_t stride = net->strides[l], width = output_width(net, l), left = l ? 0 : ws->left;
    const int64_t columns = l ? width : ws->right - left, width_before = l ? output_width(net, l - 1) : 0;
    int64_t low = 0, high = net->sizes[l];
    if (l == 0) low = ws->low, high = ws->high;
    if (l == 1 && ws->split_layer) low = ws->left, high = ws->right < high ? ws->right : high;
    update_bias(ws, l, m, step);
    if (!moves_all(&ws->plan)) {
        /* the sum goes on from the weights: w += x^T (-rate delta) */
        real *w = parameters(ws, net->weights[l]);
        for (int64_t s = 0, at = left; s < m; s++, at += width)
            scale_into(ws->delta + at, -step->rate, columns, ws->before + at);
        if (l == 0)
            whole_first_gradient(ws, m, ws->before, ws->params);
        else
            gemm(FROM_C, high - low, columns, m,
                 (gemm_operands){ws->a[l] + low, 1, width_before, ws->before, width, NULL, w + low * stride, stride,
                                 NULL});
    } else if (l == 0 && ws->plan.inputs != DENSE) {
        if (ws->plan.offset) sum_delta(ws, m, ws->delta);
        if (ws->plan.update == LAZY_OPTIMIZER)
            update_active(ws, step->optimizer, step->momentum, step->rate, (real)(step->penalty_factor * step->l2[0]));
        else if (is_by_columns(&ws->plan))
            update_block_csc(ws, m, step);
        else
            update_in_pieces(ws, m, step);
    } else {
        real *g = ws->gradient;
        for (int64_t i = low; i < high; i += TILE_ROWS) {
            const int64_t rows = high - i < TILE_ROWS ? high - i : TILE_ROWS;
            if (l) {
                gemm(FROM_ZERO, rows, columns, m,
                     (gemm_operands){ws->a[l] + i, 1, width_before, ws->delta, width, NULL, g, columns, NULL});
            } else {
                memset(g, 0, rows * columns * sizeof(real));
                dense_gradient(
                    &ws->in->rows, i, i + rows,
                    &(first_product){m, left, ws->right, ws->delta, width, g - i * columns - left, columns, NULL});
            }
            apply_update(ws, step, l, g,
                         &(parameter_rows){net->weights[l] + i * stride + left, stride, rows, columns, columns});
        }
    }
}

#endif
