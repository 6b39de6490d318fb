/* Gradients straight into updates: each layer's gradient goes a few rows at a time to the optimizer, never to memory as
   a whole; spec.Rule has the optimizers' equations.

   Called by epoch.h and online.h; writes the parameters, their state, and the workspace's gradient and before. */
#ifndef FNN_TRAIN_UPDATE_H
#define FNN_TRAIN_UPDATE_H

#include "backward.h"

typedef struct {
    int64_t optimizer;
    real rate, momentum, l2, beta1, beta2, epsilon; /* rate: Adam's includes its bias corrections */
    real one_minus_beta1, one_minus_beta2; /* 1 - beta; in float32, 1 - 0.999f would be 1e-5 off */
} optimizer_step;

/* How many numbers the optimizer keeps of each parameter. */
INLINE int slots_of(int64_t optimizer) { return optimizer == SGD ? 0 : optimizer == ADAM ? 2 : 1; }

/* The rule at update t (from 1). */
static optimizer_step make_step(const fnn_rule *rule, int64_t t) {
    double rate = rule->learning_rate;
    if (rule->optimizer == ADAM) rate *= sqrt(1 - pow(rule->beta2, t)) / (1 - pow(rule->beta1, t));
    return (optimizer_step){rule->optimizer,        (real)rate,        (real)rule->momentum, (real)rule->l2,
                            (real)rule->beta1,      (real)rule->beta2, (real)rule->epsilon,  (real)(1 - rule->beta1),
                            (real)(1 - rule->beta2)};
}

/* Rows of parameters, all of one kind (handed over by their address, as copies of what was just written stall):
   `columns` from the parameter `at` on, the next row `stride` further; those of their gradient g_stride apart. */
typedef struct {
    int64_t at, stride, rows, columns, g_stride;
} parameter_rows;

/* w, and the state m, v where the optimizer has it, are updated by the gradient g + l2 w. */
INLINE void update_rows(const int decays, const optimizer_step *step, const parameter_rows *p, const real *restrict g,
                        real *restrict w, real *restrict m, real *restrict v) {
    int64_t rows = p->rows, columns = p->columns;
    const int64_t stride = p->stride, g_stride = p->g_stride;
    const vec rate = vset(step->rate), l2 = vset(step->l2), momentum = vset(step->momentum);
    const vec beta1 = vset(step->beta1), beta2 = vset(step->beta2), epsilon = vset(step->epsilon);
    const vec one_minus_beta1 = vset(step->one_minus_beta1), one_minus_beta2 = vset(step->one_minus_beta2);
/* Expands to a loop over all elements, with the weight and the gradient (dw) at hand. */
#define EACH(...) \
    for (int64_t row = 0; row < rows; row++) \
        for (int64_t i = row * stride, from = row * g_stride, end = i + columns; i < end; i += LANES, from += LANES) { \
            const vec weight = vload(w + i), gradient = vload(g + from); \
            const vec dw = decays ? vfma(l2, weight, gradient) : gradient; \
            __VA_ARGS__ \
        }
    if (g_stride == columns && stride == columns) columns *= rows, rows = 1; /* one long row */
    switch (step->optimizer) {
    case SGD: EACH(vstore(w + i, vfma(-rate, dw, weight));) break;
    case MOMENTUM:
    case NESTEROV:
        EACH(const vec velocity = vfma(momentum, vload(m + i), -rate * dw);
             const vec ahead = vfma(momentum, velocity, -rate * dw); vstore(m + i, velocity);
             vstore(w + i, weight + (step->optimizer == NESTEROV ? ahead : velocity));)
        break;
    case ADAM:
        EACH(const vec mean = vfma(beta1, vload(m + i), one_minus_beta1 * dw);
             const vec square = vfma(beta2, vload(v + i), one_minus_beta2 * dw * dw); vstore(m + i, mean);
             vstore(v + i, square); vstore(w + i, weight - rate * mean / vsqrt_add(square, epsilon));)
    }
#undef EACH
}

/* Rows of parameters are updated by the rows of the gradient g; `decays`: they have the penalty. */
static void apply_update(const workspace *ws, const optimizer_step *step, int decays, const real *g,
                         const parameter_rows *p) {
    const int later = p->at >= ws->later_at;
    real *w = parameters(ws, p->at), *m = NULL, *v = NULL;
    if (step->optimizer != SGD) {
        m = later ? ws->later_state + (p->at - ws->later_at) : ws->state + p->at;
        v = m + (later ? ws->later_size : ws->size);
    }
    if (decays && step->l2 != 0)
        update_rows(1, step, p, g, w, m, v);
    else
        update_rows(0, step, p, g, w, m, v);
}

static void update_bias(workspace *ws, int64_t l, int64_t m, const optimizer_step *step) {
    const int64_t stride = ws->net->strides[l], left = l ? 0 : ws->left, columns = l ? stride : ws->right - left;
    if (ws->net->biases[l] < 0) return;
    memset(ws->gradient, 0, columns * sizeof(real));
    bias_gradient(ws->delta + left, m, stride, columns, ws->gradient);
    apply_update(ws, step, 0, ws->gradient, &(parameter_rows){ws->net->biases[l] + left, 0, 1, columns, 0});
}

/* g (rows, columns) = the column offset's part of the first layer's gradient, from one input and column on; zeros if
   there is no offset. */
