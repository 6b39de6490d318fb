/* The plan of training, gradients and outputs; see plan_train.h. Pure: it reads its request and nothing else. */
#include "plan_train.h"

/* Online blocks between two deferred updates of the column offset. (offset) */
#define ONLINE_SPAN 16
/* Cache lines of the first layer's outputs from which threads split these rather than the inputs: the layers behind are
   then split too, but every thread packs all inputs. (splits) */
#define SPLIT_OUTPUTS_LINES 6
/* Samples of a batch from which threads split these, where the first layer is too narrow for splits of its outputs: each
   thread then computes the later layers and the losses of its own samples, and exchanges no partial sums. (splits) */
#define SPLIT_SAMPLES_BATCH 128
/* Inputs at most for which they do: with more, splits of the inputs are worth the exchange of partial sums. (splits) */
#define SPLIT_SAMPLES_INPUTS 512
/* Bytes at most of the splits' gradients for which they do: these are added and read in every batch. (splits) */
#define MOST_SPLIT_GRADIENTS 163840
/* Inputs of a split at least: fewer are not worth a barrier. (splits) */
#define LEAST_SPLIT_INPUTS 16
/* Cache lines of first-layer outputs times samples of a batch from which block-CSC is faster than micro-batches: its
   samples share the cost of walking a column. (inputs) */
#define BLOCK_CSC_WORK 200
/* BLOCK_CSC_WORK of bytes for vectors of 64 bytes and of 32 bytes, where each thread sums over all inputs: there the
   way changes no bit, so instruction sets may differ. (inputs) */
#define BLOCK_CSC_WORK_BYTES_512 250
#define BLOCK_CSC_WORK_BYTES_256 50
/* Samples of a batch from which BLOCK_CSC_WORK_BYTES_256 holds. (inputs) */
#define BLOCK_CSC_SAMPLES_256 8
/* BLOCK_CSC_WORK where too many inputs are active for micro-batches. (inputs) */
#define BLOCK_CSC_WORK_ACTIVE 64
/* Samples of a batch from which BLOCK_CSC_WORK_ACTIVE holds. (inputs) */
#define BLOCK_CSC_SAMPLES_ACTIVE 16
/* Cache lines of first-layer outputs from which block-CSC is faster, whatever the batch, where an optimizer takes the
   gradient piece by piece: it leaves each piece in the first-level cache. (inputs) */
#define BLOCK_CSC_OPTIMIZER_LINES 4
/* Share of active inputs from which the dense tiles are faster, whatever shares an index. (inputs, online) */
#define MOST_ACTIVE 0.8
/* Share of active inputs above which a column offset is looked for. (offset) */
#define LEAST_ACTIVE_FOR_OFFSET 0.5
/* Part of the active inputs that may be left with a column offset for it to be used. (offset) */
#define MOST_LEFT_BY_OFFSET 0.6
/* Nonzeros of a batch of CSR, in terms of its inputs, up to which the updates of inputs without any wait.
   (lazy) */
#define MOST_ACTIVE_LAZY 0.5
/* A batch's work for the column offset is that of so many dense rows. (offset) */
#define OFFSET_ROWS 2
/* OFFSET_ROWS where threads split the outputs, as a second pass over W0 finds less of it in the cache. (offset) */
#define OFFSET_ROWS_WIDE 5
/* Bytes of a batch's inputs, if dense, that are read before its turn: two batches and the weights are to stay in the
   second-level cache. (splits) */
#define MOST_READ_AHEAD_BYTES 262144
/* Rows of the order that are prefetched before their turn. (inputs) */
#define PREFETCHED_ROWS 24
/* Dense rows of the order that are prefetched: the processor follows only so many at a time. (inputs) */
#define PREFETCHED_ROWS_DENSE 8
/* Bytes at most that are prefetched of a row which dense tiles read, so slowly that the processor brings in the rest.
   (inputs) */
#define PREFETCHED_BYTES_DENSE 512
/* Multiply-adds (of dense inputs) of one barrier's work, a batch or an online block, from which threads pay.
   (threads) */
#define THREAD_WORK 1e5
/* Multiply-adds of a whole call from which making another thread pays. Where other programs use the cores it costs
   little, as trainings that had to wait go alone for a while. (threads) */
#define TRAIN_THREAD_WORK 1.2e7
/* The same of calls that compute outputs alone, which do not know that they had to wait: below one to some milliseconds of
   work a thread costs more than it saves wherever other programs use the cores. (threads) */
#define OUTPUTS_THREAD_WORK 4e7

/* Elements of rows, more than a cache holds as reals, from which they are prepared. (packing) */
#define LEAST_PREPARED 1048576
/* Epochs times the first layer's outputs from which rows are prepared: it takes memory and a read of all rows.
   (packing) */
