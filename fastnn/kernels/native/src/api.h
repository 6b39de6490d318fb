/* What native.pyx and the per-instruction-set units share. The tuples of spec.py appear here as structs. */
#ifndef FASTNN_H
#define FASTNN_H

#include <stddef.h>
#include <stdint.h>

#include "codes.h"
#include "plan.h"

typedef struct {
    int64_t layers;
    const int64_t *sizes;       /* (layers + 1) */
    const int64_t *activations; /* (layers) */
    const double *alphas;       /* (layers) numbers of the activations that have one */
    const int64_t *weights;     /* (layers) offsets into params */
    const int64_t *biases;      /* (layers) offsets into params, or -1 */
    const int64_t *strides;     /* (layers) elements per weight row, a multiple of 64 bytes */
    int64_t loss;
    int64_t row_sums;     /* offset into params of the sum of the first layer's rows, (strides[0]), or -1 */
    int propagates_error; /* whether dL/da goes back through the last layer, in place of dL/dz; see spec.Net */
    double least_probability; /* bounds the probabilities in the value of cross-entropies, or 0; see spec.Net */
} fnn_net;

typedef struct {
    const void *x;         /* (n, sizes[0]) of the parameters' type, or uint8; or the values of CSR, see spec.CSR: */
    const int64_t *indptr; /* (n + 1), or NULL */
    const int32_t *indices;
    double row_nonzeros;    /* the mean of its rows' nonzeros, */
    int64_t batch_nonzeros; /* and the most that a batch has, where an optimizer links them */
    int is_uint8;          /* then x is multiplied by scale */
    double scale;
    const int32_t *labels; /* (n) classes, or NULL */
    const void *targets;   /* (n, sizes[layers]) of the parameters' type, or NULL */
    const void *weights;   /* (n) of the parameters' type: factors of the losses, or NULL */
    const uint8_t *kept;   /* (n, kept_width) hidden outputs that are kept, or NULL; see spec.Dropout */
    int64_t kept_width;
    const double *scales;  /* (layers - 1) factors of the outputs kept */
    const void *block_csc; /* as store_block_csc makes it, of these batches, or NULL; */
    double block_csc_scale; /* its bytes are multiplied by this */
} fnn_data;

typedef struct {
    int64_t optimizer;
    double learning_rate, momentum, beta1, beta2, epsilon, weight_decay, clip_value, clip_norm, global_clip_norm;
    const double *l1, *l2; /* (layers) */
    int64_t step;
} fnn_rule;

typedef struct {
    double loss;
    int64_t correct;
    int64_t batches;
    int diverged, interrupted;
} fnn_result;

/* Codes of rows and queries, as spec.Codes says. */
typedef struct {
    int64_t width;
    const uint8_t *rows, *queries;          /* (rows or queries, width) */
    const float *row_errors, *query_errors; /* (rows), (queries) */
    double scale;
} fnn_codes;

/* The most codes of a row: short ones, finer ones and the bytes of its grid; see neighbors/grid.py. */
#define FNN_MOST_CODES 3

/* A search for nearest neighbours; see spec.Kernels.neighbors. */
typedef struct {
    /* in */
    const fnn_search_plan *plan;
    int64_t metric, rows, queries, columns, k;
    const void *x, *q; /* (rows, columns), (queries, columns) of the kernels' type, or uint8 */
    int is_uint8;
    double limit; /* only values up to it count */
    fnn_codes codes[FNN_MOST_CODES]; /* [0] is scanned, [1..plan->finer_codes] refine what it leaves */
    /* out */
    double *values;   /* (queries, k), ascending; infinity where there is no row, */
    int64_t *indices; /* (queries, k); and -1 there */
} fnn_search;

/* Rows to be coded, of which v is what codes stand for: divided by their norms if `to_unit`, and less the mean. */
typedef struct {
    /* in */
    int64_t rows, columns;
    const void *x; /* (rows, columns), of the kernels' type or uint8 */
    int is_uint8, to_unit;
    const void *mean; /* (columns) */
    /* out */
    void *v; /* (rows, columns) */
} fnn_preparing;

/* Rows v to be coded, or reals or bytes that are v once the mean, if there is one, is taken off: see
   search/encode.h. */
typedef struct {
    /* in */
    int64_t rows, columns, axes, width; /* axes: elements of R v; 0: u(v) = v. width: of the codes */
    const void *x;                      /* (rows, columns) */
    int is_uint8;
    const void *projected, *mean, *low; /* (rows, axes), (columns), and what code 0 stands for */
    double scale, offset;               /* offset: the norm of what rows cancel with, such as the mean */
    void *arena; /* encode_bytes for each thread */
    /* out */
    uint8_t *codes, *finer;             /* (rows, width); (rows, axes + 1) if axes >= width */
    float *errors;                      /* (rows) */
} fnn_encoding;

