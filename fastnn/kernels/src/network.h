/* A network's forward and backward pass and its epochs. Template: included once for each REAL.

   Shapes: m samples of a block; layer l maps sizes[l] inputs to sizes[l+1] outputs, whose rows are strides[l] long.
   Padding: weights and biases are zero there, so z is; the output's delta is set to zero there, and so stays every
   earlier delta, every gradient and every state. */

#include "vec.h"
#include "activations.h"
#include "optimizers.h"
#include "tiles.h"
#include "sparse.h"

typedef struct {
    const fnn_net *net;
    const REAL *params;
    const fnn_data *data;
    int sparse;           /* the first layer walks the non-zero inputs instead of the dense rows */
    NONZEROS nonzeros;    /* of the block, if sparse */
    REAL *x;              /* (BLOCK, sizes[0]) the block's rows, if not */
    REAL **a;             /* layers + 1 of them: a[l + 1] (BLOCK, strides[l]) is layer l's output */
    REAL **transposed;    /* (sizes[l+1], strides[l-1]) layer l's weights, for the way back; NULL for layer 0 */
    REAL *delta, *before; /* (BLOCK, widest stride) dL/dz of a layer and of the one before it */
    REAL *target;         /* (strides[layers - 1]) one sample's targets, padded with zeros */
    REAL *mask;           /* (strides[layers - 1]) 1 for an output, 0 for padding */
    REAL *squares;        /* (strides[layers - 1]) sums of squared errors over a block */
    REAL *gradient;       /* laid out as params */
    double loss;          /* summed over the samples seen */
    int64_t correct;
} FN(pass);
#define PASS FN(pass)

/* Hands out pieces of the arena; with a NULL base it only adds up their sizes. */
typedef struct {
    char *base;
    size_t used;
} FN(cursor);

static void *FN(take)(FN(cursor) *cursor, size_t bytes) {
    void *piece = cursor->base ? cursor->base + cursor->used : NULL;
    cursor->used += (bytes + 63) / 64 * 64;
    return piece;
}

