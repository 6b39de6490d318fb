/* Gradients straight into updates. */
#ifndef FNN_TRAIN_UPDATE_H
#define FNN_TRAIN_UPDATE_H

#include "network.h"
#include "optimizers.h"

/* Rows of parameters, `stride` apart from the parameter `at` on and all of one kind, move by the rows of the
   gradient g. */
static void move(const workspace *pass, const optimizer_step *step, real l2, const real *g, int64_t g_step, int64_t at,
                     int64_t stride, int64_t rows, int64_t count) {
    const int tail = at >= pass->tail_at;
    real *m = NULL, *v = NULL;
    if (step->optimizer != SGD) {
        m = tail ? pass->tail_state + (at - pass->tail_at) : pass->state + at;
        v = m + (tail ? pass->tail_slot : pass->size);
    }
    apply_rule(step, l2, g, g_step, parameters(pass, at), m, v, stride, rows, count);
}

static void update_bias(workspace *pass, int64_t l, int64_t m, const optimizer_step *step) {
    const int64_t stride = pass->net->strides[l], left = l ? 0 : pass->left, columns = l ? stride : pass->right - left;
    if (pass->net->biases[l] < 0) return;
    memset(pass->gradient, 0, columns * sizeof(real));
    bias_gradient(pass->delta + left, m, stride, columns, pass->gradient);
    move(pass, step, 0, pass->gradient, 0, pass->net->biases[l] + left, 0, 1, columns);
}

/* g (rows, columns) = the usual row's part of the first layer's gradient, from one input and column on; zeros if there is
   no usual row */
INLINE void start_gradient(const workspace *pass, int64_t input, int64_t rows, int64_t column, int64_t columns, real *g,
                               int64_t g_step) {
    for (int64_t r = 0; r < rows; r++, g += g_step)
        for (int64_t j = 0; j < columns; j += LANES) {
            vec start = {0};
            if (pass->has_usual) start = vload(pass->usual.slope + column + j) * pass->usual.row[input + r];
            vstore(g + j, start);
        }
}

/* Some vectors of columns of the first layer's gradient, a quad's rows at a time, straight into their update. */
INLINE void move_strip(const int vectors, workspace *pass, int64_t m, int64_t column, const optimizer_step *step) {
    const panel_matrix w = strip_of(first_weights(pass, pass->params), column, vectors);
    real g[QUAD][STRIP_WIDTH] __attribute__((aligned(64))), *const rows[QUAD] = {g[0], g[1], g[2], g[3]};
    const csc_batch *next = pass->coming.x ? &pass->coming : NULL;
    const block_csc lists = pass->in->lists, coming = next ? *next->x : lists; /* copies, as in gradient_strip */
    fill_strip(vectors, &lists, m, pass->delta, pass->net->strides[0], column);
    if (next) begin_strip(vectors, next, column);
    for (int64_t input = pass->low; input < pass->high; input += QUAD) {
        const int64_t left = pass->high - input, count = left < QUAD ? left : QUAD;
        const int64_t here = w.at - pass->params + input * w.stride, group = input / QUAD;
        if (pass->has_usual) start_gradient(pass, input, count, column, vectors * LANES, g[0], STRIP_WIDTH);
        gradient_tile(vectors, &lists, group, !pass->has_usual, rows);
        move(pass, step, step->l2, g[0], STRIP_WIDTH, here, w.stride, count, vectors * LANES);
        if (next && coming.start[group] < coming.end[group]) forward_tile(vectors, &coming, group, w);
    }
    if (next) end_strip(vectors, next, column);
}

static void update_lists(workspace *pass, int64_t m, const optimizer_step *step) {
#define CALL(n) move_strip(n, pass, m, column, step)
    EACH_STRIP(pass->left, pass->right, CALL)
#undef CALL
}

/* Rows of the gradient that are worked on while they are in the cache. */
static int64_t gradient_rows(int64_t columns) {
    const int64_t rows = GRADIENT_BYTES / (columns * (int64_t)sizeof(real));
    return rows < TILE_ROWS ? TILE_ROWS : rows;
}

