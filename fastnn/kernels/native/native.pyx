# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, freethreading_compatible=True
"""Native kernels: the table of fastnn.kernels.spec over the C in src/. Argument plumbing, GIL release, nothing else."""

import os

cimport cython
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint8_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

cimport numpy as cnp

import numpy as np

from ...errors import InvalidArgumentError
from .. import cores, num_threads
from ..spec import ACTIVATION_RECORDS, ACTIVATIONS, CSR, METRICS, BlockCSC, EpochResult, SearchPlan, TrainPlan

cdef extern from "api.h" nogil:
    int SGD, MOMENTUM, NESTEROV

    # enums of the plan
    ctypedef int fnn_purpose
    ctypedef int fnn_regime
    ctypedef int fnn_inputs
    ctypedef int fnn_offset
    ctypedef int fnn_split
    ctypedef int fnn_weights
    int IN_PLACE
    ctypedef int fnn_update
    ctypedef int fnn_needs
    ctypedef int fnn_preparation
    int TRAINING, GRADIENT, OUTPUTS, LAYER_GRADIENT
    int DENSE, BLOCK_CSC, MICRO_BATCHES, SPLIT_INPUTS, SPLIT_OUTPUTS, SPLIT_SAMPLES
    int ROWS_AS_THEY_ARE, ROWS_TO_BYTES, ROWS_TO_BLOCK_CSC

    ctypedef struct fnn_net:
        int64_t layers
        const int64_t *sizes
        const int64_t *activations
        const double *alphas
        const int64_t *weights
        const int64_t *biases
        const int64_t *strides
        int64_t loss
        int64_t row_sums
        int propagates_error
        double least_probability

    ctypedef struct fnn_data:
        const void *x
        const int64_t *indptr
        const int32_t *indices
        double row_nonzeros
        int64_t batch_nonzeros
        int is_uint8
        double scale
        const int32_t *labels
        const void *targets
        const void *weights
        const uint8_t *kept
        int64_t kept_width
        const double *scales
        const void *block_csc
        double block_csc_scale

    ctypedef struct fnn_rule:
        int64_t optimizer
        double learning_rate, momentum, beta1, beta2, epsilon, weight_decay, clip_value, clip_norm, global_clip_norm
        const double *l1
        const double *l2
        int64_t step

    ctypedef struct fnn_result:
        double loss
        int64_t correct
        int64_t batches
        int diverged, interrupted

    const double FNN_ENCODE_THREAD_WORK
    int QUERIES_IN_TILES, QUERIES_IN_MICRO_BATCHES
    ctypedef enum fnn_int8_dot:
        DOT_MADD

    ctypedef struct fnn_search_request:
        int64_t metric, rows, queries, columns, k
        int is_uint8, real_bytes
        int64_t code_width, finer_codes
        double most_verified
        int threads, vector_bytes
        fnn_int8_dot dot
        int forced_queries, forced_threads

    ctypedef struct fnn_search_plan:
        int scan, plain_scan, queries, plain_queries
        double most_active
        int dot
        int64_t tile_queries, seeds
        int64_t finer_codes
        double most_verified, grace, refine_cost
        int64_t buffer, seed_buffer, unit_rows
        int split, threads
        int64_t block, blocks, parts

    fnn_search_plan fnn_plan_search(const fnn_search_request *) noexcept
    const char *const *fnn_names_of_scans
    const char *const *fnn_names_of_query_groupings
    const char *const *fnn_names_of_dots
    const char *const *fnn_names_of_search_splits

    enum: FNN_MOST_CODES
    ctypedef struct fnn_codes:
        int64_t width
        const uint8_t *rows
        const uint8_t *queries
        const float *row_errors
        const float *query_errors
        double scale

    ctypedef struct fnn_search:
        const fnn_search_plan *plan
        int64_t metric, rows, queries, columns, k
        const void *x
        const void *q
        int is_uint8
        double limit
        fnn_codes codes[FNN_MOST_CODES]
        double *values
        int64_t *indices

    ctypedef struct fnn_encoding:
        int64_t rows, columns, axes, width
        const void *x
        int is_uint8
        const void *projected
        const void *mean
        const void *low
        double scale, offset
        void *arena
        uint8_t *codes
        uint8_t *finer
        float *errors

    ctypedef void fnn_work(void *, int, int) noexcept nogil

    ctypedef struct fnn_interrupt:
        int stopped
        void *owner

    ctypedef struct fnn_density:
        double x, e

    ctypedef struct fnn_train_request:
        fnn_purpose purpose
        int64_t layers, inputs, output_lines, second_stride
        double work
        int real_bytes
        int64_t rows, batch_size
        int is_uint8, has_block_csc, is_csr
        double row_nonzeros
        int64_t batch_nonzeros
        int is_plain_sgd, is_linear, clips_norm, has_sums, threads, vector_bytes
        int forced_inputs, forced_split, all_threads
        fnn_density density[2]
        int ends_agree

    ctypedef struct fnn_train_plan:
        fnn_needs needs
        fnn_regime regime
        fnn_inputs inputs
        fnn_offset offset
        fnn_split split
        int splits
        fnn_weights weights
        fnn_update update
        int reads_ahead, threads
        int64_t block, span, samples_sharing
        fnn_density density

    ctypedef struct fnn_planned:
        fnn_train_request request
        fnn_train_plan plan

    ctypedef struct fnn_preparation_request:
        int64_t rows, inputs, outputs, epochs, batch_size
        int is_uint8, forced

    ctypedef struct fnn_barrier:
        pass

    ctypedef struct fnn_slice:
        int threads

    ctypedef struct fnn_training:
        const fnn_planned *planned
        const fnn_net *net
        const fnn_data *data
        const int64_t *order
        const fnn_rule *rule
        const double *rates
        const double *penalty_factors
        double *penalties
        fnn_interrupt *interrupt
        void *outputs
        void *params
        void *state
        fnn_result result
        fnn_slice slice
        fnn_barrier barrier
        int64_t stop
        int ends

    ctypedef struct fnn_forward:
        const fnn_planned *planned
        const fnn_net *net
        const void *params
        const fnn_data *data
        int64_t first, count
        void *out
        int unbounded

    ctypedef struct fnn_layer_gradient:
        const fnn_planned *planned
        const fnn_net *net
        const void *params
        const fnn_data *data
        int64_t first, count
        const void *outputs
        const void *output_grad
        void *grad
        void *input_grad

    ctypedef struct fnn_storing:
        const void *x
        int is_uint8
        int64_t inputs, batch_size, first, end
        double factor
        void *arena
        void *storage
        int failed

    ctypedef struct fnn_kernels:
        size_t (*arena_bytes)(const fnn_net *, const fnn_planned *) noexcept nogil
        void (*plan)(const fnn_net *, const fnn_data *, const int64_t *, fnn_planned *, void *) noexcept nogil
        fnn_work *train
        fnn_work *outputs
        double (*loss_grad)(const fnn_planned *, const fnn_net *, const void *, const fnn_data *, int64_t, void *,
                            fnn_interrupt *) noexcept nogil
        void (*layer_grad)(const fnn_layer_gradient *) noexcept nogil
        int (*pack_pixels)(void *const *, int64_t, int64_t, double, double, uint8_t *, int) noexcept nogil
        size_t (*stored_bytes)(int64_t, int64_t, int64_t, size_t *) noexcept nogil
        fnn_work *store_block_csc
        size_t (*begin_search)(const fnn_search *, void *, fnn_interrupt *) noexcept nogil
        fnn_work *search_thread
        size_t (*encode_bytes)(const fnn_encoding *) noexcept nogil
        fnn_work *encode_thread
        void (*activate)(int64_t, double, const void *, void *, int64_t) noexcept nogil

    ctypedef struct fnn_unit:
        const char *name
        const fnn_kernels *f32
        const fnn_kernels *f64

    int64_t fnn_parse_fields(const uint8_t *, int64_t, int64_t, uint8_t *) noexcept
    const fnn_unit *fnn_select(const char *) noexcept
    fnn_int8_dot fnn_dot_of(const fnn_unit *) noexcept
    void fnn_parallel(fnn_work *, void *, int)
    void fnn_set_cores(int)
    int fnn_most_threads()
    fnn_interrupt fnn_new_interrupt(int (*)(fnn_interrupt *) noexcept, void *)
    const int FNN_MAX_THREADS
    fnn_slice fnn_begin_slice(double, int)
    void fnn_end_slice(const fnn_slice *)
    fnn_train_plan fnn_plan_training(const fnn_train_request *)
    fnn_preparation fnn_plan_preparation(const fnn_preparation_request *, int)
    int fnn_threads_for(double, double, int, int)
    const double FNN_PACK_THREAD_WORK
    const char *const *fnn_names_of_purposes
    const char *const *fnn_names_of_regimes
    const char *const *fnn_names_of_inputs
    const char *const *fnn_names_of_offsets
    const char *const *fnn_names_of_splits
    const char *const *fnn_names_of_weights
    const char *const *fnn_names_of_updates
    const char *const *fnn_names_of_preparations

