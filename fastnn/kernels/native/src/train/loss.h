/* The output layer: its activation, the losses, the correct samples, and delta = dL/dz.

   Called once a block; writes the last a[..] and delta of the workspace, whose padding it sets to zero. */
#ifndef FNN_TRAIN_LOSS_H
#define FNN_TRAIN_LOSS_H

#include "forward.h"

/* Rows that take each step of softmax together: the steps of one row depend on one another, those of several overlap. */
#define ROWS_TOGETHER 16

/* At most ROWS_TOGETHER rows of z become softmax(z); padding becomes 0. sums (rows) = sum_j exp(z_j - max z), NaN where z
   holds a NaN, and tops (rows) = max z. */
static void softmax_rows(real *z, int64_t rows, int64_t outputs, int64_t width, real *sums, real *tops) {
    for (int64_t r = 0; r < rows; r++) {
        const real *from = z + r * width;
        real top = from[0];
        for (int64_t j = 1; j < outputs; j++) top = from[j] > top ? from[j] : top;
        tops[r] = top;
    }
    for (int64_t j = 0; j < width; j += LANES) {
        const ivec padding = lane_numbers(j) >= (integer)outputs;
        for (int64_t r = 0; r < rows; r++) {
            real *at = z + r * width + j;
            *(ivec *)at = (ivec)vexp(vload(at) - tops[r]) & ~padding;
        }
    }
    for (int64_t r = 0; r < rows; r++) {
        real sum = 0;
        for (int64_t j = 0; j < outputs; j++) sum += z[r * width + j];
        sums[r] = sum;
    }
    /* A division of a vector takes several times a product's time, so each row divides once: z = exp(z) (1 / sum). */
    for (int64_t r = 0; r < rows; r++) {
        const real share = 1 / sums[r];
        for (int64_t j = r * width; j < (r + 1) * width; j += LANES) vstore(z + j, vload(z + j) * share);
    }
}

/* The last layer's z become outputs. */
static void activate_output(const fnn_net *net, real *z, int64_t m) {
    const int64_t last = net->layers - 1, width = output_width(net, last);
    real sums[ROWS_TOGETHER], tops[ROWS_TOGETHER];
    if (net->activations[last] != SOFTMAX)
        apply_activation(net->activations[last], net->alphas[last], z, m * width);
    else
        for (int64_t s = 0; s < m; s += ROWS_TOGETHER)
            softmax_rows(z + s * width, m - s < ROWS_TOGETHER ? m - s : ROWS_TOGETHER, net->sizes[last + 1], width,
                         sums, tops);
}

/* Sample i's targets from the j-th on, zeros after the last; a label stands for one-hot targets. */
INLINE vec target_vec(const fnn_data *data, int64_t i, int64_t j, int64_t outputs) {
    if (data->labels) return (vec)((lane_numbers(j) == (integer)data->labels[i]) & (ivec)vset(1));
    return vload_some((const real *)data->targets + i * outputs + j, outputs - j);
}

/* Sample i's target of output j. */
static real target(const fnn_data *data, int64_t i, int64_t j, int64_t outputs) {
    return data->labels ? (real)(data->labels[i] == j) : ((const real *)data->targets)[i * outputs + j];
}

/* Whether the class, the targets' first maximum, is the output's first maximum too. */
INLINE int is_correct(const fnn_data *data, int64_t i, const real *a, int64_t outputs) {
    const real *y = data->labels ? NULL : (const real *)data->targets + i * outputs;
    if (outputs == 1) return (a[0] > (real)0.5) == (y ? y[0] > (real)0.5 : data->labels[i] == 0);
    int64_t class = y ? 0 : data->labels[i];
    real most = y ? y[0] : 0;
    for (int64_t j = 1; y && j < outputs; j++) { /* without branches: targets are not predictable */
        const int more = y[j] > most;
        class = more ? j : class;
        most = more ? y[j] : most;
    }
    const vec best = vset(a[class]);
    ivec beaten = {0};
    for (int64_t j = 0; j < outputs; j += LANES) {
        const vec value = vload(a + j);
        const ivec number = lane_numbers(j);
        beaten |= ((value > best) | ((value == best) & (number < (integer) class))) & (number < (integer)outputs);
    }
    return !vnonzero((vec)beaten); /* true is a NaN */
}

