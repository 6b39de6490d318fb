"""Networks: outputs, gradients and epochs of training. Part of native.pyx."""

# Between two looks at pending signals: seconds of training, multiply-adds of a forward pass.
cdef double SLICE_SECONDS = 0.05
cdef double SLICE_WORK = 1e9
# Where parameters are copied at both ends of a slice, it is a second longer for so many bytes, up to so many seconds.
cdef double SLICE_BYTES = 2.5e8
cdef double LONGEST_SLICE = 0.2


@cython.final
@cython.no_gc
cdef class Net:
    """Spec's Net as the C struct, with what keeps its arrays alive."""
    cdef fnn_net c
    cdef object net
    cdef double work  # multiply-adds of one sample's forward pass

    def __cinit__(self, net):
        (sizes, activations, alphas, loss, weights, biases, strides, row_sums, propagates_error,
         least_probability) = net
        self.net = net
        self.c = fnn_net(len(strides), integers(sizes), integers(activations),
                         <const double *>cnp.PyArray_DATA(alphas), integers(weights), integers(biases),
                         integers(strides), loss, row_sums, propagates_error, least_probability)
        self.work = 0
        for layer in range(self.c.layers):
            self.work += <double>self.c.sizes[layer] * self.c.strides[layer]


cdef fnn_data data_of(X, double scale, cnp.ndarray y=None, cnp.ndarray weights=None):
    """The kernels' rows with their labels or targets and factors. The caller keeps them alive.

    No memory views, here and below: their set-up costs more than the pass of a single row.
    """
    cdef fnn_data data
    cdef cnp.ndarray values = X.values if type(X) is CSR else X
    memset(&data, 0, sizeof(data))
    data.x, data.is_uint8, data.scale = cnp.PyArray_DATA(values), cnp.PyArray_TYPE(values) == cnp.NPY_UINT8, scale
    if type(X) is CSR:
        data.indptr, data.indices = integers(X.indptr), <const int32_t *>cnp.PyArray_DATA(X.indices)
        data.row_nonzeros = <double>(data.indptr[len(X)] - data.indptr[0]) / max(len(X), 1)
    if y is None:
        pass
    elif cnp.PyArray_NDIM(y) == 1:
        data.labels = <const int32_t *>cnp.PyArray_DATA(y)
    else:
        data.targets = cnp.PyArray_DATA(y)
    if weights is not None:
        data.weights = cnp.PyArray_DATA(weights)
    return data


@cython.final
cdef class Rule:
    """Spec's Rule as the C struct, with its penalties by layer."""
    cdef fnn_rule c
    cdef double *penalties  # (2, layers) l1 and l2; no array, as in data_of
    cdef bint is_plain_sgd, is_linear, clips_norm

    def __cinit__(self, rule, int64_t layers):
        cdef fnn_rule *c = &self.c
        (c.optimizer, c.learning_rate, c.momentum, l2, c.beta1, c.beta2, c.epsilon, c.step, l1, c.weight_decay,
         c.clip_value, c.clip_norm, c.global_clip_norm) = rule
        self.penalties = <double *>calloc(2 * layers, sizeof(double))
        if self.penalties == NULL:
            raise MemoryError
        c.l1, c.l2 = self.penalties, self.penalties + layers
        cdef bint penalises = False
        cdef int64_t layer
        for number, penalty in enumerate((l1, l2)):
            if isinstance(penalty, tuple) or penalty != 0:
                penalises = penalises or any(penalty) if isinstance(penalty, tuple) else True
                for layer, factor in enumerate(rule.by_layer(penalty, layers)):
                    self.penalties[<int64_t>number * layers + layer] = factor
        self.clips_norm = c.clip_norm > 0 or c.global_clip_norm > 0
        self.is_plain_sgd = c.optimizer == SGD and not (
            penalises or self.clips_norm or c.clip_value > 0 or c.weight_decay != 0)
        self.is_linear = c.optimizer in (SGD, MOMENTUM, NESTEROV) and not (
            c.l1[0] != 0 or self.clips_norm or c.clip_value > 0 or c.weight_decay != 0)

    def __dealloc__(self):
        free(self.penalties)


cdef double row_work(Net shape, const fnn_data *data) noexcept:
    """Multiply-adds of one sample's forward pass; of CSR in its nonzeros alone."""
    if data.indptr == NULL:
        return shape.work
    return shape.work + (data.row_nonzeros - <double>shape.c.sizes[0]) * shape.c.strides[0]


cdef int64_t most_nonzeros(const fnn_data *data, const int64_t *order, int64_t count, int64_t batch_size) noexcept:
    """The nonzeros of the CSR batch that has most of them."""
    cdef int64_t most = 0, here = 0, i
    for i in range(count):
        if i % batch_size == 0:
            here = 0
        here += data.indptr[order[i] + 1] - data.indptr[order[i]]
        most = max(most, here)
    return most