static int64_t FN(parameter_count)(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Lays a pass out in the arena; `training` adds what only the way back needs. Returns the bytes used. */
static size_t FN(place)(PASS *pass, const fnn_net *net, int64_t rows, int training, void *arena) {
    FN(cursor) at = {arena, 0};
    const int64_t inputs = net->sizes[0], block = rows < BLOCK ? rows : BLOCK;
    int64_t widest = 0;
    PASS here = {.net = net};
    here.a = FN(take)(&at, (net->layers + 1) * sizeof *here.a);
    here.transposed = FN(take)(&at, net->layers * sizeof *here.transposed);
    here.x = FN(take)(&at, block * inputs * sizeof(REAL)); /* holds the dense rows or the non-zero values */
    here.nonzeros = (NONZEROS){.value = here.x, .width = inputs};
    here.nonzeros.index = FN(take)(&at, block * inputs * sizeof *here.nonzeros.index);
    here.nonzeros.count = FN(take)(&at, block * sizeof *here.nonzeros.count);
    for (int64_t l = 0; l < net->layers; l++) {
        REAL *a = FN(take)(&at, block * net->strides[l] * sizeof(REAL)), *transposed = NULL;
        if (training && l > 0) transposed = FN(take)(&at, net->sizes[l + 1] * net->strides[l - 1] * sizeof(REAL));
        if (arena) here.a[l + 1] = a, here.transposed[l] = transposed;
        if (net->strides[l] > widest) widest = net->strides[l];
    }
    if (training) {
        here.delta = FN(take)(&at, block * widest * sizeof(REAL));
        here.before = FN(take)(&at, block * widest * sizeof(REAL));
        here.target = FN(take)(&at, widest * sizeof(REAL));
        here.mask = FN(take)(&at, widest * sizeof(REAL));
        here.squares = FN(take)(&at, widest * sizeof(REAL));
        here.gradient = FN(take)(&at, FN(parameter_count)(net) * sizeof(REAL));
    }
    if (pass) *pass = here;
    if (arena && training) {
        const int64_t last = net->layers - 1;
        memset(here.target, 0, net->strides[last] * sizeof(REAL));
        for (int64_t j = 0; j < net->strides[last]; j++) here.mask[j] = j < net->sizes[last + 1];
    }
    return at.used;
}

static size_t FN(arena_bytes)(const fnn_net *net, int64_t batch) { return FN(place)(NULL, net, batch, 1, NULL); }

static const void *FN(row)(const fnn_data *data, int64_t width, int64_t i) {
    return (const char *)data->x + i * width * (data->is_uint8 ? 1 : sizeof(REAL));
}

/* Whether so few of some rows' inputs are non-zero that walking them beats the dense tiles. */
static int FN(is_sparse)(const fnn_data *data, int64_t width, const int64_t *order, int64_t first, int64_t count) {
    const int64_t looked_at = count < 64 ? count : 64;
    int64_t nonzero = 0;
    for (int64_t s = 0; s < looked_at; s++) {
        const void *row = FN(row)(data, width, order ? order[s] : first + s);
        for (int64_t i = 0; i < width; i++)
            nonzero += data->is_uint8 ? ((const uint8_t *)row)[i] != 0 : ((const REAL *)row)[i] != 0;
    }
    return nonzero * 2 < looked_at * width;
}

/* Brings m rows into the pass: order[0..m), or the m rows from `first`. Shuffled rows come from anywhere in memory, so
   those AHEAD of the present one, up to order[available), are asked for while this one is worked on. */
static void FN(gather)(PASS *pass, const int64_t *order, int64_t first, int64_t m, int64_t available) {
    const fnn_data *data = pass->data;
    const int64_t width = pass->net->sizes[0], bytes = width * (data->is_uint8 ? 1 : sizeof(REAL));
    const REAL scale = (REAL)data->scale;
    for (int64_t s = 0; s < m; s++) {
        if (order && s + AHEAD < available) {
            const char *later = FN(row)(data, width, order[s + AHEAD]);
            for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(later + i);
        }
        const void *row = FN(row)(data, width, order ? order[s] : first + s);
        REAL *x = pass->x + s * width;
        int32_t *index = pass->nonzeros.index + s * width;
        if (pass->sparse && data->is_uint8)
            pass->nonzeros.count[s] = FN(compress_bytes)(row, width, scale, index, x);
        else if (pass->sparse)
            pass->nonzeros.count[s] = FN(compress_reals)(row, width, index, x);
        else if (data->is_uint8)
            for (int64_t i = 0; i < width; i++) x[i] = (REAL)((const uint8_t *)row)[i] * scale;
        else
            memcpy(x, row, width * sizeof(REAL));
    }
}

/* a[l + 1] = activation(a[l] W + b) for every layer but the last, which is left as z. */
static void FN(forward_block)(PASS *pass, int64_t m) {
    const fnn_net *net = pass->net;
    for (int64_t l = 0; l < net->layers; l++) {
        const REAL *w = pass->params + net->weights[l];
        const REAL *bias = net->biases[l] < 0 ? NULL : pass->params + net->biases[l];
        const int64_t stride = net->strides[l];
        REAL *z = pass->a[l + 1];
        if (l == 0 && pass->sparse) {
            FN(sparse_forward)(&pass->nonzeros, m, w, stride, bias, z);
        } else {
            const REAL *input = l ? pass->a[l] : pass->x;
            const int64_t row_step = l ? net->strides[l - 1] : net->sizes[0];
            FN(product)(bias ? FN(FROM_ROW) : FN(FROM_ZERO), m, stride, net->sizes[l], input, row_step, 1, w, stride,
                        bias, z, stride);
        }
        if (l + 1 < net->layers) FN(apply_activation)(net->activations[l], z, m * stride);
    }
}

/* One row of z becomes softmax(z); padding becomes 0. Returns log sum_j exp(z_j - max z), and max z. */
static double FN(softmax_row)(REAL *z, int64_t outputs, int64_t stride, REAL *highest) {
    REAL top = z[0], sum = 0;
    for (int64_t j = 1; j < outputs; j++) top = z[j] > top || z[j] != z[j] ? z[j] : top;
    for (int64_t j = outputs; j < stride; j++) z[j] = (REAL)-INFINITY;
    for (int64_t j = 0; j < stride; j += LANES) FN(vstore)(z + j, FN(vexp)(FN(vload)(z + j) - top));
    for (int64_t j = 0; j < outputs; j++) sum += z[j];
    for (int64_t j = 0; j < stride; j += LANES) FN(vstore)(z + j, FN(vload)(z + j) / sum);
    for (int64_t j = outputs; j < stride; j++) z[j] = 0;
    *highest = top;
    return log((double)sum);
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
static REAL FN(load_target)(PASS *pass, int64_t i, int64_t outputs) {
    const fnn_data *data = pass->data;
    if (data->labels) {
        memset(pass->target, 0, outputs * sizeof(REAL));
        pass->target[data->labels[i]] = 1;
        return 1;
    }
    memcpy(pass->target, (const REAL *)data->targets + i * outputs, outputs * sizeof(REAL));
    REAL sum = 0;
    for (int64_t j = 0; j < outputs; j++) sum += pass->target[j];
    return sum;
}

/* Whether the class, the target's first maximum, is the output's first maximum too. */
static int FN(is_correct)(const REAL *a, const REAL *y, int64_t class, int64_t outputs) {
    if (outputs == 1) return (a[0] >= (REAL)0.5) == (y[0] >= (REAL)0.5);
    if (class < 0)
        for (int64_t j = class = 0; j < outputs; j++) class = y[j] > y[class] ? j : class;
    const REAL best = a[class];
    int beaten = 0; /* counted without branches: the outputs are not predictable */
    for (int64_t j = 0; j < outputs; j++) beaten += (a[j] > best) | ((a[j] == best) & (j < class));
    return !beaten;
}

/* One sample of the losses of the outputs themselves, a vector at a time: squares += (a - y)^2 and delta = dL/da. */
static void FN(squares_row)(const REAL *a, const REAL *y, const REAL *mask, REAL factor, REAL *squares, REAL *delta,
                            int64_t stride) {
    for (int64_t j = 0; j < stride; j += LANES) {
        const V difference = (FN(vload)(a + j) - FN(vload)(y + j)) * FN(vload)(mask + j);
        FN(vstore)(squares + j, FN(vfma)(difference, difference, FN(vload)(squares + j)));
        FN(vstore)(delta + j, difference * factor);
    }
}

/* One sample of cross_entropy: z becomes softmax(z). Returns sum_j y_j (log sum exp(z) - z_j);
   delta = (a sum_j y_j - y) * factor. */
static double FN(cross_entropy_row)(REAL *z, const REAL *y, REAL y_sum, REAL factor, REAL *delta, int64_t outputs,
                                    int64_t stride) {
    double product = 0;
    REAL top;
    for (int64_t j = 0; j < outputs; j++) product += y[j] != 0 ? (double)y[j] * (double)z[j] : 0;
    const double log_sum = FN(softmax_row)(z, outputs, stride, &top);
    for (int64_t j = 0; j < stride; j += LANES)
        FN(vstore)(delta + j, (FN(vload)(z + j) * y_sum - FN(vload)(y + j)) * factor);
    return (double)y_sum * (log_sum + (double)top) - product;
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

/* From the last layer's z: outputs, loss, hits, and delta = dL/dz with L the mean over `samples` samples. */
static void FN(output_block)(PASS *pass, const int64_t *order, int64_t first, int64_t m, int64_t samples) {
    const fnn_net *net = pass->net;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], stride = net->strides[last];
    const int64_t activation = net->activations[last], loss = net->loss;
    const double mean = 1.0 / (double)samples;
    const REAL factor = (REAL)(loss == MEAN_SQUARED_ERROR ? 2 * mean / (double)outputs : mean);
    const int from_outputs = loss == QUADRATIC || loss == MEAN_SQUARED_ERROR;
    REAL *z = pass->a[last + 1], *y = pass->target, *squares = pass->squares;
    double sum = 0;
    memset(squares, 0, stride * sizeof(REAL));
    if (from_outputs) FN(activate_output)(net, z, m);
    for (int64_t s = 0; s < m; s++, z += stride) {
        const int64_t i = order ? order[s] : first + s;
        REAL *delta = pass->delta + s * stride;
        const REAL y_sum = FN(load_target)(pass, i, outputs);
        if (from_outputs)
            FN(squares_row)(z, y, pass->mask, factor, squares, delta, stride);
        else if (loss == CROSS_ENTROPY)
            sum += FN(cross_entropy_row)(z, y, y_sum, factor, delta, outputs, stride);
        else
            sum += FN(binary_cross_entropy_row)(z, y, pass->mask, factor, delta, outputs, stride);
        pass->correct += FN(is_correct)(z, y, pass->data->labels ? pass->data->labels[i] : -1, outputs);
        if (from_outputs && activation == SOFTMAX) { /* delta_j = a_j (g_j - sum_k g_k a_k) */
            REAL product = 0;
            for (int64_t j = 0; j < outputs; j++) product += delta[j] * z[j];
            for (int64_t j = 0; j < outputs; j++) delta[j] = z[j] * (delta[j] - product);
        }
    }
    if (from_outputs) {
        for (int64_t j = 0; j < outputs; j++) sum += (double)squares[j];
        sum *= loss == QUADRATIC ? 0.5 : 1.0 / (double)outputs;
        if (activation != SOFTMAX) FN(apply_derivative)(activation, pass->a[last + 1], pass->delta, m * stride);
    }
    pass->loss += sum;
}

/* W^T of every layer but the first, which the way back needs; made once a batch. */
static void FN(transpose_weights)(PASS *pass) {
    const fnn_net *net = pass->net;
    for (int64_t l = 1; l < net->layers; l++) {
        const REAL *w = pass->params + net->weights[l];
        REAL *to = pass->transposed[l];
        const int64_t inputs = net->sizes[l], outputs = net->sizes[l + 1], stride = net->strides[l];
        const int64_t to_stride = net->strides[l - 1];
        for (int64_t i = 0; i < inputs; i++)
            for (int64_t j = 0; j < outputs; j++) to[j * to_stride + i] = w[i * stride + j];
        for (int64_t j = 0; j < outputs; j++)
            for (int64_t i = inputs; i < to_stride; i++) to[j * to_stride + i] = 0;
    }
}

/* delta of layer l - 1 from that of layer l: (delta W^T) * activation'(z) */
static void FN(delta_before)(PASS *pass, int64_t l, int64_t m) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l - 1];
    FN(product)(FN(FROM_ZERO), m, stride, net->sizes[l + 1], pass->delta, net->strides[l], 1, pass->transposed[l],
                stride, NULL, pass->before, stride);
    FN(apply_derivative)(net->activations[l - 1], pass->a[l], pass->before, m * stride);
    REAL *swapped = pass->delta;
    pass->delta = pass->before;
    pass->before = swapped;
}

