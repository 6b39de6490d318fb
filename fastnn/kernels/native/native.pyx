# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, freethreading_compatible=True
"""Native kernels: the table of fastnn.kernels.spec over the C in src/. Argument plumbing, GIL release, nothing else."""

import os

cimport cython
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cimport numpy as cnp

import numpy as np

from ...errors import InvalidArgumentError
from .. import num_threads
from ..spec import ACTIVATIONS, METRICS, BlockCSC, EpochResult, SearchPlan

cdef extern from "api.h" nogil:
    int EXPONENTIAL

    ctypedef struct fnn_net:
        int64_t layers
        const int64_t *sizes
        const int64_t *activations
        const int64_t *weights
        const int64_t *biases
        const int64_t *strides
        int64_t loss
        int64_t row_sums
        int propagates_error

    ctypedef struct fnn_data:
        const void *x
        int is_uint8
        double scale
        const int32_t *labels
        const void *targets
        const void *weights
        const uint8_t *kept
        int64_t kept_width
        const double *scales
        const void *lists
        double lists_scale

    ctypedef struct fnn_rule:
        int64_t optimizer
        double learning_rate, momentum, l2, beta1, beta2, epsilon
        int64_t step

    ctypedef struct fnn_result:
        double loss
        int64_t correct
        int64_t batches
        int diverged, interrupted

    ctypedef enum fnn_int8_dot:
        DOT_MADD

    ctypedef struct fnn_search_request:
        int64_t metric, rows, queries, columns, k
        int is_uint8, real_bytes
        int64_t code_width, finer_width
        double most_verified
        int threads, vector_bytes
        fnn_int8_dot dot
        int forced_queries, forced_threads

    ctypedef struct fnn_search_plan:
        int scan, plain_scan, queries, plain_queries
        double most_active
        int dot
        int64_t tile_queries, seeds
        int refines
        double most_verified, grace, refine_cost
        int64_t buffer, seed_buffer, unit_rows
        int split, threads
        int64_t block, blocks, parts

    fnn_search_plan fnn_plan_search(const fnn_search_request *) noexcept
    const char *const *fnn_names_of_scans
    const char *const *fnn_names_of_query_groupings
    const char *const *fnn_names_of_dots
    const char *const *fnn_names_of_search_splits

    ctypedef struct fnn_search:
        int64_t metric, rows, queries, columns, k
        const void *x
        const void *q
        int is_uint8
        double limit
        double *values
        int64_t *indices
        int64_t code_width
        const uint8_t *row_codes
        const uint8_t *query_codes
        const float *row_errors
        const float *query_errors
        int64_t finer_width
        const uint8_t *finer_rows
        const uint8_t *finer_queries
        double code_scale
        const fnn_search_plan *plan

    ctypedef struct fnn_encoding:
        int64_t rows, columns, axes, width
        const void *x
        int is_uint8
        const void *projected
        const void *mean
        const void *low
        double scale, offset
        uint8_t *codes
        uint8_t *finer
        float *errors

    ctypedef void fnn_work(void *, int, int) noexcept nogil

    ctypedef struct fnn_interrupt:
        int stopped
        void *owner

    ctypedef struct fnn_kernels:
        size_t (*arena_bytes)(const fnn_net *, int64_t, int) noexcept nogil
        int (*forward)(const fnn_net *, const void *, const fnn_data *, int64_t, int64_t, void *, void *,
                        int) noexcept nogil
        double (*loss_grad)(const fnn_net *, const void *, const fnn_data *, int64_t, void *, void *,
                            fnn_interrupt *) noexcept nogil
        size_t (*layer_bytes)(const fnn_net *, int64_t) noexcept nogil
        void (*layer_grad)(const fnn_net *, const void *, const fnn_data *, int64_t, int64_t, const void *,
                           const void *, void *, void *, void *) noexcept nogil
        void (*train)(const fnn_net *, void *, void *, const fnn_data *, const int64_t *, int64_t, int64_t,
                      const fnn_rule *, double, fnn_result *, void *, int, fnn_interrupt *) noexcept nogil
        int (*pack_pixels)(void *const *, int64_t, int64_t, double, double, uint8_t *, int) noexcept nogil
        size_t (*lists_bytes)(int64_t, int64_t, int64_t, size_t *) noexcept nogil
        int (*list_rows)(const void *, int, int64_t, int64_t, int64_t, int64_t, double, void *, void *,
                         int) noexcept nogil
        size_t (*begin_search)(const fnn_search *, void *, fnn_interrupt *) noexcept nogil
        fnn_work *search_thread
        size_t (*encode_bytes)(const fnn_encoding *) noexcept nogil
        void (*encode)(const fnn_encoding *, void *) noexcept nogil
        void (*activate)(int64_t, const void *, void *, int64_t) noexcept nogil

    ctypedef struct fnn_unit:
        const char *name
        const fnn_kernels *f32
        const fnn_kernels *f64

    int64_t fnn_parse_fields(const uint8_t *, int64_t, int64_t, uint8_t *) noexcept
    const fnn_unit *fnn_select(const char *) noexcept
    fnn_int8_dot fnn_dot_of(const fnn_unit *) noexcept
    void fnn_parallel(fnn_work *, void *, int)
    fnn_interrupt fnn_new_interrupt(int (*)(fnn_interrupt *) noexcept, void *)
    int fnn_forced_form, fnn_forced_split, fnn_forced_threads
    int FORWARD, TRAINING, LEADING
    const double FNN_FORWARD_THREAD_WORK
    const double FNN_TRAIN_THREAD_WORK