cdef fnn_planned planned_for(Net shape, fnn_purpose purpose, const fnn_kernels *kernels, const fnn_data *data,
                             Rule rule, int64_t rows, int64_t batch_size) except *:
    """A call's plan as far as it goes before any input is looked at, and what it goes by."""
    cdef fnn_planned planned
    memset(&planned, 0, sizeof(planned))
    cdef fnn_train_request *request = &planned.request
    request.purpose, request.rows, request.batch_size = purpose, rows, batch_size
    request.layers, request.inputs, request.work = shape.c.layers, shape.c.sizes[0], row_work(shape, data)
    request.real_bytes = 4 if kernels == unit.f32 else 8
    request.output_lines = shape.c.strides[0] * request.real_bytes // 64
    request.second_stride = shape.c.strides[1] if shape.c.layers > 1 else 0
    request.is_uint8, request.has_block_csc = data.is_uint8, data.block_csc != NULL
    request.is_csr, request.row_nonzeros = data.indptr != NULL, data.row_nonzeros
    request.batch_nonzeros = data.batch_nonzeros
    request.is_plain_sgd = rule is None or rule.is_plain_sgd
    request.is_linear = rule is None or rule.is_linear
    request.clips_norm = rule is not None and rule.clips_norm
    request.has_sums, request.vector_bytes = shape.c.row_sums >= 0, vector_bytes
    request.forced_inputs, request.forced_split, request.all_threads = forced_inputs, forced_split, all_threads
    request.density[0] = request.density[1] = fnn_density(-1, -1)
    request.ends_agree = -1
    request.threads = FNN_MAX_THREADS  # to ask how many there may be takes longer than a small call
    planned.plan = fnn_plan_training(request)
    if planned.plan.threads > 1:
        request.threads = threads_allowed()
        planned.plan = fnn_plan_training(request)
    return planned


def forward(net, cnp.ndarray params, X, double scale, cnp.ndarray out):
    """See fastnn.kernels.spec.Kernels.forward."""
    cdef Net shape = Net(net)
    cdef int64_t count = cnp.PyArray_DIM(out, 0), slice_rows
    if count == 0:
        return True
    cdef const fnn_kernels *kernels = table(params)
    cdef fnn_data data = data_of(X, scale)
    cdef fnn_planned planned = planned_for(shape, OUTPUTS, kernels, &data, None, count, count)
    cdef Arena arena = Arena(kernels.arena_bytes(&shape.c, &planned))
    cdef char *outputs = <char *>cnp.PyArray_DATA(out)
    cdef fnn_forward call = fnn_forward(&planned, &shape.c, cnp.PyArray_DATA(params), &data, 0, 0, NULL, 0)
    kernels.plan(&shape.c, &data, NULL, &planned, arena.start)
    slice_rows = <int64_t>max(1024.0, SLICE_WORK / row_work(shape, &data))
    while call.first < count:
        call.count = min(count - call.first, slice_rows)
        call.out = outputs + call.first * cnp.PyArray_STRIDE(out, 0)
        with nogil:
            fnn_parallel(kernels.outputs, &call, planned.plan.threads)
        call.first += call.count
        PyErr_CheckSignals()
    return not call.unbounded


def loss_grad(net, cnp.ndarray params, data, cnp.ndarray grad):
    """See fastnn.kernels.spec.Kernels.loss_grad."""
    X, scale, y, weights, _ = data
    cdef Net shape = Net(net)
    cdef int64_t count = len(X)
    cdef const fnn_kernels *kernels = table(params)
    cdef const void *parameters = cnp.PyArray_DATA(params)
    cdef void *gradient = cnp.PyArray_DATA(grad)
    cdef fnn_data samples = data_of(X, scale, y, weights)
    cdef fnn_planned planned = planned_for(shape, GRADIENT, kernels, &samples, None, count, count)
    cdef Arena arena = Arena(kernels.arena_bytes(&shape.c, &planned))
    cdef Interrupt interrupt = Interrupt()
    cdef double loss
    grad.fill(0)
    with nogil:
        kernels.plan(&shape.c, &samples, NULL, &planned, arena.start)
        loss = kernels.loss_grad(&planned, &shape.c, parameters, &samples, count, gradient, &interrupt.c)
    interrupt.end()
    return loss