/* io/csv_fields.c */
int64_t fnn_parse_fields(const uint8_t *text, int64_t size, int64_t columns, uint8_t *values);

/* One call's interrupt record, so that no call ever sees another's interrupt. `check` runs the handlers of signals that
   have come and says whether the call is to stop; what they raised it keeps with the record's owner. */
typedef struct fnn_interrupt {
    int (*check)(struct fnn_interrupt *interrupt);
    void *owner;
    double next_check; /* by the clock of fnn_now() */
    int stopped;
} fnn_interrupt;

/* threads.c */
#define FNN_MAX_THREADS 64

typedef void fnn_work(void *job, int thread, int threads);

/* Runs work(job, i, n) for i = 0..n-1 side by side, n at most `threads`: fewer where other calls are at work. */
void fnn_parallel(fnn_work *work, void *job, int threads);

/* How many cores all calls of this process share; said before any call that asks for several threads. */
void fnn_set_cores(int count);

/* The most threads that were at work in all calls of this process together since this was asked last. */
int fnn_most_threads(void);

#define FNN_BARRIER_THREADS 4 /* threads at a barrier */

typedef struct {
    struct {
        _Alignas(64) unsigned arrivals; /* of one thread, in a cache line of its own */
    } of[FNN_BARRIER_THREADS];
} fnn_barrier; /* starts as zeros */

/* A thread says that it has come to the barrier, and waits until all `threads` threads have come as often; what each
   wrote before it came is then visible to all. Returns the seconds it waited beyond a short spin, which means that
   another thread had lost its core. */
void fnn_arrive(fnn_barrier *barrier, int thread);
double fnn_wait(const fnn_barrier *barrier, int thread, int threads);

double fnn_now(void); /* seconds */

/* A record that is checked for the first time after POLL_SECONDS. */
fnn_interrupt fnn_new_interrupt(int (*check)(fnn_interrupt *interrupt), void *owner);

/* Is the call to stop? Asked now and then during a long computation, in the thread that made the call, it looks for
   signals every POLL_SECONDS. */
int fnn_interrupted(fnn_interrupt *interrupt);

/* What the calls of one thread have found out about other programs' use of the cores. */
typedef struct {
    double alone_until, backoff; /* until when to use one thread; for how long the next time */
    double shared,
        stalled; /* seconds with several threads, of late; and those of them in which one waited for others */
} fnn_oversubscription;

/* A span of time for which threads work on a call before its caller looks for signals. */
typedef struct {
    double start, end;     /* by fnn_now() */
    int threads;           /* to use: one while the cores are oversubscribed */
    fnn_oversubscription *cores;
    double done, stalled; /* thread 0 writes: when it was done, and the seconds it waited for others */
} fnn_slice;

fnn_slice fnn_begin_slice(double seconds, int threads);
void fnn_end_slice(const fnn_slice *slice);

/* Are the cores so oversubscribed that threads wait for one another instead of working, `stalled` seconds of this slice
   until `now`? */
int fnn_is_oversubscribed(const fnn_slice *slice, double now, double stalled);

void fnn_back_off(int64_t turn); /* for a few instructions, and in later turns for a fraction of a millisecond */

/* A call's plan, and what was measured for it. */
typedef struct {
    fnn_train_request request;
    fnn_train_plan plan;
    int64_t split_at[SPLITS + 1]; /* the first input of each split, which have equal work */
    const void *offset; /* (inputs) the column offset u, of the kernels' type */
    void *arena;        /* the threads' workspaces */
} fnn_planned;

/* Some batches of an epoch. */
typedef struct {
    /* in */
    const fnn_planned *planned;
    const fnn_net *net;
    const fnn_data *data;
    const int64_t *order; /* (rows) */
    const fnn_rule *rule;
    const double *rates; /* (batches) learning rates in place of the rule's, or NULL */
    const double *penalty_factors; /* (batches) of l1 and l2, or NULL */
    fnn_interrupt *interrupt;
    double *penalties; /* out: (batches, SPLITS + 1) the parts of the penalty before each batch's update, or NULL */
    void *outputs; /* out: (rows, outputs), of each row of the order before its batch's update; or NULL */
    /* in and out: goes on from batch result.batches until the epoch ends, diverges or the slice is over; or, within a
       long batch, until the interrupt comes, and that batch then changes nothing: result.interrupted */
    void *params, *state;
    fnn_result result;
    fnn_slice slice;
    /* its threads' own; starts as zeros */
    fnn_barrier barrier;
    int64_t stop; /* batch before which all threads stop; it starts as the number of batches */
    int interrupted;
    void *partial, *gradients, *panels, *lacks, *squares; /* thread 0's, used by all */
    int ends; /* whether no more batches are to come: updates that wait are made */
    double split_loss[SPLITS]; /* of a long batch's splits */
    int64_t split_correct[SPLITS];
} fnn_training;