static void FN(bias_gradient)(const REAL *delta, int64_t m, int64_t stride, REAL *g) {
    for (int64_t s = 0; s < m; s++)
        for (int64_t j = 0; j < stride; j += LANES)
            FN(vstore)(g + j, FN(vload)(g + j) + FN(vload)(delta + s * stride + j));
}

/* gradient of layer l += x^T delta, and of its bias */
static void FN(add_gradient)(PASS *pass, int64_t l, int64_t m) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l];
    REAL *g = pass->gradient + net->weights[l];
    if (l == 0 && pass->sparse)
        FN(sparse_gradient)(&pass->nonzeros, m, 1, pass->delta, stride, g);
    else
        FN(product)(FN(FROM_C), net->sizes[l], stride, m, l ? pass->a[l] : pass->x, 1,
                    l ? net->strides[l - 1] : net->sizes[0], pass->delta, stride, NULL, g, stride);
    if (net->biases[l] >= 0) FN(bias_gradient)(pass->delta, m, stride, pass->gradient + net->biases[l]);
}

/* Parameters from `at` on, `count` of them, move by the gradient g. */
static void FN(move)(const STEP *step, REAL l2, const REAL *g, REAL *params, REAL *state, int64_t size, int64_t at,
                     int64_t count) {
    FN(update)(step, l2, g, params + at, state + at, state + size + at, count);
}

