/* What one thread works on while rows go through the network, and how it lies in memory.

   Shapes: m samples of a block; layer l maps sizes[l] inputs to sizes[l + 1] outputs. A row of its weights has
   strides[l] elements, whole cache lines; one of its z, outputs and delta has output_width(l), whole vectors, and
   products run over these columns alone. */
#ifndef FNN_TRAIN_WORKSPACE_H
#define FNN_TRAIN_WORKSPACE_H

#include "../arena.h"
#include "../gemm/block_csc_gemm.h"
#include "../gemm/csr.h"
#include "../gemm/micro_batch.h"
#include "../gemm/online_micro_batch.h"
#include "../gemm/stored_block_csc.h"
#include "activations.h"

/* So many elements or a few more: as many as fill whole cache lines. */
INLINE int64_t whole_lines(int64_t count) {
    const int64_t line = 64 / sizeof(real);
    return (count + line - 1) / line * line;
}

/* The elements of a row of layer l's outputs: whole vectors. */
INLINE int64_t output_width(const fnn_net *net, int64_t l) { return (net->sizes[l + 1] + LANES - 1) / LANES * LANES; }

/* A block's inputs, in one of the plan's ways. */
typedef struct {
    const int64_t *order; /* the block's sample s is order[s] or, without an order, first + s */
    int64_t first;
    row_pointers rows; /* where they lie, or less the column offset if there is one */
    real *x;           /* (block, sizes[0]) the dense rows; or the values of the others */
    online_micro_batch online;
    block_csc csc;
    micro_batches micro;
    csr_batch csr;
} batch_inputs;

/* The column offset u, x = u + e, and what the thread does with it. */
typedef struct {
    const real *u;    /* (sizes[0]) */
    const real *sums; /* (strides[0]) the sum of W0's rows, if u is one value throughout */
    real *e;          /* (PACKED_TOGETHER, sizes[0]) rows less u, until they are packed */
    real *z;          /* (output_width(0)) start + u W0 */
    real *delta_sum;  /* (output_width(0)) a block's delta, summed over its samples */
    /* and of a span of online blocks; see online.h */
    real *partial_z;     /* (SPLITS, output_width(0)) each split's part of u W0 */
    real *products;      /* (SPLITS, GRAM_STRIDE) each split's part of u . e of the samples */
    real *packed;        /* (sizes[0]) the active inputs of u */
    real *deferred;      /* (output_width(0)) W0 still lacks the outer product of u and this */
    real square[SPLITS]; /* each split's part of u . u */
} column_offset;

/* The updates for which inputs wait; see lazy.h. A window is LAZY_BATCHES batches of a call, after which none waits. */
typedef struct {
    int32_t *lacks; /* (inputs) the first batch of the window whose update an input still lacks; all threads' */
    real *squares;  /* (SPLITS, LAZY_BATCHES, strides[0]) the sums of w w before each one's update; all threads' */
    real *pull;     /* (LAZY_BATCHES) -rate l2 of each */
    int64_t first;  /* batch of the window, */
    int64_t done;   /* and how many of them are done */
} lazy_updates;

/* One thread's view. Its part of the first layer is that of some splits: their inputs, rows of W0, or their outputs,
   columns of W0 and the rows of W1 behind them; no other thread touches these. Of all other parameters it has a copy of
   its own, and every thread moves its copy in the same way. */