static real sample_weight(const fnn_data *data, int64_t i) {
    return data->weights ? ((const real *)data->weights)[i] : 1;
}

/* The losses of the outputs a (m, width) themselves: returns the sum of weight (a - y)^2;
   delta = dL/da = (a - y) * weight * factor. */
static double squared_errors(const workspace *ws, const real *a, int64_t m, real factor, int64_t outputs,
                             int64_t width) {
    const fnn_data *data = ws->data;
    double sum = 0;
    for (int64_t j = 0; j < width; j += LANES) {
        const ivec padding = lane_numbers(j) >= (integer)outputs;
        real lanes[LANES] __attribute__((aligned(64)));
        vec squares = {0};
        for (int64_t s = 0, at = j; s < m; s++, at += width) {
            const int64_t i = sample(ws->in, s);
            const real weight = sample_weight(data, i);
            const vec error = (vec)((ivec)(vload(a + at) - target_vec(data, i, j, outputs)) & ~padding);
            squares = vfma(error * weight, error, squares);
            vstore(ws->delta + at, error * (weight * factor));
        }
        vstore(lanes, squares);
        for (int64_t k = 0; k < LANES && j + k < outputs; k++) sum += (double)lanes[k];
    }
    return sum;
}

/* The value of cross_entropy or binary_cross_entropy for a sample's probabilities a where these have a bound b:
   -sum_j y_j log p_j, and of the second also -(1 - y_j) log(1 - p_j), with p_j = a_j within b .. 1 - b. */
static double bounded_cross_entropy(const fnn_net *net, const fnn_data *data, int64_t i, const real *a,
                                    int64_t outputs) {
    const real least = (real)net->least_probability, most = C_(1.0) - least;
    const int is_binary = net->loss == BINARY_CROSS_ENTROPY, one_hot = data->labels && !is_binary;
    const int64_t first = one_hot ? data->labels[i] : 0, end = one_hot ? first + 1 : outputs;
    double loss = 0;
    for (int64_t j = first; j < end; j++) {
        const real y = target(data, i, j, outputs), p = a[j] < least ? least : a[j] > most ? most : a[j];
        if (y != 0) loss -= (double)y * log((double)p);
        if (y != 1 && is_binary) loss -= (double)(1 - y) * log((double)(1 - p));
    }
    return loss;
}

/* At most ROWS_TOGETHER samples of cross_entropy, from the block's s-th on: z becomes softmax(z). losses (rows) =
   sum_j y_j (log sum exp(z) - z_j), or that of the bounded probabilities; delta = (a sum_j y_j - y) * weight * factor. */
static void cross_entropy_rows(const workspace *ws, int64_t s, int64_t rows, real factor, real *z, real *delta,
                               double *losses) {
    const fnn_net *net = ws->net;
    const fnn_data *data = ws->data;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], width = output_width(net, last);
    real y_sums[ROWS_TOGETHER], sums[ROWS_TOGETHER], tops[ROWS_TOGETHER];
    double products[ROWS_TOGETHER]; /* sum_j y_j z_j */
    for (int64_t r = 0; r < rows; r++) {
        const int64_t i = sample(ws->in, s + r);
        const real *from = z + r * width, *y = data->labels ? NULL : (const real *)data->targets + i * outputs;
        products[r] = y ? 0 : (double)from[data->labels[i]];
        y_sums[r] = y ? 0 : 1;
        for (int64_t j = 0; y && j < outputs; j++) {
            products[r] += y[j] != 0 ? (double)y[j] * (double)from[j] : 0;
            y_sums[r] += y[j];
        }
    }
    softmax_rows(z, rows, outputs, width, sums, tops);
    for (int64_t r = 0; r < rows; r++) {
        const int64_t i = sample(ws->in, s + r);
        const real weight = sample_weight(data, i) * factor, *a = z + r * width;
        for (int64_t j = 0; j < width; j += LANES)
            vstore(delta + r * width + j, (vload(a + j) * y_sums[r] - target_vec(data, i, j, outputs)) * weight);
        losses[r] = net->least_probability > 0
                        ? bounded_cross_entropy(net, data, i, a, outputs)
                        : (double)y_sums[r] * (log((double)sums[r]) + (double)tops[r]) - products[r];
    }
}

/* One sample of binary_cross_entropy: z becomes a = sigmoid(z). Returns sum_j max(z, 0) - z y + log(1 + e^-|z|), or that
   of the bounded probabilities; delta = (a - y) * factor. */