#define LEAST_PREPARED_WORK 256
/* Samples of batches that come again from which block-CSC of them is stored. (storing) */
#define LEAST_STORED_BATCH 32
/* Epochs from which block-CSC is stored. (storing) */
#define LEAST_STORED_EPOCHS 5

const char *const fnn_names_of_purposes[] = {"training", "gradient", "outputs", "layer gradient"};
const char *const fnn_names_of_regimes[] = {"online blocks", "short batches", "long batches", "blocks"};
const char *const fnn_names_of_inputs[] = {
    "dense", "block-CSC", "stored block-CSC", "micro-batches", "online micro-batches", "CSR"};
const char *const fnn_names_of_offsets[] = {"none", "column offset", "constant offset"};
const char *const fnn_names_of_splits[] = {"nothing", "inputs", "outputs", "samples"};
const char *const fnn_names_of_weights[] = {"in place", "packed panels", "thread-local", "thread-local panels"};
const char *const fnn_names_of_updates[] = {
    "none", "fused SGD", "fused optimizer", "reduce then apply", "deferred", "added to the gradient", "lazy optimizer"};
const char *const fnn_names_of_preparations[] = {"as they are", "bytes", "block-CSC"};

int fnn_threads_for(double work, double least, int allowed, int all_threads) {
    return work >= least || all_threads ? allowed : 1;
}

/* Is a batch, though it could go through the network together, so long for it that threads had better split its samples,
   each split with a gradient of its own? */
static int is_long_for_network(const fnn_train_request *r) {
    if (r->purpose != TRAINING || r->batch_size > SHORT_BATCH || r->clips_norm || r->is_csr) return 0;
    if (r->forced_split >= 0) return r->forced_split == SPLIT_SAMPLES;
    return r->batch_size >= SPLIT_SAMPLES_BATCH && r->output_lines < SPLIT_OUTPUTS_LINES &&
           r->inputs <= SPLIT_SAMPLES_INPUTS && (double)r->batch_size * r->work >= THREAD_WORK &&
           SPLITS * r->work * r->real_bytes <= MOST_SPLIT_GRADIENTS;
}

static int has_split_inputs(const fnn_train_request *r) { return r->inputs >= LEAST_SPLIT_INPUTS * SPLITS; }

/* Multiply-adds of a sample's forward pass that splits of the first layer's outputs share out, if inputs are dense. */
static double work_by_outputs(const fnn_train_request *r) {
    return (double)((r->inputs + r->second_stride) * r->output_lines * 64 / r->real_bytes);
}

/* May threads split the first layer's outputs? Each needs all of the inputs then, but has fewer columns of the layers
   behind. A gradient, though no thread splits it, sums as such a training does, unless the batch is a long one. */
static int splits_outputs(const fnn_train_request *r) {
    if (r->purpose == OUTPUTS || r->layers == 1 || r->output_lines < SPLITS || r->is_csr) return 0;
    if (r->batch_size == 1 || r->batch_size > SHORT_BATCH || r->clips_norm || is_long_for_network(r)) return 0;
    if (r->forced_split >= 0) return r->forced_split == SPLIT_OUTPUTS;
    if (r->output_lines >= SPLIT_OUTPUTS_LINES) return 1;
    return !has_split_inputs(r) && (double)r->batch_size * work_by_outputs(r) >= THREAD_WORK;
}

/* Have so few inputs a nonzero in a batch of CSR that the others' updates had better wait? */
static int waits(const fnn_train_request *r) {
    return r->is_csr && r->is_linear && r->row_nonzeros * (double)r->batch_size < MOST_ACTIVE_LAZY * (double)r->inputs;
}