cnp.import_array()

# Between two looks at pending signals: seconds of training, multiply-adds of a forward pass.
cdef double SLICE_SECONDS = 0.05
cdef double SLICE_WORK = 1e9

cdef const fnn_unit *unit = fnn_select(os.fsencode(os.environ.get("FASTNN_SIMD", "")))
if unit == NULL:
    raise InvalidArgumentError(
        "FASTNN_SIMD", "generic, avx2, avx512 or amx, as far as this CPU has it", repr(os.environ["FASTNN_SIMD"])
    )

simd = unit.name.decode()
VECTOR_BYTES = {"generic": 16, "avx2": 32, "avx512": 64, "amx": 64}  # of each instruction set
BEST_DOT = {"generic": "madd", "avx2": "madd", "avx512": "vnni", "amx": "amx"}
DOTS = [fnn_names_of_dots[i].decode() for i in range(3)]
QUERY_GROUPINGS = [fnn_names_of_query_groupings[i].decode() for i in range(3)]


def describe():
    """The instruction set in use and the number of threads."""
    return f"{simd}, up to {num_threads()} threads"


cdef int threads_for(double work, double least) except -1:
    """How many threads a call may use; one if its work is less than what makes up for a second one."""
    return num_threads() if work >= least or fnn_forced_threads else 1


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
        sizes, activations, loss, weights, biases, strides, row_sums, propagates_error = net
        self.net = net
        self.c = fnn_net(len(strides), integers(sizes), integers(activations), integers(weights), integers(biases),
                         integers(strides), loss, row_sums, propagates_error)
        self.work = 0
        for layer in range(self.c.layers):
            self.work += <double>self.c.sizes[layer] * self.c.strides[layer]


cdef const fnn_kernels *table(cnp.ndarray array) noexcept:
    """The kernels of an array's type, float32 or float64."""
    return unit.f32 if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32 else unit.f64


cdef fnn_data data_of(cnp.ndarray X, double scale, cnp.ndarray y=None):
    """The kernels' rows with their labels or targets. The caller keeps both alive.

    No memory views, here and below: their set-up costs more than the pass of a single row.
    """
    cdef fnn_data data = fnn_data(cnp.PyArray_DATA(X), cnp.PyArray_TYPE(X) == cnp.NPY_UINT8, scale, NULL, NULL, NULL,
                                  NULL, 0, NULL, NULL, 0)
    if y is None:
        pass
    elif cnp.PyArray_NDIM(y) == 1:
        data.labels = <const int32_t *>cnp.PyArray_DATA(y)
    else:
        data.targets = cnp.PyArray_DATA(y)
    return data