def layer_grad(net, cnp.ndarray params, cnp.ndarray X, double scale, cnp.ndarray outputs, cnp.ndarray output_grad, grads):
    """See fastnn.kernels.spec.Kernels.layer_grad."""
    cdef cnp.ndarray grad, input_grad
    grad, input_grad = grads
    cdef Net shape = Net(net)
    cdef int64_t count = cnp.PyArray_DIM(X, 0), slice_rows = <int64_t>max(128.0, SLICE_WORK / shape.work)
    cdef const fnn_kernels *kernels = table(params)
    cdef fnn_data data = data_of(X, scale)
    cdef fnn_planned planned = planned_for(shape, LAYER_GRADIENT, kernels, &data, None, count, count)
    cdef Arena arena = Arena(kernels.arena_bytes(&shape.c, &planned))
    cdef fnn_layer_gradient call = fnn_layer_gradient(
        &planned, &shape.c, cnp.PyArray_DATA(params), &data, 0, 0, cnp.PyArray_DATA(outputs),
        cnp.PyArray_DATA(output_grad), cnp.PyArray_DATA(grad), cnp.PyArray_DATA(input_grad))
    grad.fill(0)
    kernels.plan(&shape.c, &data, NULL, &planned, arena.start)
    while call.first < count:
        call.count = min(count - call.first, slice_rows)
        with nogil:
            kernels.layer_grad(&call)
        call.first += call.count
        PyErr_CheckSignals()


def train_epoch(net, cnp.ndarray params, cnp.ndarray state, data, epoch, tick=None):
    """See fastnn.kernels.spec.Kernels.train_epoch."""
    cdef cnp.ndarray order
    cdef int64_t batch_size
    X, scale, y, weights, block_csc = data
    order, batch_size, rule, dropout, rates, outputs, penalty_factors, penalties = epoch
    cdef Net shape = Net(net)
    cdef const fnn_kernels *kernels = table(params)
    cdef void *parameters = cnp.PyArray_DATA(params)
    cdef void *slots = cnp.PyArray_DATA(state) if cnp.PyArray_DIM(state, 0) else NULL
    cdef const int64_t *rows = integers(order)
    cdef int64_t count = cnp.PyArray_DIM(order, 0), batches = (count + batch_size - 1) // batch_size
    cdef Rule update = Rule(rule, shape.c.layers)
    if count == 0:
        return EpochResult(0.0, 0, 0)
    cdef fnn_data samples = data_of(X, scale, y, weights)
    cdef const uint8_t[:, ::1] kept
    cdef const double[::1] scales
    if dropout is not None and shape.c.layers > 1:
        kept, scales = dropout.kept, dropout.scales
        samples.kept, samples.kept_width, samples.scales = &kept[0, 0], kept.shape[1], &scales[0]
    if block_csc is not None:
        samples.block_csc, samples.block_csc_scale = cnp.PyArray_DATA(block_csc.nonzeros), block_csc.scale
    if samples.indptr != NULL:
        samples.batch_nonzeros = most_nonzeros(&samples, rows, count, batch_size)
    cdef fnn_planned planned = planned_for(shape, TRAINING, kernels, &samples, update, count, batch_size)
    cdef Arena arena = Arena(kernels.arena_bytes(&shape.c, &planned))
    cdef Interrupt interrupt = Interrupt()
    cdef fnn_training call
    memset(&call, 0, sizeof(call))
    call.planned, call.net, call.data, call.order, call.rule = &planned, &shape.c, &samples, rows, &update.c
    if rates is not None:
        call.rates = <const double *>cnp.PyArray_DATA(rates)
    if penalty_factors is not None:
        call.penalty_factors = <const double *>cnp.PyArray_DATA(penalty_factors)
    if penalties is not None:
        call.penalties = <double *>cnp.PyArray_DATA(penalties)
    if outputs is not None:
        call.outputs = cnp.PyArray_DATA(outputs)
    call.interrupt, call.params, call.state = &interrupt.c, parameters, slots
    with nogil:
        kernels.plan(&shape.c, &samples, rows, &planned, arena.start)
    cdef double seconds = SLICE_SECONDS
    if planned.plan.weights != IN_PLACE:
        seconds = min(LONGEST_SLICE, seconds + (params.nbytes + state.nbytes) / SLICE_BYTES)
    while call.result.batches < batches and not call.result.diverged:
        call.stop = batches
        memset(&call.barrier, 0, sizeof(call.barrier))
        with nogil:
            call.slice = fnn_begin_slice(seconds, planned.plan.threads)
            fnn_parallel(kernels.train, &call, call.slice.threads)
            fnn_end_slice(&call.slice)
        try:
            if tick is not None and not call.result.diverged:
                tick(call.result.batches)
            interrupt.end()
        except BaseException:
            call.stop, call.ends = 0, 1
            memset(&call.barrier, 0, sizeof(call.barrier))
            with nogil:
                fnn_parallel(kernels.train, &call, 1)
            raise
    return EpochResult(call.result.loss, call.result.correct, call.result.batches)


def activate(activation, cnp.ndarray x, cnp.ndarray out):
    """Write an elementwise activation of x into out; the tests of its accuracy call this."""
    table(out).activate(ACTIVATIONS.index(activation), ACTIVATION_RECORDS[activation].alpha, cnp.PyArray_DATA(x),
                        cnp.PyArray_DATA(out), cnp.PyArray_DIM(x, 0))