static double binary_cross_entropy_row(const fnn_net *net, const fnn_data *data, int64_t i, real factor, real *z,
                                       real *delta) {
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], width = output_width(net, last);
    const int is_bounded = net->least_probability > 0;
    double loss = 0;
    for (int64_t j = 0; j < width && !is_bounded; j += LANES) {
        const vec raw = vload(z + j);
        const vec log_term = vlog1p_unit(vexp_bounded(vnegabs(raw)));
        vstore(delta + j, vmax((vec){0}, raw) - raw * target_vec(data, i, j, outputs) + log_term);
    }
    for (int64_t j = 0; j < outputs && !is_bounded; j++) loss += (double)delta[j];
    apply_activation(SIGMOID, 0, z, width);
    for (int64_t j = 0; j < width; j += LANES) {
        const ivec padding = lane_numbers(j) >= (integer)outputs;
        const vec error = vload(z + j) - target_vec(data, i, j, outputs);
        vstore(delta + j, (vec)((ivec)error & ~padding) * factor);
    }
    return is_bounded ? bounded_cross_entropy(net, data, i, z, outputs) : loss;
}

/* One sample of poisson: z becomes a = exp(z). Returns sum_j y log y - y z - y + a; delta = (a - y) * factor. */
static double poisson_row(const fnn_data *data, int64_t i, real factor, real *z, real *delta, int64_t outputs,
                          int64_t width) {
    double loss = 0;
    for (int64_t j = 0; j < width; j += LANES) vstore(delta + j, vload(z + j) * target_vec(data, i, j, outputs));
    for (int64_t j = 0; j < outputs; j++) loss -= (double)delta[j];
    apply_activation(EXPONENTIAL, 0, z, width);
    for (int64_t j = 0; j < width; j += LANES) {
        const ivec padding = lane_numbers(j) >= (integer)outputs;
        const vec error = vload(z + j) - target_vec(data, i, j, outputs);
        vstore(delta + j, (vec)((ivec)error & ~padding) * factor);
    }
    for (int64_t j = 0; j < outputs; j++) {
        const double y = (double)target(data, i, j, outputs);
        loss += (double)z[j] - y + (y > 0 ? y * log(y) : 0);
    }
    return loss;
}

/* p, but no less than 1e-7 and no more than 1 - 1e-7; a NaN stays */
static real clipped(real p) {
    const real least = C_(1e-7), most = C_(1.0) - least;
    return p < least ? least : p > most ? most : p;
}

/* One sample of the losses that are computed from the outputs a, one output at a time; see records.py for their
   equations. Returns the loss; delta = dL/da * factor, and zero in the padding. */
static double error_row(const fnn_net *net, const fnn_data *data, int64_t i, real factor, const real *a, real *delta) {
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1];
    real a_sum = 0, y_sum = 0;
    double loss = 0;
    memset(delta, 0, output_width(net, last) * sizeof(real));
    for (int64_t j = 0; j < outputs; j++) a_sum += a[j];
    for (int64_t j = 0; j < outputs; j++) {
        const real y = target(data, i, j, outputs), e = a[j] - y, size = e < 0 ? -e : e;
        const real p = clipped(net->loss == NORMALISED_CROSS_ENTROPY ? a[j] / a_sum : a[j]);
        switch (net->loss) {
        case MEAN_ABSOLUTE_ERROR:
            loss += (double)size;
            delta[j] = e > 0 ? factor : e < 0 ? -factor : e;
            break;
        case HUBER:
            loss += size <= 1 ? (double)e * (double)e / 2 : (double)size - 0.5;
            delta[j] = (e > 1 ? 1 : e < -1 ? -1 : e) * factor;
            break;
        case MEAN_POISSON:
            loss += (double)a[j] - (double)y * log((double)(a[j] + C_(1e-7)));
            delta[j] = (C_(1.0) - y / (a[j] + C_(1e-7))) * factor;
            break;
        case NORMALISED_CROSS_ENTROPY:
            /* Where p_j is not clipped, dp_j/da_k = ((1 where j = k, else 0) - p_j) / a_sum. */
            loss -= (double)y * log((double)p);
            y_sum += p == a[j] / a_sum ? y : 0;
            delta[j] = p == a[j] / a_sum ? y / p : 0;
            break;
        case CLIPPED_BINARY_CROSS_ENTROPY:
            loss -= (double)y * log((double)p) + (double)(1 - y) * log((double)(1 - p));
            delta[j] = p == a[j] ? ((1 - y) / (1 - p) - y / p) * factor : 0;
        }
    }
    for (int64_t j = 0; j < outputs && net->loss == NORMALISED_CROSS_ENTROPY; j++)
        delta[j] = (y_sum - delta[j]) / a_sum * factor;
    return loss;
}