/* The outputs of the rows first..first + count. */
typedef struct {
    /* in */
    const fnn_planned *planned;
    const fnn_net *net;
    const void *params;
    const fnn_data *data;
    int64_t first, count;
    /* out */
    void *out; /* (count, outputs) */
    int unbounded; /* some output is NaN or infinite; starts as 0 */
} fnn_forward;

/* The way back through the one layer of `net`, for the rows first..first + count. */
typedef struct {
    /* in */
    const fnn_planned *planned;
    const fnn_net *net;
    const void *params;
    const fnn_data *data;
    int64_t first, count;
    const void *outputs, *output_grad; /* (n, outputs) of all rows */
    /* out */
    void *grad; /* += dL/d params, laid out as they are */
    void *input_grad; /* (n, inputs) dL/dx */
} fnn_layer_gradient;

/* Block-CSC to be stored of the rows first..end of x (n, inputs), whole batches but for the last, for epochs that take
   these batches in order. */
typedef struct {
    /* in */
    const void *x;
    int is_uint8;
    int64_t inputs, batch_size, first, end;
    double factor; /* reals are k / factor of bytes k */
    void *arena; /* of stored_bytes' arena_bytes for each thread */
    /* out */
    void *storage; /* of stored_bytes(n, ..) */
    int failed; /* reals are no such bytes, or too many are active; starts as 0 */
} fnn_storing;

/* One instruction set's kernels for one type of parameters. What is a fnn_work is one thread's part of a job, whose
   record is named; results do not depend on how many threads there are. */
typedef struct {
    /* Bytes of a 64-byte aligned arena for a call, however dense its inputs turn out to be; planned->request is given,
       and planned->plan as far as it goes before they are looked at. */
    size_t (*arena_bytes)(const fnn_net *net, const fnn_planned *planned);

    /* Measures what that plan needs, in the rows order[0..) of data or, without an order, from its first on, and makes
       it whole. The arena has arena_bytes bytes. */
    void (*plan)(const fnn_net *net, const fnn_data *data, const int64_t *order, fnn_planned *planned, void *arena);

    fnn_work *train; /* of a fnn_training */
    fnn_work *outputs; /* of a fnn_forward */

    /* Returns the mean loss over rows 0..count; grad is laid out as params. Where the interrupt comes it stops, and
       grad is of no use. */
    double (*loss_grad)(const fnn_planned *planned, const fnn_net *net, const void *params, const fnn_data *data,
                        int64_t count, void *grad, fnn_interrupt *interrupt);

    void (*layer_grad)(const fnn_layer_gradient *call);

    /* out (count, height) = the bytes k with k / factor = x, to a relative tolerance, for columns of reals; returns 0
       if some value has none */
    int (*pack_pixels)(void *const *columns, int64_t count, int64_t height, double factor, double tolerance,
                       uint8_t *out, int threads);

    /* Bytes of the block-CSC of so many rows, and of each thread's arena while it is made. */
    size_t (*stored_bytes)(int64_t rows, int64_t inputs, int64_t batch_size, size_t *arena_bytes);
    fnn_work *store_block_csc; /* of a fnn_storing */

    /* A search is the work search_thread of as many threads as the plan says, with the arena for their job. First
       begin_search makes the arena ready, for which it has the size that begin_search returns; with NULL for the arena
       that is all it does. Where the interrupt came, values and indices are of no use. */
    size_t (*begin_search)(const fnn_search *search, void *arena, fnn_interrupt *interrupt);
    fnn_work *search_thread;

    fnn_work *prepare_thread; /* its job is a fnn_preparing */
    /* The codes of rows: a thread's part. The encoding's arena has encode_bytes(encoding) bytes for each thread. */
    size_t (*encode_bytes)(const fnn_encoding *encoding);
    fnn_work *encode_thread;

    /* out[i] = f(x[i]) for an elementwise activation, any alignment: what the tests of accuracy call */
    void (*activate)(int64_t activation, double alpha, const void *x, void *out, int64_t count);
} fnn_kernels;

typedef struct {
    const char *name;
    const fnn_kernels *f32, *f64;
} fnn_unit;

/* The positions of the bits set in its index, a byte each, ascending from the lowest byte. */
extern uint64_t fnn_set_bits[256];

/* Whether tiles of bytes go by AMX, for which new compilers and Linux are needed. */
#if defined(FASTNN_X86) && defined(__linux__) && defined(__x86_64__)
#if (defined(__clang__) && __clang_major__ >= 12) || (!defined(__clang__) && __GNUC__ >= 11)
#define FASTNN_AMX 1
#endif
#endif

/* dispatch.c: the unit for this CPU, or the one that `forced` (of FASTNN_SIMD) names; NULL where it cannot run. */
const fnn_unit *fnn_select(const char *forced);

/* What the unit multiplies bytes by on this CPU. */
fnn_int8_dot fnn_dot_of(const fnn_unit *unit);

#endif
