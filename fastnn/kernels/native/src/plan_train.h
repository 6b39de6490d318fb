/* Every decision in one place: what a call is asked -> how it goes about it.

   A request holds the shapes, the rule, the threads, the instruction set and what is known of the inputs' density; the
   function returns a small record of named choices. It reads nothing else and writes nothing, so that a plan for
   another machine can be asked for as well. The kernels below do as the plan says and decide nothing. The instruction
   set and the number of threads choose only among ways that give the same bits.

   Sizes that kernels are compiled with stand here; all other tuned constants stand beside the rule that reads them, in
   plan_train.c. benchmarks/crossover.py times both sides of these rules; the part that sets a constant is named. */
#ifndef FNN_PLAN_TRAIN_H
#define FNN_PLAN_TRAIN_H

#include <stdint.h>

/* Splits of the first layer's inputs (K) or outputs (N), or of a long batch's samples. Their sums are added in a fixed
   order, and threads share the splits out, so that the bits do not depend on how many threads there are. */
#define SPLITS 4
/* Inputs (columns) of a block of block-CSC. */
#define INPUT_BLOCK 4
/* Samples that share one index of active inputs. (inputs) */
#define MICRO_BATCH 4
/* Samples of an online block that share one index of active inputs: as many as the largest tile has rows. (online) */
#define ONLINE_MICRO_BATCH 12
/* Samples of an online block whose inputs are dense, a multiple of x86's TILE_ROWS. (online) */
#define ONLINE_BLOCK 36
/* Elements of a row of the Gram matrix: ONLINE_BLOCK, padded to whole cache lines. */
#define GRAM_STRIDE 48
/* Samples of a short batch at most, which go forward and backward together; as many may be a long batch for a small
   network. */
#define SHORT_BATCH 256
/* Samples of a long batch that go together at most: more would leave the cache. */
#define LONG_BLOCK 128
/* Elements of a long batch's gradient that are summed and applied at a time, in the first-level cache. */
#define SUM_PIECE 1024
/* Elements of a short batch's gradient that micro-batches and CSR sum and apply at a time: few enough for the first-level
   cache, and enough for long loops over their nonzeros. */
#define GRADIENT_PIECE 2048
/* Samples that are packed together into block-CSC: their rows are to be in the first-level cache. */
#define PACKED_TOGETHER 32
/* Samples that block-CSC has room for from which what comes next is prefetched: shorter columns end before it comes. */
#define PREFETCH_SAMPLES 64
/* Rows at most in which active inputs are counted. */
#define ROWS_MEASURED 60
/* Batches at most whose updates an input waits for. */
#define LAZY_BATCHES 64
/* Share of active input blocks up to which block-CSC is stored: at it, block-CSC is as large as the bytes. */
#define MOST_STORED 0.5

typedef enum { TRAINING, GRADIENT, OUTPUTS, LAYER_GRADIENT } fnn_purpose;

/* online block: plain SGD by single samples, several at a time by their Gram matrix (train/online.h);
   short batch: one forward and backward pass a batch, each layer's gradient straight into its update (train/epoch.h);
   long batch: more samples than that, or many for their network, in blocks whose gradients are added up before the
   update (train/epoch.h);
   blocks: the same without an update, for outputs and gradients (train/outputs.h, train/gradient.h). */
typedef enum { ONLINE_BLOCKS, SHORT_BATCHES, LONG_BATCHES, BLOCKS } fnn_regime;

/* How the first layer reads its inputs: all of them (gemm/tiles.h); the active ones by input blocks (gemm/block_csc.h),
   made anew for each block of samples or stored for all epochs; those active in any sample of a micro-batch, by one
   index (gemm/micro_batch.h), or by one index and packed side by side (gemm/online_micro_batch.h); the nonzeros that
   the caller has as CSR (gemm/csr.h). */
typedef enum { DENSE, BLOCK_CSC, STORED_BLOCK_CSC, MICRO_BATCHES, ONLINE_MICRO_BATCHES, CSR_ROWS } fnn_inputs;

/* x = u + e, with the sum over e's active inputs alone. u: nothing; each input's most frequent value; or, of a single
   row, the one value of its first and last input, whose part of z comes from the sum of W0's rows. */
typedef enum { NO_OFFSET, COLUMN_OFFSET, CONSTANT_OFFSET } fnn_offset;

typedef enum { SPLIT_NOTHING, SPLIT_INPUTS, SPLIT_OUTPUTS, SPLIT_SAMPLES } fnn_split;

/* Where W0 lies during the call: where the caller has it; panel by panel in memory of the call's own; each thread's
   columns in memory of its own, row by row or panel by panel (train/local_panels.h). */
typedef enum { IN_PLACE, PACKED_PANELS, THREAD_LOCAL, THREAD_LOCAL_PANELS } fnn_weights;

/* fused SGD: the sum x^T delta goes on from the weights; fused optimizer: a few rows of the gradient at a time; reduce
   then apply: the splits' gradients are added up first; deferred: the column offset's rank-1 update waits for the end
   of a span of online blocks; gradient: it is the result; lazy optimizer: as fused, but the updates of an input without
   a nonzero wait until it has one (train/lazy.h). */