cnp.import_array()

# Between two looks at pending signals: seconds of training, multiply-adds of a forward pass.
cdef double SLICE_SECONDS = 0.05
cdef double SLICE_WORK = 1e9
# Where parameters are copied at both ends of a slice, it is a second longer for so many bytes, up to so many seconds.
cdef double SLICE_BYTES = 2.5e8
cdef double LONGEST_SLICE = 0.2

cdef const fnn_unit *unit = fnn_select(os.fsencode(os.environ.get("FASTNN_SIMD", "")))
if unit == NULL:
    raise InvalidArgumentError(
        "FASTNN_SIMD", "generic, avx2, avx512 or amx, as far as this CPU has it", repr(os.environ["FASTNN_SIMD"])
    )

simd = unit.name.decode()
VECTOR_BYTES = {"generic": 16, "avx2": 32, "avx512": 64, "amx": 64}  # of each instruction set
BEST_DOT = {"generic": "madd", "avx2": "madd", "avx512": "vnni", "amx": "amx"}
DOTS = [fnn_names_of_dots[i].decode() for i in range(3)]
cdef int vector_bytes = VECTOR_BYTES[simd]


def describe():
    """The instruction set in use and the number of threads."""
    return f"{simd}, up to {num_threads()} threads"


# What tests and benchmarks force on plans; see override_plan.
cdef int forced_inputs = -1, forced_split = -1, forced_rows = -1, forced_queries = -1, all_threads = 0


