/* What a pass through the network works on: its memory, its plan and its block of rows. Template, after lists.h. */

/* A block's inputs, in one of four forms. */
typedef struct {
    REAL *x; /* (BLOCK, sizes[0]) the dense rows; or the values of the others */
    SAMPLE_GROUP group;
    SAMPLE_LISTS lists;
    SAMPLE_TEAMS teams;
} FN(inputs);
#define INPUTS FN(inputs)

/* One thread's view of a forward and backward pass. Its share of the first layer: with `chunks` > 1 either the inputs
   of some chunks, rows of W0, or, if `by_outputs`, the outputs of some chunks: columns of W0, and the rows of W1 behind
   them. No other thread touches these. Of all other parameters it has a copy of its own, and every thread moves its
   copy in the same way. */
typedef struct {
    const fnn_net *net;
    const fnn_data *data;
    const int64_t *order; /* the block's sample s is order[s] or, without an order, first + s */
    int64_t first;
    REAL *params, *state; /* the model's; state has slots of `size` elements */
    REAL *tail, *tail_state; /* parameters from tail_at on, and their state in slots of tail_slot elements */
    int64_t size, tail_at, tail_slot;
    int chunks, first_chunk, end_chunk, by_outputs;
    int64_t inputs_at[CHUNKS + 1], outputs_at[CHUNKS + 1]; /* where the chunks start */
    int first_walked, end_walked;   /* chunks of inputs that the thread's outputs need */
    int64_t low, high, left, right; /* these inputs, and its outputs, whole cache lines */
    int form;                       /* of the inputs */
    ROWS rows;                      /* the block's */
    INPUTS in[1];          /* its inputs, of the chunks that it walks */
    REAL **a;              /* layers + 1 of them: a[l + 1] (BLOCK, strides[l]) is layer l's output */
    REAL **transposed;    /* (sizes[l+1], strides[l-1]) layer l's weights, for the way back; NULL for layer 0 */
    REAL *delta, *before; /* (BLOCK, widest stride) dL/dz of a layer and of the one before it */
    REAL *target;         /* (strides[layers - 1]) one sample's targets, padded with zeros */
    REAL *mask;           /* (strides[layers - 1]) 1 for an output, 0 for padding */
    REAL *squares;        /* (strides[layers - 1]) sums of squared errors over a block */
    REAL *gradient;       /* laid out as params; for batches longer than a block CHUNKS of them */
    REAL *partial;        /* (2, share_room) the chunks' shares of z, of two batches in turn */
    int64_t share_room;   /* elements of one of the two */
    REAL *x_columns, *gram, *run_z, *moves; /* of a run of online batches; see online.h */
    fnn_poll *poll;       /* NULL in all threads but one */
    double next_poll;     /* when to call it */
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
    return rows > MOST_ONLINE && rows <= BLOCK && net->layers > 1 &&
           net->strides[0] * (int64_t)sizeof(REAL) >= 64 * WIDE_LINES;
}

