/* A network's forward and backward pass and its epochs. Template: included once for each REAL.

   Shapes: m samples of a block; layer l maps sizes[l] inputs to sizes[l+1] outputs, whose rows are strides[l] long.
   Padding: weights and biases are zero there, so z is; the output's delta is set to zero there, and so stays every
   earlier delta, every gradient and every state. */

#include "vec.h"
#include "activations.h"
#include "optimizers.h"
#include "tiles.h"
#include "sparse.h"

/* One thread's view of a forward and backward pass. With `chunks` > 1 the first layer's inputs are shared out: this
   thread has those of the chunks from `first_chunk` to before `end_chunk`, rows of W0 that no other thread touches, and
   a copy of its own of all other parameters, which every thread moves in the same way. */
typedef struct {
    const fnn_net *net;
    const fnn_data *data;
    REAL *params, *state; /* the model's; state has slots of `size` elements */
    REAL *tail, *tail_state; /* parameters from tail_at on, and their state in slots of tail_slot elements */
    int64_t size, tail_at, tail_slot;
    int chunks, first_chunk, end_chunk;
    int64_t bounds[CHUNKS + 1]; /* inputs at which the chunks start */
    int sparse;                 /* the first layer walks the non-zero inputs instead of the dense rows */
    ACTIVE active;              /* the block's inputs, if sparse */
    REAL *x;                    /* (BLOCK, sizes[0]) the block's rows, if not */
    REAL **a;                   /* layers + 1 of them: a[l + 1] (BLOCK, strides[l]) is layer l's output */
    REAL **transposed;    /* (sizes[l+1], strides[l-1]) layer l's weights, for the way back; NULL for layer 0 */
    REAL *delta, *before; /* (BLOCK, widest stride) dL/dz of a layer and of the one before it */
    REAL *target;         /* (strides[layers - 1]) one sample's targets, padded with zeros */
    REAL *mask;           /* (strides[layers - 1]) 1 for an output, 0 for padding */
    REAL *squares;        /* (strides[layers - 1]) sums of squared errors over a block */
    REAL *gradient;       /* laid out as params; for batches longer than a block CHUNKS of them */
    REAL *partial;        /* (2, CHUNKS, share) the chunks' shares of the first layer's z, of two batches in turn */
    int64_t share_room;   /* elements of one of the two */
    REAL *x_columns, *gram, *run_z, *moves; /* of a run of online batches; see online.h */
    fnn_poll *poll;       /* NULL in all threads but one */
    double next_poll;     /* when to call it */
    int *stop;            /* set once it says so; read by all threads */
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

static REAL *FN(parameters)(const PASS *pass, int64_t at) {
    return at < pass->tail_at ? pass->params + at : pass->tail + (at - pass->tail_at);
}

static int64_t FN(parameter_count)(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Lays a pass out in the arena, with one chunk of all inputs; `training` adds what only the way back needs. Returns the
   bytes used. */
static size_t FN(place)(PASS *pass, const fnn_net *net, int64_t rows, int training, void *arena) {
    FN(cursor) at = {arena, 0};
    const int online = training && rows <= MOST_ONLINE;
    const int64_t inputs = net->sizes[0], block = online ? RUN : rows < BLOCK ? rows : BLOCK;
    const int64_t groups = (block + GROUP - 1) / GROUP;
    int64_t widest = 0;
    PASS here = {.net = net, .chunks = 1, .end_chunk = 1, .bounds = {0, inputs}};
    here.size = FN(parameter_count)(net);
    here.tail_at = net->weights[0] + inputs * net->strides[0];
    here.tail_slot = here.size - here.tail_at;
    here.a = FN(take)(&at, (net->layers + 1) * sizeof *here.a);
    here.transposed = FN(take)(&at, net->layers * sizeof *here.transposed);
    here.x = FN(take)(&at, block * inputs * sizeof(REAL)); /* holds the dense rows or the active inputs' values */
    here.active = (ACTIVE){.value = here.x, .width = inputs};
    here.active.index = FN(take)(&at, groups * inputs * sizeof *here.active.index);
    here.active.count = FN(take)(&at, groups * CHUNKS * sizeof *here.active.count);
    for (int64_t l = 0; l < net->layers; l++) {
        REAL *a = FN(take)(&at, block * net->strides[l] * sizeof(REAL)), *transposed = NULL;
        if (training && l > 0) transposed = FN(take)(&at, net->sizes[l + 1] * net->strides[l - 1] * sizeof(REAL));
        if (arena) here.a[l + 1] = a, here.transposed[l] = transposed;
        if (net->strides[l] > widest) widest = net->strides[l];
    }
    if (training) {
        const int64_t last = net->layers - 1;
        here.delta = FN(take)(&at, block * widest * sizeof(REAL));
        here.before = FN(take)(&at, block * widest * sizeof(REAL));
        here.target = FN(take)(&at, widest * sizeof(REAL));
        here.mask = FN(take)(&at, widest * sizeof(REAL));
        here.squares = FN(take)(&at, widest * sizeof(REAL));
        here.gradient = FN(take)(&at, (rows > BLOCK ? CHUNKS : 1) * here.size * sizeof(REAL));
        here.share_room = CHUNKS * block * (net->strides[0] + (online ? GRAM_STRIDE : 0));
        here.partial = FN(take)(&at, 2 * here.share_room * sizeof(REAL));
        if (online) {
            here.x_columns = FN(take)(&at, inputs * GRAM_STRIDE * sizeof(REAL));
            here.gram = FN(take)(&at, RUN * GRAM_STRIDE * sizeof(REAL));
            here.run_z = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
            here.moves = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
            if (arena) memset(here.x_columns, 0, inputs * GRAM_STRIDE * sizeof(REAL)); /* its padding is read */
        }
        here.tail = FN(take)(&at, here.tail_slot * sizeof(REAL));
        here.tail_state = FN(take)(&at, 2 * here.tail_slot * sizeof(REAL));
        if (arena) {
            memset(here.target, 0, net->strides[last] * sizeof(REAL));
            for (int64_t j = 0; j < net->strides[last]; j++) here.mask[j] = j < net->sizes[last + 1];
        }
    }
    if (pass) *pass = here;
    return at.used;
}

static const void *FN(row)(const fnn_data *data, int64_t width, int64_t i) {
    return (const char *)data->x + i * width * (data->is_uint8 ? 1 : sizeof(REAL));
}

/* Looks at a few groups of rows: is the first layer sparse, and where do its inputs split into parts of equal work? */
static void FN(plan)(PASS *pass, const fnn_data *data, const int64_t *order, int64_t first, int64_t count,
                     int64_t batch_size, int chunks) {
    const int64_t width = pass->net->sizes[0], group = batch_size < GROUP ? batch_size : GROUP;
    const int64_t groups = count < 5 * group ? (count + group - 1) / group : 5;
    int32_t *active = pass->active.index, *work = (int32_t *)pass->x; /* per input: in this group, in how many */
    int64_t total = 0, so_far = 0;
    memset(work, 0, width * sizeof *work);
    for (int64_t g = 0; g < groups; g++) {
        memset(active, 0, width * sizeof *active);
        for (int64_t s = g * group; s < (g + 1) * group && s < count; s++) {
            const void *row = FN(row)(data, width, order ? order[s] : first + s);
            if (data->is_uint8)
                for (int64_t i = 0; i < width; i++) active[i] |= ((const uint8_t *)row)[i] != 0;
            else
                for (int64_t i = 0; i < width; i++) active[i] |= ((const REAL *)row)[i] != 0;
        }
        for (int64_t i = 0; i < width; i++) work[i] += active[i];
    }
    for (int64_t i = 0; i < width; i++) total += work[i];
    pass->data = data;
    pass->sparse = (double)total < MOST_ACTIVE * (double)(groups * width);
    pass->chunks = pass->end_chunk = chunks;
    pass->first_chunk = 0;
    for (int64_t i = 0, c = 1; c < chunks; c++) { /* at whole vectors */
        for (; i < width && (i % 16 != 0 || (pass->sparse ? so_far * chunks < total * c : i * chunks < width * c)); i++)
            so_far += work[i];
        pass->bounds[c] = i;
    }
    pass->bounds[0] = 0;
    pass->bounds[chunks] = width;
    pass->active.bounds = pass->bounds;
}

/* One group of rows, packed. */
static void FN(pack_group)(PASS *pass, const void *const *rows, int64_t first, int samples) {
    const ACTIVE *to = &pass->active;
    const int64_t width = to->width, group = first / GROUP;
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        const int64_t low = pass->bounds[c], high = pass->bounds[c + 1];
        REAL *value = to->value + first * width;
        int32_t *index = to->index + group * width;
        to->count[group * CHUNKS + c] =
            pass->data->is_uint8 ? FN(pack_bytes)((const uint8_t *const *)rows, samples, low, high,
                                                  (REAL)pass->data->scale, value, width, index)
                                 : FN(pack_reals)((const REAL *const *)rows, samples, low, high, value, width, index);
    }
}

/* Brings m rows into the pass: order[0..m), or the m rows from `first`; the inputs of its own chunks alone. Shuffled rows
   come from anywhere in memory, so those AHEAD of the present one, up to order[available), are asked for meanwhile. */
static void FN(gather)(PASS *pass, const int64_t *order, int64_t first, int64_t m, int64_t available) {
    const fnn_data *data = pass->data;
    const int64_t width = pass->net->sizes[0], item = data->is_uint8 ? 1 : sizeof(REAL);
    const int64_t low = pass->bounds[pass->first_chunk], high = pass->bounds[pass->end_chunk];
    const void *rows[GROUP];
    for (int64_t s = 0; s < m; s++) {
        if (order && s + AHEAD < available) {
            const char *later = FN(row)(data, width, order[s + AHEAD]);
            for (int64_t at = low * item; at < high * item; at += 64) __builtin_prefetch(later + at);
        }
        const void *row = rows[s % GROUP] = FN(row)(data, width, order ? order[s] : first + s);
        REAL *x = pass->x + s * width;
        if (pass->sparse) {
            if (s % GROUP == GROUP - 1 || s == m - 1)
                FN(pack_group)(pass, rows, s - s % GROUP, (int)(s % GROUP + 1));
        } else if (data->is_uint8) {
            const REAL scale = (REAL)data->scale;
            for (int64_t i = low; i < high; i++) x[i] = (REAL)((const uint8_t *)row)[i] * scale;
        } else {
            memcpy(x + low, (const REAL *)row + low, (high - low) * sizeof(REAL));
        }
    }
}

/* z (m, strides[0]) = start + x W0 over one chunk's inputs; no start: zero */
static void FN(first_layer)(PASS *pass, int chunk, int64_t m, const REAL *start, REAL *z) {
    const int64_t stride = pass->net->strides[0], width = pass->net->sizes[0];
    const int64_t low = pass->bounds[chunk], high = pass->bounds[chunk + 1];
    const REAL *w = pass->params + pass->net->weights[0];
    if (pass->sparse)
        FN(sparse_forward)(&pass->active, chunk, m, w, stride, start, z);
    else
        FN(product)(start ? FN(FROM_ROW) : FN(FROM_ZERO), m, stride, high - low,
                    (OPERANDS){pass->x + low, width, 1, w + low * stride, stride, start, z, stride, NULL});
}

static const REAL *FN(bias)(const PASS *pass, int64_t l) {
    return pass->net->biases[l] < 0 ? NULL : FN(parameters)(pass, pass->net->biases[l]);
}

/* a[l + 1] = activation(a[l] W + b) from the first layer's z on; the last layer is left as z. */
static void FN(later_layers)(PASS *pass, int64_t m) {
    const fnn_net *net = pass->net;
    for (int64_t l = 0; l < net->layers; l++) {
        const int64_t stride = net->strides[l];
        const REAL *bias = FN(bias)(pass, l);
        REAL *z = pass->a[l + 1];
        if (l)
            FN(product)(bias ? FN(FROM_ROW) : FN(FROM_ZERO), m, stride, net->sizes[l],
                        (OPERANDS){pass->a[l], net->strides[l - 1], 1, FN(parameters)(pass, net->weights[l]), stride,
                                   bias, z, stride, NULL});
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
        const REAL *w = FN(parameters)(pass, net->weights[l]);
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
    FN(product)(FN(FROM_ZERO), m, stride, net->sizes[l + 1],
                (OPERANDS){pass->delta, net->strides[l], 1, pass->transposed[l], stride, NULL, pass->before, stride,
                           NULL});
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
        for (int c = pass->first_chunk; c < pass->end_chunk; c++)
            FN(sparse_gradient)(&pass->active, c, m, pass->delta, stride, g);
    else
        FN(product)(FN(FROM_C), net->sizes[l], stride, m,
                    (OPERANDS){l ? pass->a[l] : pass->x, 1, l ? net->strides[l - 1] : net->sizes[0], pass->delta,
                               stride, NULL, g, stride, NULL});
    if (net->biases[l] >= 0) FN(bias_gradient)(pass->delta, m, stride, pass->gradient + net->biases[l]);
}

/* pass->gradient += the gradient of the mean loss over `samples` samples, of which these are `count`, block by block */
static void FN(accumulate)(PASS *pass, const int64_t *order, int64_t first, int64_t count, int64_t samples) {
    for (int64_t start = 0; start < count; start += BLOCK) {
        const int64_t m = count - start < BLOCK ? count - start : BLOCK;
        const int64_t *rows = order ? order + start : NULL;
        if (pass->poll && fnn_now() > pass->next_poll) {
            if (pass->poll()) __atomic_store_n(pass->stop, 1, __ATOMIC_RELAXED);
            pass->next_poll = fnn_now() + POLL_SECONDS;
        }
        if (__atomic_load_n(pass->stop, __ATOMIC_RELAXED)) return;
        FN(gather)(pass, rows, first + start, m, count - start);
        FN(first_layer)(pass, 0, m, FN(bias)(pass, 0), pass->a[1]);
        FN(later_layers)(pass, m);
        FN(output_block)(pass, rows, first + start, m, samples);
        for (int64_t l = pass->net->layers - 1; l >= 0; l--) {
            FN(add_gradient)(pass, l, m);
            if (l) FN(delta_before)(pass, l, m);
        }
    }
}