/* What does not depend on the inputs, but for `online`: are single samples taken several at a time? */
static void plan_shape(const fnn_train_request *r, int wide, int online, fnn_train_plan *p) {
    p->splits = p->span = p->threads = 1;
    p->split = SPLIT_NOTHING;
    if (r->purpose != TRAINING) {
        p->regime = BLOCKS;
        p->block = r->rows < LONG_BLOCK ? r->rows : LONG_BLOCK;
        p->update = r->purpose == OUTPUTS ? NO_UPDATE : ADD_TO_GRADIENT;
        if (r->purpose == OUTPUTS)
            p->threads = fnn_threads_for((double)r->rows * r->work, OUTPUTS_THREAD_WORK, r->threads, r->all_threads);
        return;
    }
    const int long_for_network = is_long_for_network(r);
    if (r->batch_size > SHORT_BATCH || r->clips_norm || long_for_network) {
        p->regime = LONG_BATCHES;
        p->block = long_for_network ? (r->batch_size + SPLITS - 1) / SPLITS : LONG_BLOCK;
        p->update = REDUCE_THEN_APPLY;
        p->split = SPLIT_SAMPLES;
    } else if (online) {
        p->regime = ONLINE_BLOCKS;
        p->block = ONLINE_BLOCK;
        p->update = FUSED_SGD;
    } else {
        p->regime = SHORT_BATCHES;
        p->block = r->batch_size;
        p->update = r->is_plain_sgd ? FUSED_SGD : waits(r) ? LAZY_OPTIMIZER : FUSED_OPTIMIZER;
    }
    if (p->split == SPLIT_NOTHING) p->split = wide ? SPLIT_OUTPUTS : has_split_inputs(r) ? SPLIT_INPUTS : SPLIT_NOTHING;
    p->splits = p->split == SPLIT_NOTHING ? 1 : SPLITS;
    /* of CSR: a sample's nonzeros, and its part of all the weights if every batch moves them */
    const double moved = r->is_csr && !r->is_plain_sgd ? (double)r->inputs / (double)r->batch_size : 0;
    const double columns = (double)(r->output_lines * 64 / r->real_bytes);
    const double row_work = r->is_csr                   ? (r->row_nonzeros + moved) * columns
                            : p->split == SPLIT_SAMPLES ? r->work
                            : p->split == SPLIT_OUTPUTS ? work_by_outputs(r)
                                                        : (double)r->inputs * columns;
    const int64_t unit = p->regime == ONLINE_BLOCKS ? p->block : r->batch_size;
    const int threads =
        fnn_threads_for((double)r->rows * (r->work + moved * columns), TRAIN_THREAD_WORK, r->threads, r->all_threads);
    if ((double)unit * row_work >= THREAD_WORK) p->threads = threads < p->splits ? threads : p->splits;
}

/* Are so few inputs active that a way pays which skips the others? It may be less a column offset, and that is decided
   on the way. */
static int skips_inputs(const fnn_train_request *r, fnn_inputs inputs, int wide, fnn_train_plan *p) {
    const int online = inputs == ONLINE_MICRO_BATCHES;
    const int64_t rows = r->batch_size < r->rows ? r->batch_size : r->rows;
    const double offset_cost = (online ? 0 : wide ? OFFSET_ROWS_WIDE : OFFSET_ROWS) / (double)rows;
    const int seeks_offset = r->purpose != OUTPUTS && !r->is_uint8 && !r->has_block_csc && offset_cost < MOST_ACTIVE;
    p->samples_sharing = online                ? ONLINE_MICRO_BATCH
                         : inputs == BLOCK_CSC ? 1
                         : rows > MICRO_BATCH  ? MICRO_BATCH
                                               : rows;
    p->counted = p->samples_sharing == 1 ? BY_SAMPLE : BY_MICRO_BATCH;
    p->density = r->density[p->counted];
    p->offset = NO_OFFSET;
    if (r->rows == 1) p->density.x = 0; /* one row is done sooner than counted */
    if (p->density.x < 0) {
        p->needs = NEEDS_DENSITY;
        return 0;
    }
    if (seeks_offset && p->density.x > LEAST_ACTIVE_FOR_OFFSET) {
        if (p->density.e < 0) {
            p->needs = NEEDS_OFFSET_DENSITY;
            return 0;
        }
        const double cost = p->density.e + offset_cost;
        if (cost < MOST_ACTIVE && cost < MOST_LEFT_BY_OFFSET * p->density.x) {
            p->offset = COLUMN_OFFSET;
            return 1;
        }
    }
    return p->density.x < MOST_ACTIVE;
}

/* Work of a batch of bytes from which block-CSC is faster than micro-batches, by the width of the vectors. */
static int64_t block_csc_work_of_bytes(const fnn_train_request *r) {
    if (r->vector_bytes == 64) return BLOCK_CSC_WORK_BYTES_512;
    if (r->vector_bytes == 32 && r->batch_size >= BLOCK_CSC_SAMPLES_256) return BLOCK_CSC_WORK_BYTES_256;
    return BLOCK_CSC_WORK;
}