static int64_t FN(parameter_count)(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Room for one block's inputs in any form. */
static INPUTS FN(place_inputs)(FN(cursor) *at, const fnn_net *net, int64_t block) {
    const int64_t width = net->sizes[0], quads = (width + QUAD - 1) / QUAD;
    const int64_t teams = (block + TEAM - 1) / TEAM, listed = quads * block, teamed = teams * width;
    REAL *x = FN(take)(at, block * quads * QUAD * sizeof(REAL));
    int32_t *index = FN(take)(at, (listed > teamed ? listed : teamed) * sizeof *index);
    int32_t *count = FN(take)(at, quads * sizeof *count);
    int64_t *chunk_count = FN(take)(at, teams * CHUNKS * sizeof *chunk_count);
    REAL *zeros = FN(take)(at, net->strides[0] * sizeof(REAL)), *sink = FN(take)(at, net->strides[0] * sizeof(REAL));
    if (at->base) memset(zeros, 0, net->strides[0] * sizeof(REAL));
    return (INPUTS){x, {.value = x, .index = index, .count = chunk_count, .width = width},
                    {.value = x, .sample = index, .count = count, .room = block, .inputs = width, .zeros = zeros,
                     .sink = sink},
                    {.index = index, .count = chunk_count, .width = width}};
}

/* Lays a pass out in the arena, with one chunk of all inputs; `training` adds what only the way back needs. Returns the
   bytes used. */
static size_t FN(place)(PASS *pass, const fnn_net *net, int64_t rows, int training, void *arena) {
    FN(cursor) at = {arena, 0};
    const int online = training && rows <= MOST_ONLINE;
    const int64_t inputs = net->sizes[0], block = online ? RUN : rows <= BLOCK ? rows : LONG_BLOCK;
    int64_t widest = 0;
    PASS here = {.net = net, .chunks = 1, .end_chunk = 1, .end_walked = 1, .high = inputs, .right = net->strides[0]};
    here.by_outputs = training && FN(by_outputs)(net, rows);
    here.size = FN(parameter_count)(net);
    here.tail_at = net->weights[here.by_outputs] + net->sizes[here.by_outputs] * net->strides[here.by_outputs];
    here.tail_slot = here.size - here.tail_at;
    here.a = FN(take)(&at, (net->layers + 1) * sizeof *here.a);
    here.transposed = FN(take)(&at, net->layers * sizeof *here.transposed);
    here.rows.row = FN(take)(&at, block * sizeof *here.rows.row);
    here.rows.of_byte = FN(take)(&at, 256 * sizeof(REAL));
    *here.in = FN(place_inputs)(&at, net, block);
    for (int64_t l = 0; l < net->layers; l++) {
        REAL *a = FN(take)(&at, block * net->strides[l] * sizeof(REAL)), *transposed = NULL;
        if (training && l > 0) transposed = FN(take)(&at, net->sizes[l + 1] * net->strides[l - 1] * sizeof(REAL));
        if (arena) here.a[l + 1] = a, here.transposed[l] = transposed;
        if (net->strides[l] > widest) widest = net->strides[l];
    }
    if (training) {
        const int64_t last = net->layers - 1;
        here.delta = FN(take)(&at, block * widest * sizeof(REAL));
        here.before = FN(take)(&at, block * widest * sizeof(REAL));
        here.target = FN(take)(&at, widest * sizeof(REAL));
        here.mask = FN(take)(&at, widest * sizeof(REAL));
        here.squares = FN(take)(&at, widest * sizeof(REAL));
        here.gradient = FN(take)(&at, (rows > BLOCK ? CHUNKS : 1) * here.size * sizeof(REAL));
        here.share_room = CHUNKS * block * (net->strides[here.by_outputs] + (online ? GRAM_STRIDE : 0));
        here.partial = FN(take)(&at, 2 * here.share_room * sizeof(REAL));
        if (online) {
            here.x_columns = FN(take)(&at, inputs * GRAM_STRIDE * sizeof(REAL));
            here.gram = FN(take)(&at, RUN * GRAM_STRIDE * sizeof(REAL));
            here.run_z = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
            here.moves = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
        }
        here.tail = FN(take)(&at, here.tail_slot * sizeof(REAL));
        here.tail_state = FN(take)(&at, 2 * here.tail_slot * sizeof(REAL));
        if (arena) {
            memset(here.target, 0, net->strides[last] * sizeof(REAL));
            for (int64_t j = 0; j < net->strides[last]; j++) here.mask[j] = j < net->sizes[last + 1];
        }
    }
    if (pass) *pass = here;
    return at.used;
}

static const void *FN(row)(const fnn_data *data, int64_t width, int64_t i) {
    return (const char *)data->x + i * width * (data->is_uint8 ? 1 : sizeof(REAL));
}

static int64_t FN(sample)(const PASS *pass, int64_t s) {
    return pass->order ? pass->order[s] : pass->first + s;
}

/* Looks at a few rows, of `batch_size` a batch: which form suits the inputs, and where do they, and the first layer's
   outputs, split into chunks of equal work? Runs of online batches have groups, where others have lists or teams. */
static void FN(plan)(PASS *pass, const fnn_data *data, const int64_t *order, int64_t first, int64_t count,
                     int64_t batch_size, int chunks, int online) {
    const int64_t width = pass->net->sizes[0], line = 64 / sizeof(REAL);
    const int64_t looked_at = count == 1 ? 0 : count < 60 ? count : 60; /* a single row is done sooner than looked at */
    const int64_t quads = (width + QUAD - 1) / QUAD, lines = pass->net->strides[0] / line;
    const int listed = fnn_forced_form >= 0 ? fnn_forced_form == LISTED
                                            : lines >= LIST_LINES && batch_size * lines >= LIST_WORK;
    const int form = online ? GROUPED : listed ? LISTED : TEAMED;
    const int64_t most = form == GROUPED ? GROUP : form == TEAMED ? TEAM : 1;
    const int64_t together = batch_size < most ? batch_size : most;
    int32_t *work = pass->in->lists.count; /* samples, or groups of them, in which a quad of inputs is active */
    int64_t total = 0, so_far = 0;
    const int bytes = data->is_uint8;
    pass->data = data;
    memset(work, 0, quads * sizeof *work);
    for (int64_t i = 0; i < width; i += 64)
        for (int64_t s = 0; s < looked_at;) {
            uint64_t active = 0;
            for (int64_t end = s + together; s < end && s < looked_at; s++)
                active |= FN(active_quads)(FN(row)(data, width, order ? order[s] : first + s), bytes, i, width);
            for (; active; active &= active - 1) work[(i + __builtin_ctzll(active)) / QUAD]++, total++;
        }
    const double most_total = (double)quads * (double)((looked_at + together - 1) / together);
    const double share = form == GROUPED ? MOST_ACTIVE_GROUPS : listed ? MOST_ACTIVE_LISTS : MOST_ACTIVE_TEAMS;
    const int dense = fnn_forced_form >= 0 ? fnn_forced_form == DENSE : total && (double)total >= share * most_total;
    pass->form = dense ? DENSE : form;
    pass->chunks = chunks;
    for (int64_t i = 0, c = 0; c <= chunks; c++) {
        pass->outputs_at[c] = pass->net->strides[0] / line * c / chunks * line;
        for (; i < width; i += QUAD) {
            const int short_of = pass->form == DENSE ? i * chunks < width * c : so_far * chunks < total * c;
            if (i % 16 == 0 && !short_of) break;
            so_far += work[i / QUAD];
        }
        pass->inputs_at[c] = c == chunks || i > width ? width : i;
    }
    pass->inputs_at[0] = 0;
    pass->in->group.bounds = pass->in->teams.bounds = pass->inputs_at;
    pass->rows.is_uint8 = bytes;
    for (int b = 0; bytes && b < 256; b++) pass->rows.of_byte[b] = (REAL)b * (REAL)data->scale;
}

/* Gives a planned pass the chunks from `first` to before `end`; without it, it has all. */
static void FN(take_chunks)(PASS *pass, int first, int end) {
    pass->first_chunk = first;
    pass->end_chunk = end;
    if (pass->by_outputs) {
        pass->end_walked = pass->chunks;
        pass->left = pass->outputs_at[first];
        pass->right = pass->outputs_at[end];
    } else {
        pass->first_walked = first;
        pass->end_walked = end;
        pass->low = pass->inputs_at[first];
        pass->high = pass->inputs_at[end];
    }
}

/* Brings m rows into the pass: order[0..m), or the m rows from `first`; of the chunks of inputs that it walks. Shuffled
   rows come from anywhere in memory, so those AHEAD of the present one, up to order[available), are asked for
   meanwhile: into the second-level cache, as the first-level one is W0's. */
static void FN(gather)(PASS *pass, const int64_t *order, int64_t first, int64_t m, int64_t available) {
    const fnn_data *data = pass->data;
    const int64_t width = pass->net->sizes[0], item = data->is_uint8 ? 1 : sizeof(REAL);
    const int64_t low = pass->inputs_at[pass->first_walked], high = pass->inputs_at[pass->end_walked];
    const int64_t outputs = pass->net->sizes[pass->net->layers];
    const REAL scale = (REAL)data->scale;
    INPUTS *in = pass->in;
    pass->order = order;
    pass->first = first;
    if (pass->form == LISTED)
        memset(in->lists.count + low / QUAD, 0, ((high + QUAD - 1) / QUAD - low / QUAD) * sizeof *in->lists.count);
    for (int64_t s = 0; s < m; s++) {
        if (order && s + AHEAD < available) {
            const char *later = FN(row)(data, width, order[s + AHEAD]);
            for (int64_t at = low * item; at < high * item; at += 64) __builtin_prefetch(later + at, 0, 2);
            if (data->labels)
                __builtin_prefetch(data->labels + order[s + AHEAD]);
            else
                __builtin_prefetch((const REAL *)data->targets + order[s + AHEAD] * outputs);
        }
        const void *row = pass->rows.row[s] = FN(row)(data, width, FN(sample)(pass, s));
        REAL *x = in->x + s * width;
        if (pass->form == LISTED) {
            FN(pack_lists)(&in->lists, (int32_t)s, row, data->is_uint8, scale, low, high);
        } else if (pass->form == GROUPED) {
            if (s == m - 1)
                for (int c = pass->first_walked; c < pass->end_walked; c++)
                    FN(pack_group)(&in->group, c, (int)m, pass->rows.row, data->is_uint8, scale);
        } else if (pass->form == TEAMED) {
            if (s % TEAM == TEAM - 1 || s == m - 1)
                for (int c = pass->first_walked; c < pass->end_walked; c++)
                    FN(pack_team)(&in->teams, c, s - s % TEAM, (int)(s % TEAM + 1), &pass->rows);
        } else if (data->is_uint8) {
            for (int64_t i = low; i < high; i++) x[i] = (REAL)((const uint8_t *)row)[i] * scale;
        } else {
            memcpy(x + low, (const REAL *)row + low, (high - low) * sizeof(REAL));
        }
    }
}