cdef int threads_allowed() except -1:
    """How many threads a call may use that has work for several."""
    fnn_set_cores(cores())
    return num_threads()


cdef int threads_for(double work, double least) except -1:
    """How many threads a call may use; one if its work is less than what makes up for a second one."""
    return threads_allowed() if fnn_threads_for(work, least, FNN_MAX_THREADS, all_threads) > 1 else 1


def most_threads():
    """The most threads that were at work in all calls of this process together since this was asked last, for tests."""
    return fnn_most_threads()


cdef int run_handlers(fnn_interrupt *interrupt) noexcept with gil:
    """Run the handlers of signals that have come, Ctrl-C's among them; is the call that asks to stop?"""
    try:
        PyErr_CheckSignals()
    except BaseException as error:
        (<Interrupt>interrupt.owner).raised = error
        return 1
    return 0


@cython.final
cdef class Interrupt:
    """One call's own record of what a signal's handler raised while its kernel ran."""
    cdef fnn_interrupt c
    cdef object raised

    def __cinit__(self):
        self.c = fnn_new_interrupt(run_handlers, <void *>self)

    cdef int end(self) except -1:
        """Raise what stopped the kernel, if it was stopped, or what has come since it last looked."""
        if self.c.stopped:
            raise self.raised
        PyErr_CheckSignals()
        return 0


