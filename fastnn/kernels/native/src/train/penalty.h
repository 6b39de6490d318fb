/* The penalties of the weights before an update: the sum over layers of l1 sum |w| + l2 / 2 sum w^2.

   A column's sum runs over its rows in a fixed order, and the columns' sums are added in ascending order, for each split
   by itself, so that it depends on no thread and no instruction set. Called by epoch.h, before a batch, and by update.h
   for what it measures; writes the parts that the thread's own weights make up, and the workspace's before. */
#ifndef FNN_TRAIN_PENALTY_H
#define FNN_TRAIN_PENALTY_H

#include "workspace.h"

/* Rows whose sums run beside one another, as one addition would wait for the other. */
#define PENALTY_CHAINS 4

/* sums (vectors * LANES) += of each column |w| (l1 + l2 / 2 |w|), over the rows low..high of w: every PENALTY_CHAINS-th row
   in ascending order, and then these sums. */
INLINE void penalty_of_columns(const int vectors, const real *w, int64_t stride, int64_t low, int64_t high, vec l1,
                               vec half_l2, real *sums) {
    vec sum[PENALTY_CHAINS][2] = {{{0}}};
    for (int64_t i = low; i < high; i += PENALTY_CHAINS) UNROLL for (int c = 0; c < PENALTY_CHAINS; c++) {
            if (i + c >= high) break;
            UNROLL for (int j = 0; j < vectors; j++) {
                const vec size = -vnegabs(vload(w + (i + c) * stride + j * LANES));
                sum[c][j] = vfma(size, vfma(half_l2, size, l1), sum[c][j]);
            }
        }
    UNROLL for (int j = 0; j < vectors; j++)
        vstore(sums + j * LANES, vload(sums + j * LANES) + ((sum[0][j] + sum[1][j]) + (sum[2][j] + sum[3][j])));
}

/* The same of any number of columns, a multiple of LANES. */
static void penalty_of_rows(const real *w, int64_t stride, int64_t low, int64_t high, int64_t columns, double l1,
                            double l2, real *sums) {
    const vec first = vset((real)l1), second = vset((real)(l2 / 2));
    int64_t j = 0;
    for (; j + 2 * LANES <= columns; j += 2 * LANES)
        penalty_of_columns(2, w + j, stride, low, high, first, second, sums + j);
    for (; j < columns; j += LANES) penalty_of_columns(1, w + j, stride, low, high, first, second, sums + j);
}

static double sum_columns(const real *sums, int64_t left, int64_t right) {
    double sum = 0;
    for (int64_t j = left; j < right; j++) sum += (double)sums[j];
    return sum;
}

/* sums (output_width(0)) += the same of the thread's columns of the first layer, over the rows low..high. */
static void penalty_of_first(const workspace *ws, int64_t low, int64_t high, double l1, double l2, real *sums) {
    for (int64_t j = ws->left, columns; j < ws->right; j += columns) {
        const panel_matrix w = part_of(first_weights(ws, ws->params), j, ws->right, &columns);
        penalty_of_rows(w.at, w.stride, low, high, columns, l1, l2, sums + j);
    }
}

/* parts (SPLITS + 1) += of the first layer, unless its update measures it, and, where threads split its outputs, of the
   second's rows behind them, split by split; and, by one thread, of all others. */
static void measure_penalty(workspace *ws, const fnn_rule *rule, double *parts) {
    const fnn_net *net = ws->net;
    const int64_t *at = ws->output_at;
    real *sums = ws->before;
    for (int64_t l = 0; l < net->layers; l++) {
        const double l1 = rule->l1[l], l2 = rule->l2[l];
        const int64_t stride = net->strides[l], width = output_width(net, l), inputs = net->sizes[l];
        const real *w = parameters(ws, net->weights[l]);
        if ((l1 == 0 && l2 == 0) || (l == 0 && measures_in_update(&ws->plan))) continue;
        if (l > ws->split_layer) {
            if (ws->thread > 0) continue;
            memset(sums, 0, width * sizeof(real));
            penalty_of_rows(w, stride, 0, inputs, width, l1, l2, sums);
            parts[SPLITS] += sum_columns(sums, 0, width);
        } else if (ws->split_layer && l == 0) {
            memset(sums, 0, width * sizeof(real));
            penalty_of_first(ws, 0, inputs, l1, l2, sums);
            for (int c = ws->first_split; c < ws->end_split; c++) parts[c] += sum_columns(sums, at[c], at[c + 1]);
        } else {
            for (int c = ws->first_split; c < ws->end_split; c++) {
                memset(sums, 0, width * sizeof(real));
                if (l == 0) {
                    penalty_of_first(ws, ws->input_at[c], ws->input_at[c + 1], l1, l2, sums);
                } else {
                    const int64_t high = at[c + 1] < inputs ? at[c + 1] : inputs;
                    penalty_of_rows(w, stride, at[c], high, width, l1, l2, sums);
                }
                parts[c] += sum_columns(sums, 0, width);
            }
        }
    }
}

#endif
