/* What callers reach: gradients and outputs without training, and the table of all kernels. Template, after training.h. */

static double FN(loss_grad)(const fnn_net *net, const void *params, const fnn_data *data, int64_t count, void *grad,
                            void *arena, fnn_interrupt *interrupt) {
    PASS pass;
    int stop = 0;
    FN(place)(&pass, net, count, TRAINING, arena);
    FN(plan)(&pass, data, NULL, 0, count, count, 1, 0, 0);
    pass.params = (REAL *)params; /* read only here */
    pass.tail = pass.params + pass.tail_at;
    pass.gradient = grad;
    pass.interrupt = interrupt;
    pass.stop = &stop;
    pass.control = float_control();
    FN(transpose_weights)(&pass);
    FN(accumulate)(&pass, NULL, 0, count, count);
    return pass.loss / (double)count;
}

/* In blocks of LONG_BLOCK rows, whose dL/dx is the transpose of W delta^T; returns room for delta^T and a tile of it. */
static REAL *FN(place_layer)(PASS *pass, const fnn_net *net, int64_t count, void *arena, size_t *used) {
    FN(cursor) at = {arena, FN(place)(pass, net, count > LONG_BLOCK ? LONG_BLOCK : count, TRAINING, arena)};
    REAL *columns = FN(take)(&at, (net->strides[0] + TILE_ROWS) * LONG_BLOCK * sizeof(REAL));
    *used = at.used;
    return columns;
}

static size_t FN(layer_bytes)(const fnn_net *net, int64_t count) {
    size_t used;
    FN(place_layer)(NULL, net, count, NULL, &used);
    return used;
}

static void FN(layer_grad)(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                           const void *outputs, const void *output_grad, void *grad, void *input_grad, void *arena) {
    const int64_t inputs = net->sizes[0], units = net->sizes[1], stride = net->strides[0], line = 64 / sizeof(REAL);
    size_t used;
    PASS pass;
    REAL *delta_columns = FN(place_layer)(&pass, net, count, arena, &used);
    REAL *x_columns = delta_columns + stride * LONG_BLOCK;
    FN(plan)(&pass, data, NULL, first, count, count > LONG_BLOCK ? LONG_BLOCK : count, 1, 0, 0);
    pass.gradient = grad;
    for (int64_t start = first; start < first + count; start += LONG_BLOCK) {
        const int64_t left = first + count - start, m = left < LONG_BLOCK ? left : LONG_BLOCK;
        const int64_t wide = (m + line - 1) / line * line;
        memset(delta_columns, 0, units * wide * sizeof(REAL));
        for (int64_t s = 0; s < m; s++) {
            REAL *delta = pass.delta + s * stride, *a = pass.a[1] + s * stride;
            memset(delta + units, 0, (stride - units) * sizeof(REAL));
            memset(a + units, 0, (stride - units) * sizeof(REAL));
            memcpy(delta, (const REAL *)output_grad + (start + s) * units, units * sizeof(REAL));
            memcpy(a, (const REAL *)outputs + (start + s) * units, units * sizeof(REAL));
            FN(apply_derivative)(net->activations[0], a, 1, delta, stride);
            for (int64_t j = 0; j < units; j++) delta_columns[j * wide + s] = delta[j];
        }
        FN(gather)(&pass, pass.in, NULL, start, m, 0);
        FN(add_gradient)(&pass, 0, m);
        for (int64_t i = 0; i < inputs; i += TILE_ROWS) { /* and they are transposed while they are in the cache */
            const int64_t rows = inputs - i < TILE_ROWS ? inputs - i : TILE_ROWS;
            FN(product)(FN(FROM_ZERO), rows, wide, units,
                        (OPERANDS){(const REAL *)params + net->weights[0] + i * stride, stride, 1, delta_columns, wide,
                                   NULL, x_columns, wide, NULL});
            for (int64_t s = 0; s < m; s++)
                for (int64_t r = 0; r < rows; r++)
                    ((REAL *)input_grad)[(start + s) * inputs + i + r] = x_columns[r * wide + s];
        }
    }
}

typedef struct {
    const fnn_net *net;
    const void *params;
    const fnn_data *data;
    int64_t first, count;
    REAL *out;
    char *arena;
    size_t arena_bytes;
    int unbounded; /* some output is NaN or infinite */
} FN(forward_job);

static void FN(forward_thread)(void *argument, int thread, int threads) {
    FN(forward_job) *job = argument;
    const fnn_net *net = job->net;
    const int64_t last = net->layers - 1, outputs = net->sizes[last + 1], stride = net->strides[last];
    const int64_t from = job->count * thread / threads, to = job->count * (thread + 1) / threads;
    PASS pass;
    FN(place)(&pass, net, job->count, FORWARD, job->arena + thread * job->arena_bytes);
    FN(plan)(&pass, job->data, NULL, job->first, job->count, job->count, 1, 0, 0);
    pass.params = (REAL *)job->params; /* read only here */
    pass.tail = pass.params + pass.tail_at;
    if (job->first == 0 && job->count == 1) FN(take_background)(&pass);
    for (int64_t start = from; start < to; start += LONG_BLOCK) {
        const int64_t m = to - start < LONG_BLOCK ? to - start : LONG_BLOCK;
        FN(gather)(&pass, pass.in, NULL, job->first + start, m, 0);
        FN(first_layer)(&pass, 0, pass.chunks, m, FN(bias)(&pass, 0), pass.a[1]);
        FN(activate_first)(&pass, m);
        FN(later_layers)(&pass, 1, m);
        FN(activate_output)(net, pass.a[last + 1], m);
        int unbounded = 0;
        for (int64_t s = 0; s < m; s++) {
            REAL *out = job->out + (start + s) * outputs;
            memcpy(out, pass.a[last + 1] + s * stride, outputs * sizeof(REAL));
            for (int64_t j = 0; j < outputs; j++) unbounded |= !(out[j] - out[j] == 0);
        }
        if (unbounded) __atomic_store_n(&job->unbounded, 1, __ATOMIC_RELAXED);
    }
}

static int FN(forward)(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                        void *out, void *arena, int threads) {
    FN(forward_job) job = {net, params, data, first, count, out, arena, FN(arena_bytes)(net, count, FORWARD), 0};
    fnn_parallel(FN(forward_thread), &job, threads);
    return !job.unbounded;
}

static const fnn_kernels FN(table) = {
    FN(arena_bytes), FN(forward), FN(loss_grad), FN(layer_bytes), FN(layer_grad),
    FN(train), FN(pack_pixels), FN(lists_bytes), FN(list_rows), FN(search_bytes), FN(search), FN(encode_bytes),
    FN(encode),      FN(activate)};

#undef C_
#undef M_
#undef V
#undef VI
#undef LANES
#undef STRIP_WIDTH
#undef STRIP_BYTES
#undef STEP
#undef SAMPLE_GROUP
#undef SAMPLE_LISTS
#undef STORED
#undef MATRIX
#undef LISTED_BATCH
#undef SAMPLE_TEAMS
#undef ROWS
#undef TEAM_OPERANDS
#undef DENSE_OPERANDS
#undef DENSE_ROWS
#undef INPUTS
#undef OPERANDS
#undef PASS
#undef JOB