/* The outputs of m samples of the order go to where the caller wants them. */
static void keep_outputs(const workspace *ws, const real *a, int64_t m) {
    const int64_t last = ws->net->layers - 1, outputs = ws->net->sizes[last + 1], width = output_width(ws->net, last);
    real *to = ws->outputs + (ws->in->order - ws->order) * outputs;
    for (int64_t s = 0; s < m; s++) memcpy(to + s * outputs, a + s * width, outputs * sizeof(real));
}

/* From the last layer's z: outputs, loss, correct samples, and delta = dL/dz with L the mean over `samples`
   samples. Where the error dL/da is what goes back, it takes the outputs' place. */
static void output_block(workspace *ws, int64_t m, int64_t samples) {
    const fnn_net *net = ws->net;
    const fnn_data *data = ws->data;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], width = output_width(net, last);
    const int64_t activation = net->activations[last], loss = net->loss;
    const int is_fused = loss == CROSS_ENTROPY || loss == BINARY_CROSS_ENTROPY || loss == POISSON;
    const int is_squared = loss == QUADRATIC || loss == MEAN_SQUARED_ERROR;
    const int averages = !is_fused && loss != QUADRATIC && loss != NORMALISED_CROSS_ENTROPY;
    const double mean = 1.0 / (double)samples, share = averages ? 1.0 / (double)outputs : 1.0;
    const real factor = (real)(loss == MEAN_SQUARED_ERROR ? 2 * mean / (double)outputs : mean * share);
    real *z = ws->a[last + 1], *delta = ws->delta;
    double sum = 0, losses[ROWS_TOGETHER];
    int64_t correct = 0;
    if (!is_fused) {
        if (ws->z[last + 1]) memcpy(ws->z[last + 1], z, m * width * sizeof(real));
        activate_output(net, z, m);
    }
    if (is_squared) {
        sum = squared_errors(ws, z, m, factor, outputs, width);
        sum *= loss == MEAN_SQUARED_ERROR ? share : 0.5;
    }
    for (int64_t s = 0; s < m; s++, z += width, delta += width) {
        const int64_t i = sample(ws->in, s), here = s % ROWS_TOGETHER;
        const real weight = sample_weight(data, i);
        double value = 0;
        if (loss == CROSS_ENTROPY && here == 0)
            cross_entropy_rows(ws, s, m - s < ROWS_TOGETHER ? m - s : ROWS_TOGETHER, factor, z, delta, losses);
        if (loss == CROSS_ENTROPY)
            value = losses[here];
        else if (loss == BINARY_CROSS_ENTROPY)
            value = binary_cross_entropy_row(net, data, i, weight * factor, z, delta);
        else if (loss == POISSON)
            value = poisson_row(data, i, weight * factor, z, delta, outputs, width);
        else if (!is_squared)
            value = share * error_row(net, data, i, weight * factor, z, delta);
        sum += (double)weight * value;
        correct += is_correct(data, i, z, outputs);
        if (!is_fused && activation == SOFTMAX) { /* delta_j = a_j (g_j - sum_k g_k a_k) */
            real product = 0;
            for (int64_t j = 0; j < outputs; j++) product += delta[j] * z[j];
            for (int64_t j = 0; j < outputs; j++) delta[j] = z[j] * (delta[j] - product);
        }
    }
    z = ws->a[last + 1];
    if (ws->outputs) keep_outputs(ws, z, m);
    if (net->propagates_error) memcpy(ws->before, ws->delta, m * width * sizeof(real));
    if (!is_fused && activation != SOFTMAX)
        apply_derivative(activation, net->alphas[last], ws->z[last + 1] ? ws->z[last + 1] : z, 1, ws->delta, m * width);
    if (net->propagates_error) memcpy(z, ws->before, m * width * sizeof(real));
    ws->loss += sum;
    ws->correct += correct;
}

#endif