static void update_teams(workspace *pass, int64_t m, const optimizer_step *step) {
    const int64_t stride = pass->net->strides[0], left = pass->left, columns = pass->right - left;
    real *g = pass->gradient; /* holds the rows at work alone, (rows, columns) */
    for (int c = pass->first_walked; c < pass->end_walked; c++) {
        int64_t done[TEAMS] = {0};
        for (int64_t i = pass->inputs_at[c]; i < pass->inputs_at[c + 1];) {
            const int64_t most = gradient_rows(columns), rest = pass->inputs_at[c + 1] - i;
            const int64_t rows = rest < most ? rest : most;
            start_gradient(pass, i, rows, left, columns, g + left, stride);
            teams_gradient_until(&pass->in->teams, &pass->in->rows, c, i + rows, m, pass->delta, stride, left,
                                     pass->right, g - i * stride, done);
            move(pass, step, step->l2, g + left, stride, pass->net->weights[0] + i * stride + left, stride, rows,
                     columns);
            i += rows;
        }
    }
}

/* to[0..count) = from * factor, count a multiple of LANES */
static void scale_into(const real *from, real factor, int64_t count, real *to) {
    for (int64_t i = 0; i < count; i += LANES) vstore(to + i, vload(from + i) * factor);
}

/* Layer l's gradient, a few rows at a time, straight into its update: it never goes to memory as a whole. */
static void fused_update(workspace *pass, int64_t l, int64_t m, const optimizer_step *step) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l], left = l ? 0 : pass->left, columns = l ? stride : pass->right - left;
    int64_t low = 0, high = net->sizes[l];
    if (l == 0) low = pass->low, high = pass->high;
    if (l == 1 && pass->by_outputs) low = pass->left, high = pass->right < high ? pass->right : high;
    update_bias(pass, l, m, step); /* first, as z of the next batch begins with it */
    if (step->optimizer == SGD && step->l2 == 0) {
        /* the sum goes on from the weights: w += x^T (-rate delta) */
        real *w = parameters(pass, net->weights[l]);
        for (int64_t s = 0, at = left; s < m; s++, at += stride)
            scale_into(pass->delta + at, -step->rate, columns, pass->before + at);
        if (l == 0)
            first_gradient(pass, m, pass->before, pass->params);
        else
            gemm(FROM_C, high - low, columns, m,
                        (gemm_operands){pass->a[l] + low, 1, net->strides[l - 1], pass->before, stride, NULL,
                                   w + low * stride, stride, NULL});
    } else if (l == 0 && pass->form != DENSE) {
        if (pass->has_usual) sum_slopes(pass, m, pass->delta);
        if (pass->form == LISTED)
            update_lists(pass, m, step);
        else
            update_teams(pass, m, step);
    } else {
        real *g = pass->gradient;
        for (int64_t i = low; i < high; i += TILE_ROWS) {
            const int64_t rows = high - i < TILE_ROWS ? high - i : TILE_ROWS;
            if (l) {
                gemm(FROM_ZERO, rows, columns, m,
                            (gemm_operands){pass->a[l] + i, 1, net->strides[l - 1], pass->delta, stride, NULL, g, columns,
                                       NULL});
            } else {
                memset(g, 0, rows * columns * sizeof(real));
                dense_gradient(&pass->in->rows, i, i + rows, m, pass->delta + left, stride, columns, g, columns);
            }
            move(pass, step, step->l2, g, columns, net->weights[l] + i * stride + left, stride, rows,
                     columns);
        }
    }
}

/* Before the update of W0: z of the next batch goes along with it if W0 is in strips and that batch is packed. */
static void begin_next(workspace *pass, int64_t m, int64_t left) {
    pass->coming = (csc_batch){0};
    if (pass->in_strips && pass->next && left > m && !pass->has_usual)
        pass->coming = (csc_batch){&pass->next->lists, left - m < m ? left - m : m, pass->net->strides[0],
                                      bias_of(pass, 0), pass->a[1]};
}

#endif