/* Layer l's gradient, a few rows at a time, straight into its update: it never goes to memory as a whole. */
static void FN(fused_update)(PASS *pass, int64_t l, int64_t m, const STEP *step, REAL *params, REAL *state,
                             int64_t size) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l], inputs = net->sizes[l];
    REAL *g = pass->gradient;
    if (l == 0 && pass->sparse && step->optimizer == SGD && step->l2 == 0) {
        FN(sparse_gradient)(&pass->nonzeros, m, -step->rate, pass->delta, stride, params + net->weights[0]);
    } else if (l == 0 && pass->sparse) {
        memset(g, 0, inputs * stride * sizeof(REAL));
        FN(sparse_gradient)(&pass->nonzeros, m, 1, pass->delta, stride, g);
        FN(move)(step, step->l2, g, params, state, size, net->weights[l], inputs * stride);
    } else {
        const REAL *x = l ? pass->a[l] : pass->x;
        for (int64_t i = 0; i < inputs; i += TILE_ROWS) {
            const int64_t rows = inputs - i < TILE_ROWS ? inputs - i : TILE_ROWS;
            FN(product)(FN(FROM_ZERO), rows, stride, m, x + i, 1, l ? net->strides[l - 1] : inputs, pass->delta,
                        stride, NULL, g, stride);
            FN(move)(step, step->l2, g, params, state, size, net->weights[l] + i * stride, rows * stride);
        }
    }
    if (net->biases[l] >= 0) {
        memset(g, 0, stride * sizeof(REAL));
        FN(bias_gradient)(pass->delta, m, stride, g);
        FN(move)(step, 0, g, params, state, size, net->biases[l], stride);
    }
}