typedef enum {
    NO_UPDATE,
    FUSED_SGD,
    FUSED_OPTIMIZER,
    REDUCE_THEN_APPLY,
    DEFERRED_UPDATE,
    ADD_TO_GRADIENT,
    LAZY_OPTIMIZER
} fnn_update;

/* Shares of active inputs: of input blocks that hold another value than zero in a sample or, for micro-batches, in any
   of the samples that share an index; negative where not measured. */
typedef struct {
    double x; /* of the inputs as they are */
    double e; /* less the column offset */
} fnn_density;

enum { BY_SAMPLE, BY_MICRO_BATCH };

typedef enum { NEEDS_NOTHING, NEEDS_DENSITY, NEEDS_OFFSET_DENSITY, NEEDS_ENDS } fnn_needs;

typedef struct {
    fnn_purpose purpose;
    int64_t layers;
    int64_t inputs;       /* of the first layer */
    int64_t output_lines; /* of the first layer: the cache lines of a row of W0 */
    int64_t second_stride; /* the elements of a row of W1; 0: there is no second layer */
    double work;          /* multiply-adds of one sample's forward pass through all layers, of CSR's nonzeros alone */
    int real_bytes;       /* of a parameter */
    int64_t rows;         /* of the call */
    int64_t batch_size;   /* of training; elsewhere all rows are one batch */
    int is_uint8;
    int has_block_csc;    /* stored, of these batches */
    int is_csr;
    double row_nonzeros;    /* of CSR: the mean of a row's, */
    int64_t batch_nonzeros; /* and the most of a batch's */
    int is_plain_sgd;     /* no momentum, penalty, decay or clipping */
    int is_linear; /* SGD, with a momentum or an l2 penalty, or both: without a gradient it is linear in w, v */
    int clips_norm; /* which wants whole gradients before the update */
    int has_sums; /* whether the caller keeps the sum of W0's rows */
    int threads; /* that the call may use */
    int vector_bytes; /* of the instruction set */
    /* what tests and benchmarks force; -1, -1, 0: nothing */
    int forced_inputs; /* DENSE, BLOCK_CSC or MICRO_BATCHES, which in an online block are its own */
    int forced_split; /* SPLIT_INPUTS, SPLIT_OUTPUTS or SPLIT_SAMPLES, where it may be */
    int all_threads; /* however little the work is */
    /* what was measured */
    fnn_density density[2]; /* by sample, by micro-batch of this batch or, for an online block, of its own */
    int ends_agree; /* of a single row: are its ends one value other than zero? negative: not looked at */
} fnn_train_request;

typedef struct {
    fnn_needs needs; /* what is to be measured before the plan is whole */
    int counted; /* which density is to be measured */
    int64_t samples_sharing; /* samples that share an index of active inputs in that density */
    fnn_regime regime;
    fnn_inputs inputs;
    fnn_offset offset;
    fnn_split split;
    int splits; /* of what is split; 1: nothing is */
    fnn_weights weights;
    fnn_update update;
    int reads_ahead; /* are the next batch's inputs brought in while threads wait for one another? */
    int threads;
    int64_t block; /* samples that go through the network together */
    int64_t span; /* online blocks from one deferred update to the next; else 1 */
    int64_t linked; /* nonzeros of CSR at most that are linked by inputs for a batch */
    int64_t prefetched_rows; /* of the order, before their turn */
    int64_t prefetched_bytes; /* of each of these rows at most */
    fnn_density density; /* what it went by; negative where nothing had to be known */
} fnn_train_plan;

/* plan_train.c. While `needs` is something, splits hold already and what is split, whether there is an update or a
   gradient, and as the most that they may become threads, block and reads_ahead; online blocks may become short
   batches. */
fnn_train_plan fnn_plan_training(const fnn_train_request *request);

/* What is done to rows once, before `epochs` of training on them. */
typedef enum { ROWS_AS_THEY_ARE, ROWS_TO_BYTES, ROWS_TO_BLOCK_CSC } fnn_preparation;

typedef struct {
    int64_t rows, inputs, outputs; /* outputs of the first layer */
    int64_t epochs;
    int64_t batch_size; /* of batches that come again every epoch; 0: rows are shuffled */
    int is_uint8;
    int forced; /* an fnn_preparation, for tests and benchmarks; -1: none */
} fnn_preparation_request;

/* Block-CSC if it may pay, bytes if reals may pay as such: whether the values allow it shows when it is tried, and
   where block-CSC fails, `without_block_csc` asks for what is next. */
fnn_preparation fnn_plan_preparation(const fnn_preparation_request *request, int without_block_csc);

/* How many threads a call may use whose work pays for a second one from `least` on. */
int fnn_threads_for(double work, double least, int allowed, int all_threads);

/* Elements of rows to be packed from which another thread pays. (threads) */
#define FNN_PACK_THREAD_WORK 2097152.0

/* The words for the enums, in their order. */
extern const char *const fnn_names_of_purposes[], *const fnn_names_of_regimes[], *const fnn_names_of_inputs[];
extern const char *const fnn_names_of_offsets[], *const fnn_names_of_splits[], *const fnn_names_of_weights[];
extern const char *const fnn_names_of_updates[], *const fnn_names_of_preparations[];

#endif
