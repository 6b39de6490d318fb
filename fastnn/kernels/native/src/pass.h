/* What a pass through the network works on, and its memory. Template, after teams.h. */

/* A block's inputs, in one of four forms. */
typedef struct {
    const int64_t *order; /* the block's sample s is order[s] or, without an order, first + s */
    int64_t first;
    ROWS rows; /* where they lie, or less the usual row if there is one */
    REAL *x;   /* (BLOCK, sizes[0]) the dense rows; or the values of the others */
    SAMPLE_GROUP group;
    SAMPLE_LISTS lists;
    SAMPLE_TEAMS teams;
} FN(inputs);
#define INPUTS FN(inputs)

/* The usual row, and what a pass does with it; see plan.h. */
typedef struct {
    REAL *row;         /* (sizes[0]) the usual value of every input; NULL, as all of these, but in training or with sums */
    const REAL *sums;  /* (strides[0]) the sum of W0's rows, if the usual row is one value throughout; NULL in training */
    REAL *differences; /* (TOGETHER, sizes[0]) rows less this one, until they are packed */
    REAL *z;           /* (strides[0]) the first layer's z of the usual row */
    REAL *slope;       /* (strides[0]) a block's deltas, summed over the samples */
    /* and of a stretch of online batches; see online.h */
    REAL *share;    /* (CHUNKS, strides[0]) each chunk's part of z */
    REAL *products; /* (CHUNKS, GRAM_STRIDE) each chunk's part of row . (x - row), of the samples */
    REAL *packed;   /* (sizes[0]) the active inputs of row */
    REAL *owed;     /* (strides[0]) W0 is still to move by the outer product of row and this */
    REAL squares[CHUNKS]; /* each chunk's part of row . row */
} FN(usual);
#define USUAL FN(usual)

/* One thread's view of a forward and backward pass. Its share of the first layer: with `chunks` > 1 either the inputs
   of some chunks, rows of W0, or, if `by_outputs`, the outputs of some chunks: columns of W0, and the rows of W1 behind
   them. No other thread touches these. Of all other parameters it has a copy of its own, and every thread moves its
   copy in the same way. */
typedef struct {
    const fnn_net *net;
    const fnn_data *data;
    REAL *params, *state; /* the model's; state has slots of `size` elements */
    REAL *tail, *tail_state; /* parameters from tail_at on, and their state in slots of tail_slot elements */
    int64_t size, tail_at, tail_slot;
    int chunks, first_chunk, end_chunk, by_outputs;
    int64_t inputs_at[CHUNKS + 1], outputs_at[CHUNKS + 1]; /* where the chunks start */
    int first_walked, end_walked;   /* chunks of inputs that the thread's outputs need */
    int64_t low, high, left, right; /* these inputs, and its outputs, whole cache lines */
    int form;                       /* of the inputs */
    STORED stored;                  /* how the data's lists lie; of no rows if these are not used */
    USUAL usual;
    int has_usual;
    INPUTS *in;            /* its inputs, of the chunks that it walks, */
    INPUTS *next;          /* and those of the next batch; NULL where it is not brought in ahead */
    fnn_barrier *barrier;
    int thread, threads;
    double stalled; /* seconds of waiting for threads without a core */
    const fnn_net *all; /* net, unless the thread has columns of its own: then of which network these are, */
    int64_t cut;        /* from which column on. See own_columns.h */
    fnn_net own_net;
    int64_t *own_numbers;
    REAL *own; /* (1 + slots, size) parameters and state */
    int in_strips; /* whether the first layer's of these lie strip by strip */
    LISTED_BATCH coming; /* the next batch, if z of it goes along with the update of these; its x NULL if not */
    REAL **a;              /* layers + 1 of them: a[l + 1] (BLOCK, strides[l]) is layer l's output */
    REAL **transposed;    /* (sizes[l+1], strides[l-1]) layer l's weights, for the way back, in whole fours of rows; NULL
                              for layer 0 */
    REAL *delta, *before; /* (BLOCK, widest stride) dL/dz of a layer and of the one before it */
    REAL *gradient;       /* laid out as params; for batches longer than a block thread 0 has CHUNKS of them */
    REAL *partial;        /* thread 0's (2, share_room): the chunks' shares of z, of two batches in turn */
    int64_t share_room;   /* elements of one of the two */
    REAL *x_columns, *gram, *run_z, *moves; /* of a run of online batches; see online.h */
    fnn_interrupt *interrupt; /* NULL in all threads but one */
    uint64_t control;     /* the caller's float environment, in which it runs */
    int *stop;            /* set once it says so; read by all threads */
    double loss;          /* summed over the samples seen */
    int64_t correct;
} FN(pass);
#define PASS FN(pass)