/* pass->gradient += the gradient of the mean loss of count rows, in blocks */
static void FN(accumulate)(PASS *pass, const int64_t *order, int64_t count) {
    FN(transpose_weights)(pass);
    for (int64_t start = 0; start < count; start += BLOCK) {
        const int64_t m = count - start < BLOCK ? count - start : BLOCK;
        const int64_t *rows = order ? order + start : NULL;
        FN(gather)(pass, rows, start, m, count - start);
        FN(forward_block)(pass, m);
        FN(output_block)(pass, rows, start, m, count);
        for (int64_t l = pass->net->layers - 1; l >= 0; l--) {
            FN(add_gradient)(pass, l, m);
            if (l) FN(delta_before)(pass, l, m);
        }
    }
}

/* One update by the rows order[0..count), of which `available` follow. Returns 0, with nothing changed, if their loss is not finite. */
static int FN(train_batch)(PASS *pass, const int64_t *order, int64_t count, int64_t available, const STEP *step,
                           REAL *params, REAL *state, int64_t size) {
    const fnn_net *net = pass->net;
    const double loss_before = pass->loss;
    const int64_t correct_before = pass->correct;
    if (count <= BLOCK) {
        FN(gather)(pass, order, 0, count, available);
        FN(forward_block)(pass, count);
        FN(output_block)(pass, order, 0, count, count);
    } else {
        memset(pass->gradient, 0, size * sizeof(REAL));
        FN(accumulate)(pass, order, count);
    }
    if (!isfinite(pass->loss)) {
        pass->loss = loss_before;
        pass->correct = correct_before;
        return 0;
    }
    if (count <= BLOCK) {
        FN(transpose_weights)(pass);
        for (int64_t l = net->layers - 1; l >= 0; l--) {
            /* the update needs this layer's delta, the delta before it this layer's old weights (the transposed) */
            FN(fused_update)(pass, l, count, step, params, state, size);
            if (l) FN(delta_before)(pass, l, count);
        }
        return 1;
    }
    for (int64_t l = 0; l < net->layers; l++) {
        const int64_t at = net->weights[l], bias = net->biases[l];
        FN(move)(step, step->l2, pass->gradient + at, params, state, size, at, net->sizes[l] * net->strides[l]);
        if (bias >= 0) FN(move)(step, 0, pass->gradient + bias, params, state, size, bias, net->strides[l]);
    }
    return 1;
}

