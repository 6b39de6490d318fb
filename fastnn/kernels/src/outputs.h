/* The output layer's activation, loss, hits and delta. Template, after plan.h. */

/* first, first + 1, .. */
INLINE VI FN(numbers)(int64_t first) {
    VI numbers;
    for (int i = 0; i < LANES; i++) numbers[i] = i;
    return numbers + (INTEGER)first;
}

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

/* target <- sample i's targets; a label becomes one-hot. Returns sum_j target_j. */
static REAL FN(load_target)(PASS *pass, int64_t i, int64_t outputs, int64_t stride) {
    const fnn_data *data = pass->data;
    if (data->labels) { /* in whole vectors, which a load need not wait for */
        const VI label = (VI){0} + data->labels[i], one = (VI)FN(vset)(1);
        for (int64_t j = 0; j < stride; j += LANES) *(VI *)(pass->target + j) = (FN(numbers)(j) == label) & one;
        return 1;
    }
    memcpy(pass->target, (const REAL *)data->targets + i * outputs, outputs * sizeof(REAL));
    REAL sum = 0;
    for (int64_t j = 0; j < outputs; j++) sum += pass->target[j];
    return sum;
}

/* Whether the class, the target's first maximum, is the output's first maximum too. */
static int FN(is_correct)(const REAL *a, const REAL *y, int64_t class, int64_t outputs) {
    if (outputs == 1) return (a[0] > (REAL)0.5) == (y[0] > (REAL)0.5);
    REAL most = y[0];
    if (class < 0) {
        class = 0; /* without branches, here and below: neither targets nor outputs are predictable */
        for (int64_t j = 1; j < outputs; j++) {
            const int more = y[j] > most;
            class = more ? j : class;
            most = more ? y[j] : most;
        }
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

/* One sample of the losses of the outputs themselves, a vector at a time: squares += weight (a - y)^2 and
   delta = dL/da = (a - y) * factor. */
static void FN(squares_row)(const REAL *a, const REAL *y, const REAL *mask, REAL weight, REAL factor, REAL *squares,
                            REAL *delta, int64_t stride) {
    for (int64_t j = 0; j < stride; j += LANES) {
        const V difference = (FN(vload)(a + j) - FN(vload)(y + j)) * FN(vload)(mask + j);
        FN(vstore)(squares + j, FN(vfma)(difference * weight, difference, FN(vload)(squares + j)));
        FN(vstore)(delta + j, difference * factor);
    }
}

/* One sample of cross_entropy, with a label or, if that is negative, targets: z becomes softmax(z). Returns sum_j y_j (log sum exp(z) - z_j);
   delta = (a sum_j y_j - y) * factor. */
static double FN(cross_entropy_row)(REAL *z, const REAL *y, REAL y_sum, int64_t class, REAL factor, REAL *delta,
                                    int64_t outputs, int64_t stride) {
    double product = class < 0 ? 0 : (double)z[class];
    REAL top;
    for (int64_t j = 0; class < 0 && j < outputs; j++) product += y[j] != 0 ? (double)y[j] * (double)z[j] : 0;
    const REAL sum = FN(softmax_row)(z, outputs, stride, &top);
    for (int64_t j = 0; j < stride; j += LANES)
        FN(vstore)(delta + j, (FN(vload)(z + j) * y_sum - FN(vload)(y + j)) * factor);
    return (double)y_sum * (log((double)sum) + (double)top) - product;
}

/* One sample of binary_cross_entropy: z becomes a = sigmoid(z). Returns sum_j max(z, 0) - z y + log(1 + e^-|z|);
   delta = (a - y) * factor. */
static double FN(binary_cross_entropy_row)(REAL *z, const REAL *y, const REAL *mask, REAL factor, REAL *delta,
                                           int64_t outputs, int64_t stride) {
    double loss = 0;
    for (int64_t j = 0; j < stride; j += LANES) {
        const V raw = FN(vload)(z + j), target = FN(vload)(y + j), zero = {0};
        const V log_term = FN(vlog1p_unit)(FN(vexp)(FN(vnegabs)(raw)));
        FN(vstore)(delta + j, FN(vless)(raw, zero, zero, raw) - raw * target + log_term);
    }
    for (int64_t j = 0; j < outputs; j++) loss += (double)delta[j];
    FN(apply_activation)(SIGMOID, z, stride);
    for (int64_t j = 0; j < stride; j += LANES)
        FN(vstore)(delta + j, (FN(vload)(z + j) - FN(vload)(y + j)) * FN(vload)(mask + j) * factor);
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
    const REAL mean_factor = (REAL)(loss == MEAN_SQUARED_ERROR ? 2 * mean / (double)outputs : mean);
    const int from_outputs = loss == QUADRATIC || loss == MEAN_SQUARED_ERROR || loss == RASHID;
    REAL *z = pass->a[last + 1], *y = pass->target, *squares = pass->squares;
    double sum = 0;
    memset(squares, 0, stride * sizeof(REAL));
    if (from_outputs) FN(activate_output)(net, z, m);
    for (int64_t s = 0; s < m; s++, z += stride) {
        const int64_t i = FN(sample)(pass->in, s), class = data->labels ? data->labels[i] : -1;
        const REAL weight = data->weights ? ((const REAL *)data->weights)[i] : 1, factor = weight * mean_factor;
        REAL *delta = pass->delta + s * stride;
        const REAL y_sum = FN(load_target)(pass, i, outputs, stride);
        if (from_outputs)
            FN(squares_row)(z, y, pass->mask, weight, factor, squares, delta, stride);
        else if (loss == CROSS_ENTROPY)
            sum += (double)weight * FN(cross_entropy_row)(z, y, y_sum, class, factor, delta, outputs, stride);
        else
            sum += (double)weight * FN(binary_cross_entropy_row)(z, y, pass->mask, factor, delta, outputs, stride);
        pass->correct += FN(is_correct)(z, y, class, outputs);
        if (from_outputs && activation == SOFTMAX) { /* delta_j = a_j (g_j - sum_k g_k a_k) */
            REAL product = 0;
            for (int64_t j = 0; j < outputs; j++) product += delta[j] * z[j];
            for (int64_t j = 0; j < outputs; j++) delta[j] = z[j] * (delta[j] - product);
        }
    }
    if (from_outputs) {
        for (int64_t j = 0; j < outputs; j++) sum += (double)squares[j];
        sum *= loss == MEAN_SQUARED_ERROR ? 1.0 / (double)outputs : 0.5;
        if (loss == RASHID) memcpy(pass->before, pass->delta, m * stride * sizeof(REAL));
        if (activation != SOFTMAX) FN(apply_derivative)(activation, pass->a[last + 1], 1, pass->delta, m * stride);
        if (loss == RASHID) memcpy(pass->a[last + 1], pass->before, m * stride * sizeof(REAL));
    }
    pass->loss += sum;
}
