/* What a pass through the network works on, and its memory. */
#ifndef FNN_TRAIN_WORKSPACE_H
#define FNN_TRAIN_WORKSPACE_H

#include "../gemm/packed.h"
#include "../gemm/csc.h"
#include "../gemm/micro_batches.h"
#include "../gemm/dense.h"
#include "../arena.h"

/* A block's inputs, in one of four forms. */
typedef struct {
    const int64_t *order; /* the block's sample s is order[s] or, without an order, first + s */
    int64_t first;
    row_pointers rows; /* where they lie, or less the usual row if there is one */
    real *x;   /* (BLOCK, sizes[0]) the dense rows; or the values of the others */
    packed_inputs group;
    block_csc lists;
    micro_batches teams;
} batch_inputs;

/* The usual row, and what a pass does with it; see plan.h. */
typedef struct {
    real *row;         /* (sizes[0]) the usual value of every input; NULL, as all of these, but in training or with sums */
    const real *sums;  /* (strides[0]) the sum of W0's rows, if the usual row is one value throughout; NULL in training */
    real *differences; /* (TOGETHER, sizes[0]) rows less this one, until they are packed */
    real *z;           /* (strides[0]) the first layer's z of the usual row */
    real *slope;       /* (strides[0]) a block's deltas, summed over the samples */
    /* and of a stretch of online batches; see online.h */
    real *share;    /* (CHUNKS, strides[0]) each chunk's part of z */
    real *products; /* (CHUNKS, GRAM_STRIDE) each chunk's part of row . (x - row), of the samples */
    real *packed;   /* (sizes[0]) the active inputs of row */
    real *owed;     /* (strides[0]) W0 is still to move by the outer product of row and this */
    real squares[CHUNKS]; /* each chunk's part of row . row */
} column_offset;

/* One thread's view of a forward and backward pass. Its share of the first layer: with `chunks` > 1 either the inputs
   of some chunks, rows of W0, or, if `by_outputs`, the outputs of some chunks: columns of W0, and the rows of W1 behind
   them. No other thread touches these. Of all other parameters it has a copy of its own, and every thread moves its
   copy in the same way. */
typedef struct {
    const fnn_net *net;
    const fnn_data *data;
    real *params, *state; /* the model's; state has slots of `size` elements */
    real *tail, *tail_state; /* parameters from tail_at on, and their state in slots of tail_slot elements */
    int64_t size, tail_at, tail_slot;
    int chunks, first_chunk, end_chunk, by_outputs;
    int64_t inputs_at[CHUNKS + 1], outputs_at[CHUNKS + 1]; /* where the chunks start */
    int first_walked, end_walked;   /* chunks of inputs that the thread's outputs need */
    int64_t low, high, left, right; /* these inputs, and its outputs, whole cache lines */
    int form;                       /* of the inputs */
    csc_layout stored;                  /* how the data's lists lie; of no rows if these are not used */
    column_offset usual;
    int has_usual;
    batch_inputs *in;            /* its inputs, of the chunks that it walks, */
    batch_inputs *next;          /* and those of the next batch; NULL where it is not brought in ahead */
    fnn_barrier *barrier;
    int thread, threads;
    double stalled; /* seconds of waiting for threads without a core */
    const fnn_net *all; /* net, unless the thread has columns of its own: then of which network these are, */
    int64_t cut;        /* from which column on. See own_columns.h */
    fnn_net own_net;
    int64_t *own_numbers;
    real *own; /* (1 + slots, size) parameters and state */
    int in_strips; /* whether the first layer's of these lie strip by strip */
    csc_batch coming; /* the next batch, if z of it goes along with the update of these; its x NULL if not */
    real **a;              /* layers + 1 of them: a[l + 1] (BLOCK, strides[l]) is layer l's output */
    real **transposed;    /* (sizes[l+1], strides[l-1]) layer l's weights, for the way back, in whole fours of rows; NULL
                              for layer 0 */
    real *delta, *before; /* (BLOCK, widest stride) dL/dz of a layer and of the one before it */
    real *gradient;       /* laid out as params; for batches longer than a block thread 0 has CHUNKS of them */
    real *partial;        /* thread 0's (2, share_room): the chunks' shares of z, of two batches in turn */
    int64_t share_room;   /* elements of one of the two */
    real *x_columns, *gram, *run_z, *moves; /* of a run of online batches; see online.h */
    fnn_interrupt *interrupt; /* NULL in all threads but one */
    uint64_t control;     /* the caller's float environment, in which it runs */
    int *stop;            /* set once it says so; read by all threads */
    double loss;          /* summed over the samples seen */
    int64_t correct;
} workspace;

