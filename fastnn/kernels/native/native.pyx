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

    ctypedef struct fnn_preparing:
        int64_t rows, columns
        const void *x
        int is_uint8, to_unit
        const void *mean
        void *v

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
        fnn_work *prepare_thread
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


cdef const fnn_kernels *table(cnp.ndarray array) noexcept:
    """The kernels of an array's type, float32 or float64."""
    return unit.f32 if cnp.PyArray_TYPE(array) == cnp.NPY_FLOAT32 else unit.f64


include "network.pxi"
include "search.pxi"
include "packing.pxi"
include "plans.pxi"