static double FN(now)(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void FN(train)(const fnn_net *net, void *params, void *state, const fnn_data *data, const int64_t *order,
                      int64_t count, int64_t batch_size, const fnn_rule *rule, double seconds, fnn_result *result,
                      void *arena) {
    PASS pass;
    FN(place)(&pass, net, batch_size, 1, arena);
    pass.params = params;
    pass.data = data;
    pass.sparse = FN(is_sparse)(data, net->sizes[0], order, 0, count);
    pass.loss = result->loss;
    pass.correct = result->correct;
    const int64_t size = FN(parameter_count)(net), batches = (count + batch_size - 1) / batch_size;
    const double end = FN(now)() + seconds;
    while (result->batches < batches && !result->diverged) {
        const int64_t start = result->batches * batch_size;
        const STEP step = FN(make_step)(rule, rule->step + result->batches + 1);
        const int64_t m = count - start < batch_size ? count - start : batch_size;
        if (FN(train_batch)(&pass, order + start, m, count - start, &step, params, state, size))
            result->batches++;
        else
            result->diverged = 1;
        if (FN(now)() > end) break;
    }
    result->loss = pass.loss;
    result->correct = pass.correct;
}

static double FN(loss_grad)(const fnn_net *net, const void *params, const fnn_data *data, int64_t count, void *grad,
                            void *arena) {
    PASS pass;
    FN(place)(&pass, net, count, 1, arena);
    pass.params = params;
    pass.data = data;
    pass.sparse = FN(is_sparse)(data, net->sizes[0], NULL, 0, count);
    pass.gradient = grad;
    FN(accumulate)(&pass, NULL, count);
    return pass.loss / (double)count;
}

static void FN(forward)(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                        void *out, void *arena) {
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], stride = net->strides[last];
    PASS pass;
    FN(place)(&pass, net, count, 0, arena);
    pass.params = params;
    pass.data = data;
    pass.sparse = FN(is_sparse)(data, net->sizes[0], NULL, first, count);
    for (int64_t start = 0; start < count; start += BLOCK) {
        const int64_t m = count - start < BLOCK ? count - start : BLOCK;
        FN(gather)(&pass, NULL, first + start, m, 0);
        FN(forward_block)(&pass, m);
        FN(activate_output)(net, pass.a[last + 1], m);
        for (int64_t s = 0; s < m; s++)
            memcpy((REAL *)out + (start + s) * outputs, pass.a[last + 1] + s * stride, outputs * sizeof(REAL));
    }
}

static const fnn_kernels FN(table) = {FN(arena_bytes), FN(forward), FN(loss_grad), FN(train), FN(activate)};

#undef C_
#undef M_
#undef V
#undef VI
#undef LANES
#undef STEP
#undef NONZEROS
#undef PASS