def forward(net, cnp.ndarray params, cnp.ndarray X, double scale, cnp.ndarray out):
    """See fastnn.kernels.spec.Kernels.forward."""
    cdef Net shape = Net(net)
    cdef int64_t count = cnp.PyArray_DIM(out, 0), done = 0, here, slice_rows
    cdef const fnn_kernels *kernels = table(params)
    cdef const void *parameters = cnp.PyArray_DATA(params)
    cdef char *outputs = <char *>cnp.PyArray_DATA(out)
    cdef fnn_data data = data_of(X, scale)
    cdef int threads = threads_for(count * shape.work, FNN_FORWARD_THREAD_WORK), finite = 1
    slice_rows = <int64_t>max(1024.0, SLICE_WORK / shape.work)
    cdef size_t room = kernels.arena_bytes(&shape.c, min(count, slice_rows), FORWARD)
    if count > slice_rows:  # the rows left over for the last slice may be laid out in another way, in more memory
        room = max(room, kernels.arena_bytes(&shape.c, count % slice_rows, FORWARD))
    cdef Arena arena = Arena(room * threads)
    while done < count:
        here = min(count - done, slice_rows)
        with nogil:
            finite &= kernels.forward(&shape.c, parameters, &data, done, here,
                                      outputs + done * cnp.PyArray_STRIDE(out, 0), arena.start, threads)
        done += here
        PyErr_CheckSignals()
    return finite != 0


def loss_grad(net, cnp.ndarray params, cnp.ndarray X, double scale, cnp.ndarray y, cnp.ndarray grad):
    """See fastnn.kernels.spec.Kernels.loss_grad."""
    cdef Net shape = Net(net)
    cdef int64_t count = cnp.PyArray_DIM(X, 0)
    cdef const fnn_kernels *kernels = table(params)
    cdef const void *parameters = cnp.PyArray_DATA(params)
    cdef void *gradient = cnp.PyArray_DATA(grad)
    cdef fnn_data data = data_of(X, scale, y)
    cdef Arena arena = Arena(kernels.arena_bytes(&shape.c, count, TRAINING))
    cdef Interrupt interrupt = Interrupt()
    cdef double loss
    grad.fill(0)
    with nogil:
        loss = kernels.loss_grad(&shape.c, parameters, &data, count, gradient, arena.start, &interrupt.c)
    interrupt.end()
    return loss


def layer_grad(net, cnp.ndarray params, cnp.ndarray X, double scale, cnp.ndarray outputs, cnp.ndarray output_grad,
               cnp.ndarray grad, cnp.ndarray input_grad):
    """See fastnn.kernels.spec.Kernels.layer_grad."""
    cdef Net shape = Net(net)
    cdef int64_t count = cnp.PyArray_DIM(X, 0), done = 0, here, slice_rows = <int64_t>max(128.0, SLICE_WORK / shape.work)
    cdef const fnn_kernels *kernels = table(params)
    cdef fnn_data data = data_of(X, scale)
    cdef size_t room = kernels.layer_bytes(&shape.c, min(count, slice_rows))
    if count > slice_rows:  # as in forward
        room = max(room, kernels.layer_bytes(&shape.c, count % slice_rows))
    cdef Arena arena = Arena(room)
    cdef const void *parameters = cnp.PyArray_DATA(params)
    cdef const void *a = cnp.PyArray_DATA(outputs)
    cdef const void *a_grad = cnp.PyArray_DATA(output_grad)
    cdef void *gradient = cnp.PyArray_DATA(grad)
    cdef void *x_grad = cnp.PyArray_DATA(input_grad)
    grad.fill(0)
    while done < count:
        here = min(count - done, slice_rows)
        with nogil:
            kernels.layer_grad(&shape.c, parameters, &data, done, here, a, a_grad, gradient, x_grad, arena.start)
        done += here
        PyErr_CheckSignals()


