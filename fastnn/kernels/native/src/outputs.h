/* The output layer's activation, loss, hits and delta. Template, after plan.h. */

/* One row of z becomes softmax(z); padding becomes 0. Returns sum_j exp(z_j - max z), and max z; a NaN makes the sum
   one. */
static REAL FN(softmax_row)(REAL *z, int64_t outputs, int64_t stride, REAL *highest) {
    REAL top = z[0], sum = 0;
    for (int64_t j = 1; j < outputs; j++) top = z[j] > top ? z[j] : top;
    for (int64_t j = 0; j < stride; j += LANES) {
        const VI padding = FN(numbers)(j) >= (INTEGER)outputs;
        *(VI *)(z + j) = (VI)FN(vexp)(FN(vload)(z + j) - top) & ~padding;
    }
    for (int64_t j = 0; j < outputs; j++) sum += z[j];
    for (int64_t j = 0; j < stride; j += LANES) FN(vstore)(z + j, FN(vload)(z + j) / sum);
    *highest = top;
    return sum;
}

/* The last layer's z become outputs. */
static void FN(activate_output)(const fnn_net *net, REAL *z, int64_t m) {
    const int64_t last = net->layers - 1, stride = net->strides[last];
    REAL top;
    if (net->activations[last] != SOFTMAX)
        FN(apply_activation)(net->activations[last], z, m * stride);
    else
        for (int64_t s = 0; s < m; s++) FN(softmax_row)(z + s * stride, net->sizes[last + 1], stride, &top);
}

/* Sample i's targets from the j-th on, zeros after the last; a label stands for one-hot targets. */
INLINE V FN(targets)(const fnn_data *data, int64_t i, int64_t j, int64_t outputs) {
    if (data->labels) return (V)((FN(numbers)(j) == (INTEGER)data->labels[i]) & (VI)FN(vset)(1));
    return FN(vload_some)((const REAL *)data->targets + i * outputs + j, outputs - j);
}

/* Whether the class, the targets' first maximum, is the output's first maximum too. */
INLINE int FN(is_correct)(const fnn_data *data, int64_t i, const REAL *a, int64_t outputs) {
    const REAL *y = data->labels ? NULL : (const REAL *)data->targets + i * outputs;
    if (outputs == 1) return (a[0] > (REAL)0.5) == (y ? y[0] > (REAL)0.5 : data->labels[i] == 0);
    int64_t class = y ? 0 : data->labels[i];
    REAL most = y ? y[0] : 0;
    for (int64_t j = 1; y && j < outputs; j++) { /* without branches: targets are not predictable */
        const int more = y[j] > most;
        class = more ? j : class;
        most = more ? y[j] : most;
    }
    const V best = FN(vset)(a[class]);
    VI beaten = {0};
    for (int64_t j = 0; j < outputs; j += LANES) {
        const V value = FN(vload)(a + j);
        const VI number = FN(numbers)(j);
        beaten |= ((value > best) | ((value == best) & (number < (INTEGER)class))) & (number < (INTEGER)outputs);
    }
    return !FN(vnonzero)((V)beaten); /* true is a NaN */
}

static REAL FN(weight)(const fnn_data *data, int64_t i) { return data->weights ? ((const REAL *)data->weights)[i] : 1; }

/* The losses of the outputs a (m, stride) themselves: returns the sum of weight (a - y)^2;
   delta = dL/da = (a - y) * weight * factor. */
static double FN(squared_errors)(const PASS *pass, const REAL *a, int64_t m, REAL factor, int64_t outputs,
                                 int64_t stride) {
    const fnn_data *data = pass->data;
    double sum = 0;
    for (int64_t j = 0; j < stride; j += LANES) {
        const VI padding = FN(numbers)(j) >= (INTEGER)outputs;
        REAL lanes[LANES] __attribute__((aligned(64)));
        V squares = {0};
        for (int64_t s = 0, at = j; s < m; s++, at += stride) {
            const int64_t i = FN(sample)(pass->in, s);
            const REAL weight = FN(weight)(data, i);
            const V error = (V)((VI)(FN(vload)(a + at) - FN(targets)(data, i, j, outputs)) & ~padding);
            squares = FN(vfma)(error * weight, error, squares);
            FN(vstore)(pass->delta + at, error * (weight * factor));
        }
        FN(vstore)(lanes, squares);
        for (int64_t k = 0; k < LANES && j + k < outputs; k++) sum += (double)lanes[k];
    }
    return sum;
}

/* One sample of cross_entropy: z becomes softmax(z). Returns sum_j y_j (log sum exp(z) - z_j);
   delta = (a sum_j y_j - y) * factor. */