typedef struct {
    fnn_train_plan plan;
    const fnn_net *net;
    const fnn_data *data;
    real *params, *state; /* the model's, or the thread's part of them; state has slots of `size` elements */
    int64_t size;
    real *later, *later_state; /* the parameters from later_at on, and their state in slots of later_size elements */
    int64_t later_at, later_size;
    int splits, first_split, end_split;           /* of inputs or outputs; those of the thread */
    int64_t input_at[SPLITS + 1], output_at[SPLITS + 1]; /* where the splits start */
    int first_read, end_read;                     /* splits of inputs that the thread's outputs need */
    /* The thread's inputs, and its outputs. Splits of outputs start at whole cache lines; the last one ends with a whole
       vector. */
    int64_t low, high, left, right;
    int split_layer; /* the layer whose z is the sum of the splits' partial sums */
    stored_layout stored;
    column_offset offset;
    lazy_updates lazy;
    batch_inputs *in, *next; /* the block's inputs, and the next one's where the plan reads ahead */
    fnn_barrier *barrier;
    int thread, threads;
    double stalled; /* seconds of waiting for threads without a core */
    const fnn_net *whole_net; /* net, unless the thread has columns of its own: then of which network these are, */
    int64_t first_column; /* from which column on; see local_panels.h */
    fnn_net local_net;
    int64_t *local_numbers;
    real *local; /* (1 + slots, size) parameters and state */
    int in_panels; /* does the first layer of these lie panel by panel? */
    real **a; /* layers + 1 of them: a[l + 1] (block, output_width(l)) is layer l's output */
    /* layers + 1 of them: z[l + 1] (block, output_width(l)) of layer l, where the way back needs it; else NULL */
    real **z;
    /* (sizes[l + 1], output_width(l - 1)) layer l's weights for the way back, in whole fours of rows; NULL for
       layer 0 */
    real **transposed;
    real *delta, *before; /* (block, output_width) dL/dz of a layer and of the one before it; room for the widest */
    double *scales; /* (layers, 2) of the gradients of weights and biases, where norms are clipped; see epoch.h */
    real *gradient; /* laid out as params; thread 0 has SPLITS of them for long batches */
    /* thread 0's (2, partial_room): partial sums of z, of two batches in turn, as those of one must not overwrite those
       of the batch before */
    real *partial;
    int64_t partial_room; /* elements of one of the two */
    int64_t turn; /* batches begun */
    real *x_columns, *gram, *block_z, *d; /* of an online block; see online.h */
    fnn_interrupt *interrupt; /* NULL in all threads but one */
    uint64_t control; /* the caller's float environment, in which it runs */
    int *stop; /* set once it says so; read by all threads */
    double *penalties; /* (SPLITS + 1) the parts of the batch's penalty, where these are asked for; else NULL */
    const int64_t *order; /* of the epoch, */
    real *outputs; /* (rows, outputs) and where the outputs of each of its rows go, or NULL */
    double loss; /* summed over the samples seen */
    int64_t correct;
} workspace;

static real *parameters(const workspace *ws, int64_t at) {
    return at < ws->later_at ? ws->params + at : ws->later + (at - ws->later_at);
}

static const real *bias_of(const workspace *ws, int64_t l) {
    return ws->net->biases[l] < 0 ? NULL : parameters(ws, ws->net->biases[l]);
}

/* Does every batch's update move all weights, by an optimizer that takes the gradient piece by piece? */
static int moves_all(const fnn_train_plan *plan) {
    return plan->update == FUSED_OPTIMIZER || plan->update == LAZY_OPTIMIZER;
}

/* Is the first layer's penalty measured while its update has the weights in the first-level cache? */
static int measures_in_update(const fnn_train_plan *plan) {
    return moves_all(plan) && plan->split != SPLIT_OUTPUTS &&
           (plan->inputs == CSR_ROWS || plan->inputs == MICRO_BATCHES);
}

static int is_by_columns(const fnn_train_plan *plan) {
    return plan->inputs == BLOCK_CSC || plan->inputs == STORED_BLOCK_CSC;
}