def train_epoch(net, cnp.ndarray params, cnp.ndarray state, data, epoch, tick=None):
    """See fastnn.kernels.spec.Kernels.train_epoch."""
    cdef cnp.ndarray X, y, weights, order
    cdef double scale
    cdef int64_t batch_size
    X, scale, y, weights, block_csc = data
    order, batch_size, rule, dropout = epoch
    cdef Net shape = Net(net)
    cdef const fnn_kernels *kernels = table(params)
    cdef void *parameters = cnp.PyArray_DATA(params)
    cdef void *slots = cnp.PyArray_DATA(state) if cnp.PyArray_DIM(state, 0) else NULL
    cdef const int64_t *rows = integers(order)
    cdef int64_t count = cnp.PyArray_DIM(order, 0), batches = (count + batch_size - 1) // batch_size
    cdef fnn_rule update
    (update.optimizer, update.learning_rate, update.momentum, update.l2, update.beta1, update.beta2, update.epsilon,
     update.step) = rule
    cdef fnn_result result
    memset(&result, 0, sizeof(result))
    if count == 0:
        return EpochResult(0.0, 0, 0)
    cdef fnn_data samples = data_of(X, scale, y)
    cdef const uint8_t[:, ::1] kept
    cdef const double[::1] scales
    if weights is not None:
        samples.weights = cnp.PyArray_DATA(weights)
    if dropout is not None and shape.c.layers > 1:
        kept, scales = dropout.kept, dropout.scales
        samples.kept, samples.kept_width, samples.scales = &kept[0, 0], kept.shape[1], &scales[0]
    if block_csc is not None:
        samples.lists, samples.lists_scale = cnp.PyArray_DATA(block_csc.nonzeros), block_csc.scale
    cdef int threads = threads_for(count * shape.work, FNN_TRAIN_THREAD_WORK)
    cdef Arena arena = Arena(kernels.arena_bytes(&shape.c, batch_size, LEADING)
                             + kernels.arena_bytes(&shape.c, batch_size, TRAINING) * (threads - 1))
    cdef Interrupt interrupt = Interrupt()
    while result.batches < batches and not result.diverged:
        with nogil:
            kernels.train(&shape.c, parameters, slots, &samples, rows, count, batch_size, &update, SLICE_SECONDS,
                          &result, arena.start, threads, &interrupt.c)
        interrupt.end()
        if tick is not None and not result.diverged:
            tick(result.batches)
    return EpochResult(result.loss, result.correct, result.batches)


def neighbors(metric, cnp.ndarray X, cnp.ndarray Q, codes, double limit, double[:, ::1] values,
              int64_t[:, ::1] indices):
    """See fastnn.kernels.spec.Kernels.neighbors."""
    cdef fnn_search search = fnn_search(
        metric, cnp.PyArray_DIM(X, 0), cnp.PyArray_DIM(Q, 0), cnp.PyArray_DIM(X, 1), values.shape[1],
        cnp.PyArray_DATA(X), cnp.PyArray_DATA(Q), cnp.PyArray_TYPE(X) == cnp.NPY_UINT8, limit,
        NULL, NULL, 0, NULL, NULL, NULL, NULL, 0, NULL, NULL, 0, NULL)
    cdef const uint8_t[:, ::1] row_codes, query_codes, finer_rows, finer_queries
    cdef const float[::1] row_errors, query_errors
    if search.queries == 0 or search.k == 0:
        return
    search.values, search.indices = &values[0, 0], &indices[0, 0]
    if codes is not None:
        row_codes, query_codes = codes.rows, codes.queries
        row_errors, query_errors = codes.row_errors, codes.query_errors
        search.code_width = row_codes.shape[1]
        search.row_codes, search.query_codes = &row_codes[0, 0], &query_codes[0, 0]
        search.row_errors, search.query_errors = &row_errors[0], &query_errors[0]
        search.code_scale = codes.scale
        if codes.finer_rows is not None:
            finer_rows, finer_queries = codes.finer_rows, codes.finer_queries
            search.finer_width = finer_rows.shape[1]
            search.finer_rows, search.finer_queries = &finer_rows[0, 0], &finer_queries[0, 0]
    cdef fnn_search_request request = request_of(metric, search.rows, search.queries, search.columns, search.k, X.dtype)
    if codes is not None:
        request.code_width, request.finer_width, request.most_verified = (
            search.code_width, search.finer_width, codes.most_verified)
    cdef fnn_search_plan plan = fnn_plan_search(&request)
    search.plan = &plan
    cdef const fnn_kernels *kernels = unit.f64 if cnp.PyArray_TYPE(X) == cnp.NPY_FLOAT64 else unit.f32
    cdef Interrupt interrupt = Interrupt()
    cdef Arena arena = Arena(kernels.begin_search(&search, NULL, &interrupt.c))
    with nogil:
        kernels.begin_search(&search, arena.start, &interrupt.c)
        fnn_parallel(kernels.search_thread, arena.start, plan.threads)
    interrupt.end()


cdef int forced_queries = -1  # see force_queries


cdef fnn_search_request request_of(int64_t metric, int64_t rows, int64_t queries, int64_t columns, int64_t k, dtype):
    """What a search's plan depends on, without codes, on this machine."""
    return fnn_search_request(
        metric, rows, queries, columns, k, dtype == np.uint8, 8 if dtype == np.float64 else 4, 0, 0, 0, num_threads(),
        VECTOR_BYTES[simd], fnn_dot_of(unit), forced_queries, fnn_forced_threads)