@cython.final
cdef class Arena:
    """Memory for one call, aligned to 64 bytes."""
    cdef void *memory
    cdef void *start

    def __cinit__(self, size_t size):
        self.memory = malloc(size + 64)
        if self.memory == NULL:
            raise MemoryError
        self.start = <void *>((<uintptr_t>self.memory + 63) // 64 * 64)

    def __dealloc__(self):
        free(self.memory)


cdef const int64_t *integers(cnp.ndarray array) noexcept:
    return <const int64_t *>cnp.PyArray_DATA(array)


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


cdef const fnn_kernels *table(cnp.ndarray array) noexcept:
    """The kernels of an array's type, float32 or float64."""
    return unit.f32 if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32 else unit.f64


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


def neighbors(metric, cnp.ndarray X, cnp.ndarray Q, codes, double limit, double[:, ::1] values,
              int64_t[:, ::1] indices):
    """See fastnn.kernels.spec.Kernels.neighbors."""
    cdef fnn_search search
    memset(&search, 0, sizeof(search))
    search.metric, search.is_uint8, search.limit = metric, cnp.PyArray_TYPE(X) == cnp.NPY_UINT8, limit
    search.rows, search.queries, search.columns = cnp.PyArray_DIM(X, 0), cnp.PyArray_DIM(Q, 0), cnp.PyArray_DIM(X, 1)
    search.x, search.q, search.k = cnp.PyArray_DATA(X), cnp.PyArray_DATA(Q), values.shape[1]
    cdef int64_t code_count = 0
    if search.queries == 0 or search.k == 0:
        return
    search.values, search.indices = &values[0, 0], &indices[0, 0]
    finer = codes
    while finer is not None and code_count < FNN_MOST_CODES:
        search.codes[code_count] = codes_of(finer)
        code_count += 1
        finer = finer.finer
    cdef fnn_search_request request = request_of(metric, search.rows, search.queries, search.columns, search.k, X.dtype)
    if codes is not None:
        request.code_width, request.finer_codes, request.most_verified = (
            search.codes[0].width, code_count - 1, codes.most_verified)
    cdef fnn_search_plan plan = fnn_plan_search(&request)
    if plan.threads > 1:  # as in planned_for
        request.threads = threads_allowed()
        plan = fnn_plan_search(&request)
    search.plan = &plan
    cdef const fnn_kernels *kernels = unit.f64 if cnp.PyArray_TYPE(X) == cnp.NPY_FLOAT64 else unit.f32
    cdef Interrupt interrupt = Interrupt()
    cdef Arena arena = Arena(kernels.begin_search(&search, NULL, &interrupt.c))
    with nogil:
        kernels.begin_search(&search, arena.start, &interrupt.c)
        fnn_parallel(kernels.search_thread, arena.start, plan.threads)
    interrupt.end()


cdef fnn_codes codes_of(codes):
    """spec's Codes, but the finer ones, for C. The caller keeps them alive."""
    cdef const uint8_t[:, ::1] rows = codes.rows, queries = codes.queries
    cdef const float[::1] row_errors = codes.row_errors, query_errors = codes.query_errors
    return fnn_codes(rows.shape[1], &rows[0, 0], &queries[0, 0], &row_errors[0], &query_errors[0], codes.scale)


cdef fnn_search_request request_of(int64_t metric, int64_t rows, int64_t queries, int64_t columns, int64_t k, dtype):
    """What a search's plan depends on, without codes, on this machine."""
    return fnn_search_request(
        metric, rows, queries, columns, k, dtype == np.uint8, 8 if dtype == np.float64 else 4, 0, 0, 0, FNN_MAX_THREADS,
        vector_bytes, fnn_dot_of(unit), forced_queries, all_threads)


def encode(cnp.ndarray rows, cnp.ndarray projected, grid, uint8_t[:, ::1] codes, uint8_t[:, ::1] finer,
           float[::1] errors):
    """Code some rows (n, d) on spec's Grid for fastnn.neighbors.codes; see spec.Capabilities.encode.

    ``projected`` (n, m) is R v; m = 0: the rows as they are. Writes codes (n, width), finer ones (n, m + 1) if
    m >= width, and the errors (n,).
    """
    cdef cnp.ndarray mean, low
    cdef double scale, offset
    mean, low, scale, offset = grid
    cdef fnn_encoding e = fnn_encoding(
        cnp.PyArray_DIM(rows, 0), cnp.PyArray_DIM(rows, 1), cnp.PyArray_DIM(projected, 1), codes.shape[1],
        cnp.PyArray_DATA(rows), cnp.PyArray_TYPE(rows) == cnp.NPY_UINT8, cnp.PyArray_DATA(projected), NULL,
        cnp.PyArray_DATA(low), scale, offset, NULL, &codes[0, 0], NULL, &errors[0])
    if cnp.PyArray_DIM(mean, 0):
        e.mean = cnp.PyArray_DATA(mean)
    if finer.shape[1]:
        e.finer = &finer[0, 0]
    cdef const fnn_kernels *kernels = table(low)
    cdef int threads = threads_for(e.rows * e.columns, FNN_ENCODE_THREAD_WORK)
    cdef Arena arena = Arena(kernels.encode_bytes(&e) * threads)
    e.arena = arena.start
    with nogil:
        fnn_parallel(kernels.encode_thread, &e, threads)


include "packing.pxi"
include "plans.pxi"


def activate(activation, cnp.ndarray x, cnp.ndarray out):
    """Write an elementwise activation of x into out; the tests of its accuracy call this."""
    table(out).activate(ACTIVATIONS.index(activation), ACTIVATION_RECORDS[activation].alpha, cnp.PyArray_DATA(x),
                        cnp.PyArray_DATA(out), cnp.PyArray_DIM(x, 0))