/* Hands out pieces of the arena; with a NULL base it only adds up their sizes. */
typedef struct {
    char *base;
    size_t used;
} FN(cursor);

static void *FN(take)(FN(cursor) *cursor, size_t bytes) {
    void *piece = cursor->base ? cursor->base + cursor->used : NULL;
    cursor->used += (bytes + 63) / 64 * 64;
    return piece;
}

static REAL *FN(parameters)(const PASS *pass, int64_t at) {
    return at < pass->tail_at ? pass->params + at : pass->tail + (at - pass->tail_at);
}

/* Whether threads share out the first layer's outputs in batches of so many rows: each needs all of the inputs then,
   but the layers behind have less to do than with all the outputs. */
static int FN(by_outputs)(const fnn_net *net, int64_t rows) {
    const int64_t lines = net->strides[0] * (int64_t)sizeof(REAL) / 64;
    if (rows <= MOST_ONLINE || rows > BLOCK || net->layers == 1 || lines < CHUNKS) return 0;
    return fnn_forced_split >= 0 ? fnn_forced_split : lines >= WIDE_LINES;
}

static int64_t FN(parameter_count)(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Room for one block's inputs in any form. */
static INPUTS *FN(place_inputs)(FN(cursor) *at, const fnn_net *net, int64_t block, REAL *of_byte) {
    const int64_t width = net->sizes[0], quads = (width + QUAD - 1) / QUAD;
    const int64_t in_line = 64 / (QUAD * (int64_t)sizeof(REAL)); /* quads of a cache line */
    const int64_t packed = (block + TOGETHER - 1) / TOGETHER * TOGETHER;
    const int64_t room = packed + in_line; /* an odd number of cache lines: a row goes to the same place in many lists */
    const int64_t teams = (block + TEAM - 1) / TEAM, listed = quads * room, teamed = teams * width;
    INPUTS *in = FN(take)(at, sizeof *in);
    const void **row = FN(take)(at, block * sizeof *row);
    REAL *x = FN(take)(at, quads * room * QUAD * sizeof(REAL));
    int32_t *index = FN(take)(at, (listed > teamed ? listed : teamed) * sizeof *index);
    int64_t *start = FN(take)(at, quads * sizeof *start), *end = FN(take)(at, quads * sizeof *end);
    int64_t *chunk_count = FN(take)(at, teams * CHUNKS * sizeof *chunk_count);
    REAL *strip = FN(take)(at, block * STRIP_WIDTH * sizeof(REAL));
    REAL *zeros = FN(take)(at, net->strides[0] * sizeof(REAL)), *sink = FN(take)(at, net->strides[0] * sizeof(REAL));
    if (!at->base) return NULL;
    memset(zeros, 0, net->strides[0] * sizeof(REAL));
    for (int64_t quad = 0; quad < quads; quad++) start[quad] = quad * room;
    *in = (INPUTS){.rows = {row, 0, of_byte},
                   .x = x,
                   .group = {.value = x, .index = index, .count = chunk_count, .width = width},
                   .lists = {.start = start, .end = end, .place = index, .value = x, .of_byte = of_byte,
                             .room = packed, .inputs = width, .strip = strip, .zeros = zeros, .sink = sink},
                   .teams = {.index = index, .count = chunk_count, .width = width}};
    return in;
}

/* Lays a pass out in the arena, with one chunk of all inputs. Returns the bytes used. */
static size_t FN(place)(PASS *pass, const fnn_net *net, int64_t rows, int purpose, void *arena) {
    FN(cursor) at = {arena, 0};
    const int training = purpose != FORWARD, leads = purpose == LEADING, is_long = rows > BLOCK;
    const int online = training && rows <= MOST_ONLINE;
    const int64_t inputs = net->sizes[0], block = online ? RUN : is_long ? LONG_BLOCK : rows;
    int64_t widest = 0;
    PASS here = {.net = net, .all = net, .chunks = 1, .end_chunk = 1, .end_walked = 1, .high = inputs,
                 .right = net->strides[0]};
    here.by_outputs = training && FN(by_outputs)(net, rows);
    here.size = FN(parameter_count)(net);
    here.tail_at = net->weights[here.by_outputs] + net->sizes[here.by_outputs] * net->strides[here.by_outputs];
    here.tail_slot = here.size - here.tail_at;
    here.a = FN(take)(&at, (net->layers + 1) * sizeof *here.a);
    here.transposed = FN(take)(&at, net->layers * sizeof *here.transposed);
    REAL *of_byte = FN(take)(&at, 256 * sizeof(REAL));
    here.in = FN(place_inputs)(&at, net, block, of_byte);
    if (training && !is_long && !online && block * inputs * (int64_t)sizeof(REAL) <= NEXT_BYTES)
        here.next = FN(place_inputs)(&at, net, block, of_byte);
    for (int64_t l = 0; l < net->layers; l++) {
        REAL *a = FN(take)(&at, block * net->strides[l] * sizeof(REAL)), *transposed = NULL;
        if (training && l > 0)
            transposed = FN(take)(&at, (net->sizes[l + 1] + 3) / 4 * 4 * net->strides[l - 1] * sizeof(REAL));
        if (arena) here.a[l + 1] = a, here.transposed[l] = transposed;
        if (net->strides[l] > widest) widest = net->strides[l];
    }
    if (training) {
        here.delta = FN(take)(&at, block * widest * sizeof(REAL));
        here.before = FN(take)(&at, block * widest * sizeof(REAL));
        here.share_room = CHUNKS * block * (net->strides[here.by_outputs] + (online ? GRAM_STRIDE : 0));
        if (!is_long) here.gradient = FN(take)(&at, here.size * sizeof(REAL));
        if (leads && is_long) here.gradient = FN(take)(&at, CHUNKS * here.size * sizeof(REAL));
        if (leads && !is_long) here.partial = FN(take)(&at, 2 * here.share_room * sizeof(REAL));
        here.usual.row = FN(take)(&at, inputs * sizeof(REAL));
        here.usual.differences = FN(take)(&at, TOGETHER * inputs * sizeof(REAL));
        here.usual.z = FN(take)(&at, net->strides[0] * sizeof(REAL));
        here.usual.slope = FN(take)(&at, net->strides[0] * sizeof(REAL));
        if (online) {
            here.usual.share = FN(take)(&at, CHUNKS * net->strides[0] * sizeof(REAL));
            here.usual.products = FN(take)(&at, CHUNKS * GRAM_STRIDE * sizeof(REAL));
            here.usual.packed = FN(take)(&at, inputs * sizeof(REAL));
            here.usual.owed = FN(take)(&at, net->strides[0] * sizeof(REAL));
            here.x_columns = FN(take)(&at, inputs * GRAM_STRIDE * sizeof(REAL));
            here.gram = FN(take)(&at, RUN * GRAM_STRIDE * sizeof(REAL));
            here.run_z = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
            here.moves = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
        }
        if (here.by_outputs || (leads && is_long)) here.own = FN(take)(&at, 3 * here.size * sizeof(REAL));
        if (here.by_outputs) here.own_numbers = FN(take)(&at, 4 * (net->layers + 1) * sizeof(int64_t));
        here.tail = FN(take)(&at, here.tail_slot * sizeof(REAL));
        here.tail_state = FN(take)(&at, 2 * here.tail_slot * sizeof(REAL));
    } else if (rows == 1 && net->sums >= 0) {
        here.usual.row = FN(take)(&at, inputs * sizeof(REAL));
        here.usual.z = FN(take)(&at, net->strides[0] * sizeof(REAL));
    }
    if (pass) *pass = here;
    return at.used;
}

static const void *FN(row)(const fnn_data *data, int64_t width, int64_t i) {
    return (const char *)data->x + i * width * (data->is_uint8 ? 1 : sizeof(REAL));
}

static int64_t FN(sample)(const INPUTS *in, int64_t s) {
    return in->order ? in->order[s] : in->first + s;
}

/* The first layer's weights of `all` parameters, or of what is laid out like them. */
static MATRIX FN(first_weights)(const PASS *pass, REAL *all) {
    return (MATRIX){all + pass->net->weights[0], pass->net->strides[0], pass->in_strips ? pass->net->sizes[0] : 0};
}

static void FN(meet)(PASS *pass) {
    fnn_arrive(pass->barrier, pass->thread);
    pass->stalled += fnn_wait(pass->barrier, pass->thread, pass->threads);
}

/* The chunks' shares of a sum, `step` elements each, are added as (s0 + s1) + (s2 + s3), so that a thread that has both
   of a pair can add them before it meets the others: that halves what goes from core to core. */
static void FN(fold_shares)(const PASS *pass, REAL *shares, int64_t step) {
    if (pass->threads > CHUNKS / 2 || pass->chunks < CHUNKS) return;
    for (int c = pass->first_chunk; c < pass->end_chunk; c += 2)
        for (REAL *to = shares + c * step, *end = to + step; to < end; to += LANES)
            FN(vstore)(to, FN(vload)(to) + FN(vload)(to + step));
}

/* A vector of that sum, once all have met. */
INLINE V FN(sum_shares)(const PASS *pass, const REAL *shares, int64_t step) {
    const V first = FN(vload)(shares);
    if (pass->chunks < CHUNKS) return first; /* there is one */
    if (pass->threads <= CHUNKS / 2) return first + FN(vload)(shares + 2 * step);
    return (first + FN(vload)(shares + step)) + (FN(vload)(shares + 2 * step) + FN(vload)(shares + 3 * step));
}