def plan_search(metric, int64_t rows, int64_t queries, int64_t columns, int64_t k, dtype, *, int64_t code_width=0,
                int64_t finer_width=0, double most_verified=float("inf"), threads=None, simd=None, dot=None):
    """How :func:`neighbors` goes, or would go, about one call with X (rows, columns), Q (queries, columns) and k.

    ``metric`` is a name of spec.METRICS and ``dtype`` that of X and Q. Codes, if any, have ``code_width`` and
    ``finer_width`` bytes and spec.Codes' ``most_verified``. Another machine than this may be asked for: by the most
    ``threads`` of a call, by ``simd`` ("generic", "avx2", "avx512", "amx") and by what multiplies bytes, ``dot``
    ("madd", "vnni", "amx"; by default the best that such a CPU may have). Returns a spec.SearchPlan; nothing is
    computed, and the arrays need not exist.
    """
    cdef fnn_search_request request = request_of(METRICS.index(metric), rows, queries, columns, k, np.dtype(dtype))
    request.code_width, request.finer_width, request.most_verified = code_width, finer_width, most_verified
    if threads is not None:
        request.threads = threads
    if simd is not None:
        request.vector_bytes = VECTOR_BYTES[simd]
    if dot is not None or simd is not None:
        request.dot = DOTS.index(dot if dot is not None else BEST_DOT[simd])
    cdef fnn_search_plan plan = fnn_plan_search(&request)
    return SearchPlan(
        scan=fnn_names_of_scans[plan.scan].decode(),
        plain_scan=fnn_names_of_scans[plan.plain_scan].decode(),
        queries=fnn_names_of_query_groupings[plan.queries].decode(),
        plain_queries=fnn_names_of_query_groupings[plan.plain_queries].decode(),
        most_active=plan.most_active,
        dot=fnn_names_of_dots[plan.dot].decode(),
        tile_queries=plan.tile_queries,
        seeds=plan.seeds,
        refines=plan.refines != 0,
        most_verified=plan.most_verified,
        grace=plan.grace,
        refine_cost=plan.refine_cost,
        buffer=plan.buffer,
        seed_buffer=plan.seed_buffer,
        unit_rows=plan.unit_rows,
        split=fnn_names_of_search_splits[plan.split].decode(),
        threads=plan.threads,
        block=plan.block,
        blocks=plan.blocks,
        parts=plan.parts,
    )


def force_queries(grouping):
    """Let plain searches of bytes take queries in "tiles" or in "micro-batches", whatever suits them; None: as suits.

    For the tests and the benchmark of the rule.
    """
    global forced_queries
    forced_queries = -1 if grouping is None else QUERY_GROUPINGS.index(grouping)


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
        cnp.PyArray_DATA(low), scale, offset, &codes[0, 0], NULL, &errors[0])
    if cnp.PyArray_DIM(mean, 0):
        e.mean = cnp.PyArray_DATA(mean)
    if finer.shape[1]:
        e.finer = &finer[0, 0]
    cdef const fnn_kernels *kernels = table(low)
    cdef Arena arena = Arena(kernels.encode_bytes(&e))
    with nogil:
        kernels.encode(&e, arena.start)


include "packing.pxi"


def activate(activation, cnp.ndarray x, cnp.ndarray out):
    """Write an elementwise activation of x, or "exp", into out; the tests of its accuracy call this."""
    cdef int64_t code = EXPONENTIAL if activation == "exp" else ACTIVATIONS.index(activation)
    table(out).activate(code, cnp.PyArray_DATA(x), cnp.PyArray_DATA(out), cnp.PyArray_DIM(x, 0))


def force_form(form):
    """Let first layers take their inputs "dense", in "lists" or in "teams" whatever the rules say; None: by the rules.

    For the tests and the benchmark of these rules. Runs of online batches have groups in place of lists and teams.
    """
    global fnn_forced_form
    fnn_forced_form = -1 if form is None else ("dense", "lists", "teams").index(form)


def force_threads(bint forced):
    """Let calls use all threads that they may, however little their work is; False: by the rules. For the tests."""
    global fnn_forced_threads
    fnn_forced_threads = forced


def force_split(split):
    """Let threads share out the "inputs" or the "outputs" of first layers at least four cache lines wide; None: by the
    rule. For the same.
    """
    global fnn_forced_split
    fnn_forced_split = -1 if split is None else ("inputs", "outputs").index(split)
