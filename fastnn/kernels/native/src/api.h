/* What native.pyx and the per-instruction-set units share. The tuples of spec.py appear here as structs. */
#ifndef FASTNN_H
#define FASTNN_H

#include <stddef.h>
#include <stdint.h>

#include "plan_search.h"

/* Codes: the positions in spec.ACTIVATIONS, LOSSES and OPTIMIZERS. */
enum { EXPONENTIAL = -1, IDENTITY, SIGMOID, TANH, RELU, LEAKY_RELU, SOFTMAX }; /* exp is no layer's; for tests */
enum { QUADRATIC, MEAN_SQUARED_ERROR, BINARY_CROSS_ENTROPY, CROSS_ENTROPY };
enum { SGD, MOMENTUM, NESTEROV, ADAM };

typedef struct {
    int64_t layers;
    const int64_t *sizes;       /* (layers + 1) */
    const int64_t *activations; /* (layers) */
    const int64_t *weights;     /* (layers) offsets into params */
    const int64_t *biases;      /* (layers) offsets into params, or -1 */
    const int64_t *strides;     /* (layers) elements per weight row, a multiple of 64 bytes */
    int64_t loss;
    int64_t row_sums;     /* offset into params of the sum of the first layer's rows, (strides[0]), or -1 */
    int propagates_error; /* whether dL/da goes back through the last layer, in place of dL/dz; see spec.Net */
} fnn_net;

typedef struct {
    const void *x;         /* (n, sizes[0]) of the parameters' type, or uint8 */
    int is_uint8;          /* then x is multiplied by scale */
    double scale;
    const int32_t *labels; /* (n) classes, or NULL */
    const void *targets;   /* (n, sizes[layers]) of the parameters' type, or NULL */
    const void *weights;   /* (n) of the parameters' type: factors of the losses, or NULL */
    const uint8_t *kept;   /* (n, kept_width) hidden outputs that are kept, or NULL; see spec.Dropout */
    int64_t kept_width;
    const double *scales;  /* (layers - 1) factors of the outputs kept */
    const void *lists;     /* as list_rows makes them, of these batches, or NULL; */
    double lists_scale;    /* their bytes are multiplied by this */
} fnn_data;

typedef struct {
    int64_t optimizer;
    double learning_rate, momentum, l2, beta1, beta2, epsilon;
    int64_t step;
} fnn_rule;

/* What the calls of one thread have found out about other programs' use of the cores. */
typedef struct {
    double alone_until, backoff; /* until when to use one thread; for how long the next time */
    double shared, stalled; /* seconds with several threads, of late; and those of them in which one waited for others */
} fnn_crowd;

/* The record of the thread that asks for it; it starts as zeros. */
fnn_crowd *fnn_crowd_of_thread(void);

typedef struct {
    double loss;
    int64_t correct;
    int64_t batches;
    int diverged, interrupted;
} fnn_result;

/* A search for nearest neighbours; see spec.Kernels.neighbors and spec.Codes. */
enum { EUCLIDEAN, MANHATTAN, COSINE };

typedef struct {
    int64_t metric, rows, queries, columns, k;
    const void *x, *q; /* (rows, columns), (queries, columns) of the kernels' type, or uint8 */
    int is_uint8;
    double limit;
    double *values;   /* (queries, k) */
    int64_t *indices; /* (queries, k) */
    int64_t code_width; /* 0: there are no codes */
    const uint8_t *row_codes, *query_codes;
    const float *row_errors, *query_errors;
    int64_t finer_width; /* of the finer ones */
    const uint8_t *finer_rows, *finer_queries;
    double code_scale;
    const fnn_search_plan *plan;
} fnn_search;