static void plan_inputs(const fnn_train_request *r, int wide, fnn_train_plan *p) {
    const int64_t work = r->batch_size * r->output_lines;
    const int64_t work_of_bytes = block_csc_work_of_bytes(r);
    const int64_t least_work = wide && r->is_uint8 ? work_of_bytes : BLOCK_CSC_WORK;
    const int is_fused = r->purpose == TRAINING && !r->is_plain_sgd && !r->clips_norm;
    const int forced = r->forced_inputs, online = p->regime == ONLINE_BLOCKS;
    p->inputs = r->is_csr ? CSR_ROWS : DENSE;
    if (r->is_csr || forced == DENSE) return;
    fnn_inputs way = MICRO_BATCHES;
    if (forced >= 0 ? forced == BLOCK_CSC
                    : work >= least_work || (is_fused && r->output_lines >= BLOCK_CSC_OPTIMIZER_LINES))
        way = BLOCK_CSC;
    if (online) way = ONLINE_MICRO_BATCHES;
    int skips = skips_inputs(r, way, wide, p);
    if (p->needs) return;
    if (!skips && way == MICRO_BATCHES && forced < 0 && r->batch_size >= BLOCK_CSC_SAMPLES_ACTIVE &&
        work >= BLOCK_CSC_WORK_ACTIVE) {
        way = BLOCK_CSC;
        skips = skips_inputs(r, way, wide, p);
        if (p->needs) return;
    } else if (way == MICRO_BATCHES && forced < 0 && r->is_uint8 && work >= work_of_bytes) {
        way = BLOCK_CSC; /* the splits, which decide the bits, are those of micro-batches */
    }
    if (skips || forced >= 0) p->inputs = way;
    if (r->has_block_csc && !online && forced < 0) p->inputs = STORED_BLOCK_CSC;
    if (r->purpose == OUTPUTS && r->rows == 1 && r->has_sums && p->inputs == MICRO_BATCHES) {
        if (r->ends_agree < 0) p->needs = NEEDS_ENDS;
        if (r->ends_agree > 0) p->offset = CONSTANT_OFFSET;
    }
}

fnn_train_plan fnn_plan_training(const fnn_train_request *request) {
    fnn_train_request r = *request;
    if (r.purpose != TRAINING) r.batch_size = r.rows;
    if (r.purpose == LAYER_GRADIENT && r.rows > LONG_BLOCK) r.batch_size = LONG_BLOCK;
    /* as what is stored of such batches is not in blocks */
    if ((r.clips_norm && r.batch_size > LONG_BLOCK && r.batch_size <= SHORT_BATCH) || is_long_for_network(&r))
        r.has_block_csc = 0;
    const int wide = splits_outputs(&r);
    const int online = r.purpose == TRAINING && r.is_plain_sgd && r.batch_size == 1 && r.rows > 1 && !r.is_csr;
    fnn_train_plan p = {.density = {-1, -1}};
    plan_shape(&r, wide, online, &p);
    plan_inputs(&r, wide, &p);
    if (online && !p.needs && p.inputs != DENSE && !p.offset) { /* sparse samples are faster one by one */
        plan_shape(&r, wide, 0, &p);
        plan_inputs(&r, wide, &p);
    }
    p.linked =
        p.inputs == CSR_ROWS && (p.update == FUSED_OPTIMIZER || p.update == LAZY_OPTIMIZER) ? r.batch_nonzeros : 0;
    p.reads_ahead = p.regime == SHORT_BATCHES && p.inputs != CSR_ROWS &&
                    r.batch_size * r.inputs * r.real_bytes <= MOST_READ_AHEAD_BYTES;
    if (p.needs) return p;
    const int by_columns = p.inputs == BLOCK_CSC || p.inputs == STORED_BLOCK_CSC;
    if (p.regime == ONLINE_BLOCKS) {
        if (p.inputs != DENSE) p.block = ONLINE_MICRO_BATCH;
        if (p.offset) p.span = ONLINE_SPAN, p.update = DEFERRED_UPDATE;
    }
    if (p.split == SPLIT_OUTPUTS && by_columns)
        p.weights = THREAD_LOCAL_PANELS;
    else if (p.split == SPLIT_OUTPUTS && p.threads > 1)
        p.weights = THREAD_LOCAL;
    else if (p.regime == LONG_BATCHES && by_columns && !r.clips_norm) /* panels would order the norms' sums */
        p.weights = PACKED_PANELS;
    p.reads_ahead &= p.threads > 1; /* else there is nothing to wait for */
    p.prefetched_rows = p.inputs == DENSE ? PREFETCHED_ROWS_DENSE : PREFETCHED_ROWS;
    p.prefetched_bytes = p.inputs == DENSE ? PREFETCHED_BYTES_DENSE : INT64_MAX;
    return p;
}

fnn_preparation fnn_plan_preparation(const fnn_preparation_request *r, int without_block_csc) {
    const int batches_again = r->batch_size >= LEAST_STORED_BATCH && r->epochs >= LEAST_STORED_EPOCHS;
    const int pays = r->rows * r->inputs >= LEAST_PREPARED && r->epochs * r->outputs >= LEAST_PREPARED_WORK;
    const int to_block_csc =
        r->forced < 0 ? pays && batches_again : r->forced == ROWS_TO_BLOCK_CSC && r->batch_size > 0;
    const int to_bytes = r->forced < 0 ? pays : r->forced != ROWS_AS_THEY_ARE;
    if (to_block_csc && !without_block_csc) return ROWS_TO_BLOCK_CSC;
    return to_bytes && !r->is_uint8 ? ROWS_TO_BYTES : ROWS_AS_THEY_ARE;
}