static double FN(cross_entropy_row)(const fnn_data *data, int64_t i, REAL factor, REAL *z, REAL *delta, int64_t outputs,
                                    int64_t stride) {
    const REAL *y = data->labels ? NULL : (const REAL *)data->targets + i * outputs;
    double product = y ? 0 : (double)z[data->labels[i]];
    REAL top, y_sum = y ? 0 : 1;
    for (int64_t j = 0; y && j < outputs; j++) {
        product += y[j] != 0 ? (double)y[j] * (double)z[j] : 0;
        y_sum += y[j];
    }
    const REAL sum = FN(softmax_row)(z, outputs, stride, &top);
    for (int64_t j = 0; j < stride; j += LANES)
        FN(vstore)(delta + j, (FN(vload)(z + j) * y_sum - FN(targets)(data, i, j, outputs)) * factor);
    return (double)y_sum * (log((double)sum) + (double)top) - product;
}

/* One sample of binary_cross_entropy: z becomes a = sigmoid(z). Returns sum_j max(z, 0) - z y + log(1 + e^-|z|);
   delta = (a - y) * factor. */
static double FN(binary_cross_entropy_row)(const fnn_data *data, int64_t i, REAL factor, REAL *z, REAL *delta,
                                           int64_t outputs, int64_t stride) {
    double loss = 0;
    for (int64_t j = 0; j < stride; j += LANES) {
        const V raw = FN(vload)(z + j);
        const V log_term = FN(vlog1p_unit)(FN(vexp_bounded)(FN(vnegabs)(raw)));
        FN(vstore)(delta + j, FN(vmax)((V){0}, raw) - raw * FN(targets)(data, i, j, outputs) + log_term);
    }
    for (int64_t j = 0; j < outputs; j++) loss += (double)delta[j];
    FN(apply_activation)(SIGMOID, z, stride);
    for (int64_t j = 0; j < stride; j += LANES) {
        const VI padding = FN(numbers)(j) >= (INTEGER)outputs;
        const V error = FN(vload)(z + j) - FN(targets)(data, i, j, outputs);
        FN(vstore)(delta + j, (V)((VI)error & ~padding) * factor);
    }
    return loss;
}

/* From the last layer's z: outputs, loss, hits, and delta = dL/dz with L the mean over `samples` samples. RASHID puts the
   error that goes back, dL/da, in the outputs' place. */
static void FN(output_block)(PASS *pass, int64_t m, int64_t samples) {
    const fnn_net *net = pass->net;
    const fnn_data *data = pass->data;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], stride = net->strides[last];
    const int64_t activation = net->activations[last], loss = net->loss;
    const double mean = 1.0 / (double)samples;
    const REAL factor = (REAL)(loss == MEAN_SQUARED_ERROR ? 2 * mean / (double)outputs : mean);
    const int from_outputs = loss == QUADRATIC || loss == MEAN_SQUARED_ERROR || loss == RASHID;
    REAL *z = pass->a[last + 1], *delta = pass->delta;
    double sum = 0;
    int64_t correct = 0;
    if (from_outputs) {
        FN(activate_output)(net, z, m);
        sum = FN(squared_errors)(pass, z, m, factor, outputs, stride);
        sum *= loss == MEAN_SQUARED_ERROR ? 1.0 / (double)outputs : 0.5;
    }
    for (int64_t s = 0; s < m; s++, z += stride, delta += stride) {
        const int64_t i = FN(sample)(pass->in, s);
        const REAL weight = FN(weight)(data, i);
        if (loss == CROSS_ENTROPY)
            sum += (double)weight * FN(cross_entropy_row)(data, i, weight * factor, z, delta, outputs, stride);
        else if (loss == BINARY_CROSS_ENTROPY)
            sum += (double)weight * FN(binary_cross_entropy_row)(data, i, weight * factor, z, delta, outputs, stride);
        correct += FN(is_correct)(data, i, z, outputs);
        if (from_outputs && activation == SOFTMAX) { /* delta_j = a_j (g_j - sum_k g_k a_k) */
            REAL product = 0;
            for (int64_t j = 0; j < outputs; j++) product += delta[j] * z[j];
            for (int64_t j = 0; j < outputs; j++) delta[j] = z[j] * (delta[j] - product);
        }
    }
    z = pass->a[last + 1];
    if (loss == RASHID) memcpy(pass->before, pass->delta, m * stride * sizeof(REAL));
    if (from_outputs && activation != SOFTMAX) FN(apply_derivative)(activation, z, 1, pass->delta, m * stride);
    if (loss == RASHID) memcpy(z, pass->before, m * stride * sizeof(REAL));
    pass->loss += sum;
    pass->correct += correct;
}