static real *parameters(const workspace *pass, int64_t at) {
    return at < pass->tail_at ? pass->params + at : pass->tail + (at - pass->tail_at);
}

/* Whether threads share out the first layer's outputs in batches of so many rows: each needs all of the inputs then,
   but the layers behind have less to do than with all the outputs. */
static int splits_outputs(const fnn_net *net, int64_t rows) {
    const int64_t lines = net->strides[0] * (int64_t)sizeof(real) / 64;
    if (rows <= MOST_ONLINE || rows > BLOCK || net->layers == 1 || lines < CHUNKS) return 0;
    return fnn_forced_split >= 0 ? fnn_forced_split : lines >= WIDE_LINES;
}

static int64_t parameter_count(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Room for one block's inputs in any form. */
static batch_inputs *place_inputs(arena_cursor *at, const fnn_net *net, int64_t block, real *of_byte) {
    const int64_t width = net->sizes[0], quads = (width + QUAD - 1) / QUAD;
    const int64_t in_line = 64 / (QUAD * (int64_t)sizeof(real)); /* quads of a cache line */
    const int64_t packed = (block + TOGETHER - 1) / TOGETHER * TOGETHER;
    const int64_t room = packed + in_line; /* an odd number of cache lines: a row goes to the same place in many lists */
    const int64_t teams = (block + TEAM - 1) / TEAM, listed = quads * room, teamed = teams * width;
    batch_inputs *in = arena_take(at, sizeof *in);
    const void **row = arena_take(at, block * sizeof *row);
    real *x = arena_take(at, quads * room * QUAD * sizeof(real));
    int32_t *index = arena_take(at, (listed > teamed ? listed : teamed) * sizeof *index);
    int64_t *start = arena_take(at, quads * sizeof *start), *end = arena_take(at, quads * sizeof *end);
    int64_t *chunk_count = arena_take(at, teams * CHUNKS * sizeof *chunk_count);
    real *strip = arena_take(at, block * STRIP_WIDTH * sizeof(real));
    real *zeros = arena_take(at, net->strides[0] * sizeof(real)), *sink = arena_take(at, net->strides[0] * sizeof(real));
    if (!at->base) return NULL;
    memset(zeros, 0, net->strides[0] * sizeof(real));
    for (int64_t quad = 0; quad < quads; quad++) start[quad] = quad * room;
    *in = (batch_inputs){.rows = {row, 0, of_byte},
                   .x = x,
                   .group = {.value = x, .index = index, .count = chunk_count, .width = width},
                   .lists = {.start = start, .end = end, .place = index, .value = x, .of_byte = of_byte,
                             .room = packed, .inputs = width, .strip = strip, .zeros = zeros, .sink = sink},
                   .teams = {.index = index, .count = chunk_count, .width = width}};
    return in;
}

/* Lays a pass out in the arena, with one chunk of all inputs. Returns the bytes used. */
static size_t layout_workspace(workspace *pass, const fnn_net *net, int64_t rows, int purpose, void *arena) {
    arena_cursor at = {arena, 0};
    const int training = purpose != FORWARD, leads = purpose == LEADING, is_long = rows > BLOCK;
    const int online = training && rows <= MOST_ONLINE;
    const int64_t inputs = net->sizes[0], block = online ? RUN : is_long ? LONG_BLOCK : rows;
    int64_t widest = 0;
    workspace here = {.net = net, .all = net, .chunks = 1, .end_chunk = 1, .end_walked = 1, .high = inputs,
                 .right = net->strides[0]};
    here.by_outputs = training && splits_outputs(net, rows);
    here.size = parameter_count(net);
    here.tail_at = net->weights[here.by_outputs] + net->sizes[here.by_outputs] * net->strides[here.by_outputs];
    here.tail_slot = here.size - here.tail_at;
    here.a = arena_take(&at, (net->layers + 1) * sizeof *here.a);
    here.transposed = arena_take(&at, net->layers * sizeof *here.transposed);
    real *of_byte = arena_take(&at, 256 * sizeof(real));
    here.in = place_inputs(&at, net, block, of_byte);
    if (training && !is_long && !online && block * inputs * (int64_t)sizeof(real) <= NEXT_BYTES)
        here.next = place_inputs(&at, net, block, of_byte);
    for (int64_t l = 0; l < net->layers; l++) {
        real *a = arena_take(&at, block * net->strides[l] * sizeof(real)), *transposed = NULL;
        if (training && l > 0)
            transposed = arena_take(&at, (net->sizes[l + 1] + 3) / 4 * 4 * net->strides[l - 1] * sizeof(real));
        if (arena) here.a[l + 1] = a, here.transposed[l] = transposed;
        if (net->strides[l] > widest) widest = net->strides[l];
    }
    if (training) {
        here.delta = arena_take(&at, block * widest * sizeof(real));
        here.before = arena_take(&at, block * widest * sizeof(real));
        here.share_room = CHUNKS * block * (net->strides[here.by_outputs] + (online ? GRAM_STRIDE : 0));
        if (!is_long) here.gradient = arena_take(&at, here.size * sizeof(real));
        if (leads && is_long) here.gradient = arena_take(&at, CHUNKS * here.size * sizeof(real));
        if (leads && !is_long) here.partial = arena_take(&at, 2 * here.share_room * sizeof(real));
        here.usual.row = arena_take(&at, inputs * sizeof(real));
        here.usual.differences = arena_take(&at, TOGETHER * inputs * sizeof(real));
        here.usual.z = arena_take(&at, net->strides[0] * sizeof(real));
        here.usual.slope = arena_take(&at, net->strides[0] * sizeof(real));
        if (online) {
            here.usual.share = arena_take(&at, CHUNKS * net->strides[0] * sizeof(real));
            here.usual.products = arena_take(&at, CHUNKS * GRAM_STRIDE * sizeof(real));
            here.usual.packed = arena_take(&at, inputs * sizeof(real));
            here.usual.owed = arena_take(&at, net->strides[0] * sizeof(real));
            here.x_columns = arena_take(&at, inputs * GRAM_STRIDE * sizeof(real));
            here.gram = arena_take(&at, RUN * GRAM_STRIDE * sizeof(real));
            here.run_z = arena_take(&at, RUN * net->strides[0] * sizeof(real));
            here.moves = arena_take(&at, RUN * net->strides[0] * sizeof(real));
        }
        if (here.by_outputs || (leads && is_long)) here.own = arena_take(&at, 3 * here.size * sizeof(real));
        if (here.by_outputs) here.own_numbers = arena_take(&at, 4 * (net->layers + 1) * sizeof(int64_t));
        here.tail = arena_take(&at, here.tail_slot * sizeof(real));
        here.tail_state = arena_take(&at, 2 * here.tail_slot * sizeof(real));
    } else if (rows == 1 && net->row_sums >= 0) {
        here.usual.row = arena_take(&at, inputs * sizeof(real));
        here.usual.z = arena_take(&at, net->strides[0] * sizeof(real));
    }
    if (pass) *pass = here;
    return at.used;
}

static const void *row_at(const fnn_data *data, int64_t width, int64_t i) {
    return (const char *)data->x + i * width * (data->is_uint8 ? 1 : sizeof(real));
}

static int64_t sample(const batch_inputs *in, int64_t s) {
    return in->order ? in->order[s] : in->first + s;
}

/* The first layer's weights of `all` parameters, or of what is laid out like them. */
static panel_matrix first_weights(const workspace *pass, real *all) {
    return (panel_matrix){all + pass->net->weights[0], pass->net->strides[0], pass->in_strips ? pass->net->sizes[0] : 0};
}

static void meet(workspace *pass) {
    fnn_arrive(pass->barrier, pass->thread);
    pass->stalled += fnn_wait(pass->barrier, pass->thread, pass->threads);
}

/* The chunks' shares of a sum, `step` elements each, are added as (s0 + s1) + (s2 + s3), so that a thread that has both
   of a pair can add them before it meets the others: that halves what goes from core to core. */
static void fold_shares(const workspace *pass, real *shares, int64_t step) {
    if (pass->threads > CHUNKS / 2 || pass->chunks < CHUNKS) return;
    for (int c = pass->first_chunk; c < pass->end_chunk; c += 2)
        for (real *to = shares + c * step, *end = to + step; to < end; to += LANES)
            vstore(to, vload(to) + vload(to + step));
}

/* A vector of that sum, once all have met. */
INLINE vec sum_shares(const workspace *pass, const real *shares, int64_t step) {
    const vec first = vload(shares);
    if (pass->chunks < CHUNKS) return first; /* there is one */
    if (pass->threads <= CHUNKS / 2) return first + vload(shares + 2 * step);
    return (first + vload(shares + step)) + (vload(shares + 2 * step) + vload(shares + 3 * step));
}

#endif