/* Rows v to be coded, or reals or bytes that are v once the mean, if there is one, is taken off; see fastnn/neighbors/codes.py. */
typedef struct {
    int64_t rows, columns, axes, width; /* axes: elements of R v; 0: u(v) = v. width: of the codes */
    const void *x;                      /* (rows, columns) */
    int is_uint8;
    const void *projected, *mean, *low; /* (rows, axes), (columns), and what code 0 stands for */
    double scale, offset;               /* offset: |mean| */
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

#define FNN_MOST_MEETING 4 /* threads at a barrier */

typedef struct {
    struct {
        _Alignas(64) unsigned arrivals; /* of one thread, in a cache line of its own */
    } of[FNN_MOST_MEETING];
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

/* Are the cores so much in use that threads wait for one another instead of working, with `stalled` of `seconds` spent
   so in the present call? And what the call was like, at its end: from a crowd on, calls go alone for a while. */
int fnn_is_crowded(const fnn_crowd *crowd, double seconds, double stalled);
void fnn_learn(fnn_crowd *crowd, double seconds, double stalled);

void fnn_rest(int64_t turn); /* for a few instructions, and in later turns for a fraction of a millisecond */

/* Multiply-adds (of dense inputs) of a whole call's forward pass above which making more than one thread pays: one to some
   milliseconds of work, as below that a thread costs more than it saves wherever other programs use the cores. */
#define FNN_FORWARD_THREAD_WORK 4e7
#define FNN_TRAIN_THREAD_WORK 4e7

/* What a pass is for: outputs; gradients too; or also for what the threads of a training share. */
enum { FORWARD, TRAINING, LEADING };

/* One instruction set's kernels for one type of parameters. `arena` is 64-byte aligned. It has for each thread of forward
   arena_bytes(net, rows, FORWARD) bytes, for loss_grad arena_bytes(net, rows, TRAINING), and for train
   arena_bytes(net, batch, LEADING), and the same of TRAINING for each thread but the first. Results do not depend on
   `threads`. */
typedef struct {
    size_t (*arena_bytes)(const fnn_net *net, int64_t rows, int purpose);

    /* out (count, outputs) = the network's outputs for the rows x[first..first + count); are all of them finite? */
    int (*forward)(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                    void *out, void *arena, int threads);

    /* returns the mean loss over rows 0..count; grad is laid out as params. Where the interrupt comes it
       stops, and grad is of no use. */
    double (*loss_grad)(const fnn_net *net, const void *params, const fnn_data *data, int64_t count, void *grad,
                        void *arena, fnn_interrupt *interrupt);

    /* The way back through the one layer of `net`, for the rows first..first + count of x, `outputs` (n, outputs) and
       output_grad: grad += dL/d params, input_grad (n, inputs) = dL/dx. The arena has layer_bytes(net, count) bytes. */
    size_t (*layer_bytes)(const fnn_net *net, int64_t count);
    void (*layer_grad)(const fnn_net *net, const void *params, const fnn_data *data, int64_t first, int64_t count,
                       const void *outputs, const void *output_grad, void *grad, void *input_grad, void *arena);

    /* Goes on with an epoch from batch result->batches until it ends, diverges or `seconds` have passed; or, within a
       long batch, until the interrupt comes, and that batch then changes nothing: result->interrupted. */
    void (*train)(const fnn_net *net, void *params, void *state, const fnn_data *data, const int64_t *order,
                  int64_t count, int64_t batch_size, const fnn_rule *rule, double seconds, fnn_result *result,
                  void *arena, int threads, fnn_interrupt *interrupt);

    /* out (count, height) = the bytes k with k / factor = x, to a relative tolerance, for columns of reals; returns 0 if
       some value has none */
    int (*pack_pixels)(void *const *columns, int64_t count, int64_t height, double factor, double tolerance,
                       uint8_t *out, int threads);

    /* Lists of the active inputs of the rows from..to of x (n, inputs), whole batches but for the last, for epochs that
       take these batches in order; x are bytes k, or k / factor. Returns 0 if they are not, or too many are active.
       There are lists_bytes(n, ..) of lists, and the arena has so many for each thread. */
    size_t (*lists_bytes)(int64_t rows, int64_t inputs, int64_t batch_size, size_t *arena_bytes);
    int (*list_rows)(const void *x, int is_uint8, int64_t from, int64_t to, int64_t inputs, int64_t batch_size,
                     double factor, void *lists, void *arena, int threads);

    /* A search is the work search_thread of as many threads as the plan says, with the arena for their job. First
       begin_search makes the arena ready, for which it has the size that begin_search returns; with NULL for the arena
       that is all it does. Where the interrupt came, values and indices are of no use. */
    size_t (*begin_search)(const fnn_search *search, void *arena, fnn_interrupt *interrupt);
    fnn_work *search_thread;

    /* The codes of rows. The arena has encode_bytes(encoding) bytes. */
    size_t (*encode_bytes)(const fnn_encoding *encoding);
    void (*encode)(const fnn_encoding *encoding, void *arena);

    /* out[i] = f(x[i]) for an elementwise activation or exp, any alignment: what the tests of accuracy call */
    void (*activate)(int64_t activation, const void *x, void *out, int64_t count);
} fnn_kernels;

typedef struct {
    const char *name;
    const fnn_kernels *f32, *f64;
} fnn_unit;

/* The form in which first layers take their inputs (see pass.h): DENSE, LISTED or TEAMED, whatever the rules say, for
   the tests and the benchmark of these rules; -1, the start: as they say. Runs of online batches are GROUPED unless
   DENSE. */
enum { DENSE, LISTED, TEAMED, GROUPED };
extern _Atomic int fnn_forced_form;

/* What threads share out of a first layer that is wide enough for either, for the same: its inputs (0), or its outputs
   (1); -1, the start: as the rule says. */
extern _Atomic int fnn_forced_split;

/* Whether calls use all threads that they may, however little their work is, for the tests. */
extern _Atomic int fnn_forced_threads;

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