static int64_t parameter_count(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Room for one block's inputs as CSR, which has its nonzeros where the caller has them. */
static batch_inputs *place_csr(arena_cursor *at, const fnn_net *net, const fnn_train_plan *plan) {
    batch_inputs *in = arena_take(at, sizeof *in);
    int64_t *head = moves_all(plan) ? arena_take(at, net->sizes[0] * sizeof *head) : NULL;
    linked_nonzero *linked = arena_take(at, plan->linked * sizeof *linked);
    int32_t *active = arena_take(at, (plan->linked + 1) * sizeof *active);
    if (!at->base) return NULL;
    *in = (batch_inputs){.csr = {.head = head, .linked = linked, .active = active}};
    for (int64_t i = 0; head && i < net->sizes[0]; i++) head[i] = -1;
    return in;
}

/* Room for one block's inputs in any other way. */
static batch_inputs *place_inputs(arena_cursor *at, const fnn_net *net, int64_t block, real *byte_value) {
    const int64_t width = net->sizes[0], input_blocks = (width + INPUT_BLOCK - 1) / INPUT_BLOCK;
    const int64_t in_line = 64 / (INPUT_BLOCK * (int64_t)sizeof(real)); /* nonzeros of a cache line */
    const int64_t packed = (block + PACKED_TOGETHER - 1) / PACKED_TOGETHER * PACKED_TOGETHER;
    const int64_t room = packed + in_line; /* an odd number of cache lines: a row goes to the same offset of many */
    const int64_t batches = (block + MICRO_BATCH - 1) / MICRO_BATCH;
    const int64_t nonzeros = input_blocks * room, indexed = batches * (width + SPLITS);
    batch_inputs *in = arena_take(at, sizeof *in);
    const void **row = arena_take(at, block * sizeof *row);
    real *x = arena_take(at, nonzeros * INPUT_BLOCK * sizeof(real));
    int32_t *index = arena_take(at, (nonzeros > indexed ? nonzeros : indexed) * sizeof *index);
    int64_t *start = arena_take(at, input_blocks * sizeof *start), *end = arena_take(at, input_blocks * sizeof *end);
    int64_t *count = arena_take(at, SPLITS * sizeof *count);
    real *panel = arena_take(at, block * PANEL_COLUMNS * sizeof(real));
    real *zeros = arena_take(at, net->strides[0] * sizeof(real)),
         *sink = arena_take(at, net->strides[0] * sizeof(real));
    if (!at->base) return NULL;
    memset(zeros, 0, net->strides[0] * sizeof(real));
    for (int64_t b = 0; b < input_blocks; b++) start[b] = b * room;
    *in = (batch_inputs){.rows = {row, 0, byte_value},
                         .x = x,
                         .online = {.value = x, .index = index, .count = count, .width = width},
                         .csc = {.start = start,
                                 .end = end,
                                 .offset = index,
                                 .value = x,
                                 .byte_value = byte_value,
                                 .room = packed,
                                 .inputs = width,
                                 .panel = panel,
                                 .zeros = zeros,
                                 .sink = sink},
                         .micro = {.index = index, .width = width}};
    return in;
}

/* Lays a workspace out in the arena, with one split of all inputs and outputs. Returns the bytes used, which suit the
   plan however its inputs are read. `leads`: it also has what the threads of a training share. */
static size_t layout_workspace(workspace *ws, const fnn_net *net, const fnn_train_plan *plan, int leads, void *arena) {
    arena_cursor at = {arena, 0};
    const int is_long = plan->regime == LONG_BATCHES, online = plan->regime == ONLINE_BLOCKS;
    const int goes_back = plan->update != NO_UPDATE, trains = goes_back && plan->update != ADD_TO_GRADIENT;
    const int64_t inputs = net->sizes[0], stride = net->strides[0];
    const int64_t block = online ? ONLINE_BLOCK : plan->block;
    int64_t widest = 0;
    workspace here = {.plan = *plan,
                      .net = net,
                      .whole_net = net,
                      .splits = 1,
                      .end_split = 1,
                      .end_read = 1,
                      .high = inputs,
                      .right = output_width(net, 0),
                      .split_layer = plan->split == SPLIT_OUTPUTS};
    here.size = parameter_count(net);
    here.later_at = net->weights[here.split_layer] + net->sizes[here.split_layer] * net->strides[here.split_layer];
    here.later_size = here.size - here.later_at;
    here.a = arena_take(&at, (net->layers + 1) * sizeof *here.a);
    here.z = arena_take(&at, (net->layers + 1) * sizeof *here.z);
    here.transposed = arena_take(&at, net->layers * sizeof *here.transposed);
    real *byte_value = arena_take(&at, 256 * sizeof(real));
    here.in = plan->inputs == CSR_ROWS ? place_csr(&at, net, plan) : place_inputs(&at, net, block, byte_value);
    if (plan->reads_ahead) here.next = place_inputs(&at, net, block, byte_value);
    for (int64_t l = 0; l < net->layers; l++) {
        real *a = arena_take(&at, block * net->strides[l] * sizeof(real)), *transposed = NULL, *z = NULL;
        if (goes_back && l > 0)
            transposed = arena_take(&at, (net->sizes[l + 1] + 3) / 4 * 4 * net->strides[l - 1] * sizeof(real));
        if (goes_back && is_of_z(net->activations[l])) z = arena_take(&at, block * net->strides[l] * sizeof(real));
        if (arena) here.a[l + 1] = a, here.z[l + 1] = z, here.transposed[l] = transposed;
        if (net->strides[l] > widest) widest = net->strides[l];
    }
    here.offset.z = arena_take(&at, stride * sizeof(real));
    if (goes_back) {
        here.delta = arena_take(&at, block * widest * sizeof(real));
        here.before = arena_take(&at, block * widest * sizeof(real));
        here.offset.e = arena_take(&at, PACKED_TOGETHER * inputs * sizeof(real));
        here.offset.delta_sum = arena_take(&at, stride * sizeof(real));
    }
    if (trains) {
        if (is_long) here.scales = arena_take(&at, 2 * net->layers * sizeof(double));
        here.partial_room = SPLITS * block * (net->strides[here.split_layer] + (online ? GRAM_STRIDE : 0));
        if (!is_long) here.gradient = arena_take(&at, here.size * sizeof(real));
        if (leads && is_long) here.gradient = arena_take(&at, SPLITS * here.size * sizeof(real));
        if (leads && !is_long) here.partial = arena_take(&at, 2 * here.partial_room * sizeof(real));
        here.later = arena_take(&at, here.later_size * sizeof(real));
        here.later_state = arena_take(&at, 2 * here.later_size * sizeof(real));
    }
    if (plan->update == LAZY_OPTIMIZER) {
        here.lazy.pull = arena_take(&at, LAZY_BATCHES * sizeof(real));
        if (leads) here.lazy.lacks = arena_take(&at, inputs * sizeof *here.lazy.lacks);
        if (leads) here.lazy.squares = arena_take(&at, SPLITS * LAZY_BATCHES * stride * sizeof(real));
    }
    if (online) {
        here.offset.partial_z = arena_take(&at, SPLITS * stride * sizeof(real));
        here.offset.products = arena_take(&at, SPLITS * GRAM_STRIDE * sizeof(real));
        here.offset.packed = arena_take(&at, inputs * sizeof(real));
        here.offset.deferred = arena_take(&at, stride * sizeof(real));
        here.x_columns = arena_take(&at, inputs * GRAM_STRIDE * sizeof(real));
        here.gram = arena_take(&at, ONLINE_BLOCK * GRAM_STRIDE * sizeof(real));
        here.block_z = arena_take(&at, ONLINE_BLOCK * stride * sizeof(real));
        here.d = arena_take(&at, ONLINE_BLOCK * stride * sizeof(real));
    }
    if (plan->split == SPLIT_OUTPUTS || (leads && is_long)) here.local = arena_take(&at, 3 * here.size * sizeof(real));
    if (plan->split == SPLIT_OUTPUTS) here.local_numbers = arena_take(&at, 4 * (net->layers + 1) * sizeof(int64_t));
    if (ws) *ws = here;
    return at.used;
}

/* A workspace in the arena for a planned call, by its plan or that of fewer threads. */
static void begin_workspace(workspace *ws, const fnn_planned *planned, const fnn_train_plan *plan, const fnn_net *net,
                            const fnn_data *data, int leads, void *arena) {
    const int64_t line = 64 / sizeof(real);
    const int stored = plan->inputs == STORED_BLOCK_CSC;
    const real scale = (real)(stored ? data->block_csc_scale : data->scale);
    layout_workspace(ws, net, plan, leads, arena);
    ws->data = data;
    ws->splits = plan->split == SPLIT_SAMPLES ? 1 : plan->splits;
    ws->end_split = ws->end_read = ws->splits;
    memcpy(ws->input_at, planned->split_at, sizeof ws->input_at);
    for (int c = 0; c < ws->splits; c++) ws->output_at[c] = net->strides[0] / line * c / ws->splits * line;
    ws->output_at[ws->splits] = output_width(net, 0);
    ws->offset.u = planned->offset;
    if (stored) ws->stored = layout_stored(net->sizes[0], planned->request.batch_size);
    real *byte_value = ws->in->rows.byte_value;
    for (int b = 0; (stored || data->is_uint8) && b < 256; b++) byte_value[b] = (real)b * scale;
    for (batch_inputs *in = ws->in; in; in = in == ws->in ? ws->next : NULL) {
        in->online.bounds = in->micro.bounds = ws->input_at;
        in->rows.is_uint8 = data->is_uint8;
        in->csr.indptr = data->indptr;
        in->csr.indices = data->indices;
        in->csr.value = data->x;
    }
}

/* Gives the thread the splits from `first` to before `end`; without it, it has all. */
static void take_splits(workspace *ws, int first, int end) {
    ws->first_split = first;
    ws->end_split = end;
    if (ws->plan.split == SPLIT_OUTPUTS) {
        ws->left = ws->output_at[first];
        ws->right = ws->output_at[end];
    } else {
        ws->first_read = first;
        ws->end_read = end;
        ws->low = ws->input_at[first];
        ws->high = ws->input_at[end];
    }
}

static const void *row_at(const fnn_data *data, int64_t width, int64_t i) {
    return (const char *)data->x + i * width * (data->is_uint8 ? 1 : sizeof(real));
}

static int64_t sample(const batch_inputs *in, int64_t s) { return in->order ? in->order[s] : in->first + s; }

/* The first layer's weights of `all` parameters, or of what is laid out like them. */
static panel_matrix first_weights(const workspace *ws, real *all) {
    return (panel_matrix){all + ws->net->weights[0], ws->net->strides[0], ws->in_panels ? ws->net->sizes[0] : 0};
}

/* Waits until all threads have come here. */
static void await_threads(workspace *ws) {
    fnn_arrive(ws->barrier, ws->thread);
    ws->stalled += fnn_wait(ws->barrier, ws->thread, ws->threads);
}

/* Elements from a split's partial sums of m samples' z to the next split's: whole cache lines, as several threads
   write them. */
static int64_t partial_step(const workspace *ws, int64_t m) {
    return whole_lines(m * output_width(ws->net, ws->split_layer));
}

/* The splits' partial sums, `count` elements `step` apart, are added as (s0 + s1) + (s2 + s3), so that a thread that has
   both of a pair can add them before it waits for the others: that halves what goes from core to core. */
static void reduce_pairs(const workspace *ws, real *partial, int64_t count, int64_t step) {
    if (ws->threads > SPLITS / 2 || ws->splits < SPLITS) return;
    for (int c = ws->first_split; c < ws->end_split; c += 2)
        for (real *to = partial + c * step, *end = to + count; to < end; to += LANES)
            vstore(to, vload(to) + vload(to + step));
}

/* Room for the partial sums of the next batch, or online block. */
static real *next_partial(workspace *ws) { return ws->partial + ws->turn++ % 2 * ws->partial_room; }

/* A vector of that sum, once all have come. */
INLINE vec reduced(const workspace *ws, const real *partial, int64_t step) {
    const vec first = vload(partial);
    if (ws->splits < SPLITS) return first; /* there is one */
    if (ws->threads <= SPLITS / 2) return first + vload(partial + 2 * step);
    return (first + vload(partial + step)) + (vload(partial + 2 * step) + vload(partial + 3 * step));
}

#endif