INLINE void start_gradient(const workspace *ws, int64_t input, int64_t column, int64_t rows, int64_t columns, real *g,
                           int64_t g_stride) {
    for (int64_t r = 0; r < rows; r++, g += g_stride)
        for (int64_t j = 0; j < columns; j += LANES) {
            vec start = {0};
            if (ws->plan.offset) start = vload(ws->offset.delta_sum + column + j) * ws->offset.u[input + r];
            vstore(g + j, start);
        }
}

/* Some vectors of columns of the first layer's gradient, an input block's rows at a time, straight into their
   update. */
INLINE void update_panel(const int vectors, workspace *ws, int64_t m, int64_t column, const optimizer_step *step) {
    const panel_matrix w = panel_of(first_weights(ws, ws->params), column, vectors);
    real g[INPUT_BLOCK][PANEL_COLUMNS] __attribute__((aligned(64))), *const rows[INPUT_BLOCK] = {g[0], g[1], g[2],
                                                                                                 g[3]};
    const block_csc csc = ws->in->csc; /* a copy, as in gradient_panel */
    fill_panel(vectors, &csc, m, ws->delta, ws->net->strides[0], column);
    for (int64_t input = ws->low; input < ws->high; input += INPUT_BLOCK) {
        const int64_t left = ws->high - input, count = left < INPUT_BLOCK ? left : INPUT_BLOCK;
        const int64_t here = w.at - ws->params + input * w.stride, block = input / INPUT_BLOCK;
        if (ws->plan.offset) start_gradient(ws, input, column, count, vectors * LANES, g[0], PANEL_COLUMNS);
        gradient_tile(vectors, &csc, block, !ws->plan.offset, rows);
        apply_update(ws, step, 1, g[0], &(parameter_rows){here, w.stride, count, vectors * LANES, PANEL_COLUMNS});
    }
}

static void update_block_csc(workspace *ws, int64_t m, const optimizer_step *step) {
#define CALL(n) update_panel(n, ws, m, column, step)
    EACH_PANEL(ws->left, ws->right, CALL)
#undef CALL
}

/* The same of micro-batches, a split of the inputs at a time. */
static void update_micro_batches(workspace *ws, int64_t m, const optimizer_step *step) {
    const int64_t stride = ws->net->strides[0], left = ws->left, columns = ws->right - left;
    real *g = ws->gradient;
    const first_product p = {m, left, ws->right, ws->delta, stride, g, stride, NULL};
    for (int c = ws->first_read; c < ws->end_read; c++) {
        const int64_t low = ws->input_at[c], rows = ws->input_at[c + 1] - low, at = low * stride + left;
        start_gradient(ws, low, left, rows, columns, g + at, stride);
        micro_batch_gradient(&ws->in->micro, &ws->in->rows, c, &p);
        apply_update(ws, step, 1, g + at, &(parameter_rows){ws->net->weights[0] + at, stride, rows, columns, stride});
    }
}

/* to[0..count) = from * factor, count a multiple of LANES */
static void scale_into(const real *from, real factor, int64_t count, real *to) {
    for (int64_t i = 0; i < count; i += LANES) vstore(to + i, vload(from + i) * factor);
}

/* Layer l's gradient, a few rows at a time, straight into its update. */
static void fused_update(workspace *ws, int64_t l, int64_t m, const optimizer_step *step) {
    const fnn_net *net = ws->net;
    const int64_t stride = net->strides[l], left = l ? 0 : ws->left, columns = l ? stride : ws->right - left;
    int64_t low = 0, high = net->sizes[l];
    if (l == 0) low = ws->low, high = ws->high;
    if (l == 1 && ws->split_layer) low = ws->left, high = ws->right < high ? ws->right : high;
    update_bias(ws, l, m, step);
    if (ws->plan.update != FUSED_OPTIMIZER) {
        /* the sum goes on from the weights: w += x^T (-rate delta) */
        real *w = parameters(ws, net->weights[l]);
        for (int64_t s = 0, at = left; s < m; s++, at += stride)
            scale_into(ws->delta + at, -step->rate, columns, ws->before + at);
        if (l == 0)
            whole_first_gradient(ws, m, ws->before, ws->params);
        else
            gemm(FROM_C, high - low, columns, m,
                 (gemm_operands){ws->a[l] + low, 1, net->strides[l - 1], ws->before, stride, NULL, w + low * stride,
                                 stride, NULL});
    } else if (l == 0 && ws->plan.inputs != DENSE) {
        if (ws->plan.offset) sum_delta(ws, m, ws->delta);
        if (is_by_columns(&ws->plan))
            update_block_csc(ws, m, step);
        else
            update_micro_batches(ws, m, step);
    } else {
        real *g = ws->gradient;
        for (int64_t i = low; i < high; i += TILE_ROWS) {
            const int64_t rows = high - i < TILE_ROWS ? high - i : TILE_ROWS;
            if (l) {
                gemm(FROM_ZERO, rows, columns, m,
                     (gemm_operands){ws->a[l] + i, 1, net->strides[l - 1], ws->delta, stride, NULL, g, columns, NULL});
            } else {
                memset(g, 0, rows * columns * sizeof(real));
                dense_gradient(
                    &ws->in->rows, i, i + rows,
                    &(first_product){m, left, ws->right, ws->delta, stride, g - i * columns - left, columns, NULL});
            }
            apply_update(ws, step, 1, g,
                         &(parameter_rows){net->weights[l] + i * stride + left, stride, rows, columns, columns});
        }
    }
}

#endif
