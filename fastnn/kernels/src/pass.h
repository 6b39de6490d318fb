/* What a pass through the network works on: its memory, its plan and its block of rows. Template, after sparse.h. */

/* One thread's view of a forward and backward pass. With `chunks` > 1 the first layer's inputs are shared out: this
   thread has those of the chunks from `first_chunk` to before `end_chunk`, rows of W0 that no other thread touches, and
   a copy of its own of all other parameters, which every thread moves in the same way. */
typedef struct {
    const fnn_net *net;
    const fnn_data *data;
    REAL *params, *state; /* the model's; state has slots of `size` elements */
    REAL *tail, *tail_state; /* parameters from tail_at on, and their state in slots of tail_slot elements */
    int64_t size, tail_at, tail_slot;
    int chunks, first_chunk, end_chunk;
    int64_t bounds[CHUNKS + 1]; /* inputs at which the chunks start */
    int sparse;                 /* the first layer walks the non-zero inputs instead of the dense rows */
    ACTIVE active;              /* the block's inputs, if sparse */
    REAL *x;                    /* (BLOCK, sizes[0]) the block's rows, if not */
    REAL **a;                   /* layers + 1 of them: a[l + 1] (BLOCK, strides[l]) is layer l's output */
    REAL **transposed;    /* (sizes[l+1], strides[l-1]) layer l's weights, for the way back; NULL for layer 0 */
    REAL *delta, *before; /* (BLOCK, widest stride) dL/dz of a layer and of the one before it */
    REAL *target;         /* (strides[layers - 1]) one sample's targets, padded with zeros */
    REAL *mask;           /* (strides[layers - 1]) 1 for an output, 0 for padding */
    REAL *squares;        /* (strides[layers - 1]) sums of squared errors over a block */
    REAL *gradient;       /* laid out as params; for batches longer than a block CHUNKS of them */
    REAL *partial;        /* (2, CHUNKS, share) the chunks' shares of the first layer's z, of two batches in turn */
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

static int64_t FN(parameter_count)(const fnn_net *net) {
    const int64_t last = net->layers - 1;
    const int64_t end = net->weights[last] + net->sizes[last] * net->strides[last];
    return net->biases[last] < 0 ? end : end + net->strides[last];
}

/* Lays a pass out in the arena, with one chunk of all inputs; `training` adds what only the way back needs. Returns the
   bytes used. */
static size_t FN(place)(PASS *pass, const fnn_net *net, int64_t rows, int training, void *arena) {
    FN(cursor) at = {arena, 0};
    const int online = training && rows <= MOST_ONLINE;
    const int64_t inputs = net->sizes[0], block = online ? RUN : rows < BLOCK ? rows : BLOCK;
    const int64_t groups = (block + GROUP - 1) / GROUP;
    int64_t widest = 0;
    PASS here = {.net = net, .chunks = 1, .end_chunk = 1, .bounds = {0, inputs}};
    here.size = FN(parameter_count)(net);
    here.tail_at = net->weights[0] + inputs * net->strides[0];
    here.tail_slot = here.size - here.tail_at;
    here.a = FN(take)(&at, (net->layers + 1) * sizeof *here.a);
    here.transposed = FN(take)(&at, net->layers * sizeof *here.transposed);
    here.x = FN(take)(&at, block * inputs * sizeof(REAL)); /* holds the dense rows or the active inputs' values */
    here.active = (ACTIVE){.value = here.x, .width = inputs};
    here.active.index = FN(take)(&at, groups * inputs * sizeof *here.active.index);
    here.active.count = FN(take)(&at, groups * CHUNKS * sizeof *here.active.count);
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
        here.share_room = CHUNKS * block * (net->strides[0] + (online ? GRAM_STRIDE : 0));
        here.partial = FN(take)(&at, 2 * here.share_room * sizeof(REAL));
        if (online) {
            here.x_columns = FN(take)(&at, inputs * GRAM_STRIDE * sizeof(REAL));
            here.gram = FN(take)(&at, RUN * GRAM_STRIDE * sizeof(REAL));
            here.run_z = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
            here.moves = FN(take)(&at, RUN * net->strides[0] * sizeof(REAL));
            if (arena) memset(here.x_columns, 0, inputs * GRAM_STRIDE * sizeof(REAL)); /* its padding is read */
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

/* Looks at a few groups of rows: is the first layer sparse, and where do its inputs split into parts of equal work? */
static void FN(plan)(PASS *pass, const fnn_data *data, const int64_t *order, int64_t first, int64_t count,
                     int64_t batch_size, int chunks) {
    const int64_t width = pass->net->sizes[0], group = batch_size < GROUP ? batch_size : GROUP;
    const int64_t groups = count < 5 * group ? (count + group - 1) / group : 5;
    int32_t *active = pass->active.index, *work = (int32_t *)pass->x; /* per input: in this group, in how many */
    int64_t total = 0, so_far = 0;
    memset(work, 0, width * sizeof *work);
    for (int64_t g = 0; g < groups; g++) {
        memset(active, 0, width * sizeof *active);
        for (int64_t s = g * group; s < (g + 1) * group && s < count; s++) {
            const void *row = FN(row)(data, width, order ? order[s] : first + s);
            if (data->is_uint8)
                for (int64_t i = 0; i < width; i++) active[i] |= ((const uint8_t *)row)[i] != 0;
            else
                for (int64_t i = 0; i < width; i++) active[i] |= ((const REAL *)row)[i] != 0;
        }
        for (int64_t i = 0; i < width; i++) work[i] += active[i];
    }
    for (int64_t i = 0; i < width; i++) total += work[i];
    pass->data = data;
    pass->sparse = (double)total < MOST_ACTIVE * (double)(groups * width);
    pass->chunks = pass->end_chunk = chunks;
    pass->first_chunk = 0;
    for (int64_t i = 0, c = 1; c < chunks; c++) { /* at whole vectors */
        for (; i < width && (i % 16 != 0 || (pass->sparse ? so_far * chunks < total * c : i * chunks < width * c)); i++)
            so_far += work[i];
        pass->bounds[c] = i;
    }
    pass->bounds[0] = 0;
    pass->bounds[chunks] = width;
    pass->active.bounds = pass->bounds;
}

/* One group of rows, packed. */
static void FN(pack_group)(PASS *pass, const void *const *rows, int64_t first, int samples) {
    const ACTIVE *to = &pass->active;
    const int64_t width = to->width, group = first / GROUP;
    for (int c = pass->first_chunk; c < pass->end_chunk; c++) {
        const int64_t low = pass->bounds[c], high = pass->bounds[c + 1];
        REAL *value = to->value + first * width;
        int32_t *index = to->index + group * width;
        to->count[group * CHUNKS + c] =
            pass->data->is_uint8 ? FN(pack_bytes)((const uint8_t *const *)rows, samples, low, high,
                                                  (REAL)pass->data->scale, value, width, index)
                                 : FN(pack_reals)((const REAL *const *)rows, samples, low, high, value, width, index);
    }
}

/* Brings m rows into the pass: order[0..m), or the m rows from `first`; the inputs of its own chunks alone. Shuffled rows
   come from anywhere in memory, so those AHEAD of the present one, up to order[available), are asked for meanwhile. */
static void FN(gather)(PASS *pass, const int64_t *order, int64_t first, int64_t m, int64_t available) {
    const fnn_data *data = pass->data;
    const int64_t width = pass->net->sizes[0], item = data->is_uint8 ? 1 : sizeof(REAL);
    const int64_t low = pass->bounds[pass->first_chunk], high = pass->bounds[pass->end_chunk];
    const void *rows[GROUP];
    for (int64_t s = 0; s < m; s++) {
        if (order && s + AHEAD < available) {
            const char *later = FN(row)(data, width, order[s + AHEAD]);
            for (int64_t at = low * item; at < high * item; at += 64) __builtin_prefetch(later + at);
        }
        const void *row = rows[s % GROUP] = FN(row)(data, width, order ? order[s] : first + s);
        REAL *x = pass->x + s * width;
        if (pass->sparse) {
            if (s % GROUP == GROUP - 1 || s == m - 1)
                FN(pack_group)(pass, rows, s - s % GROUP, (int)(s % GROUP + 1));
        } else if (data->is_uint8) {
            const REAL scale = (REAL)data->scale;
            for (int64_t i = low; i < high; i++) x[i] = (REAL)((const uint8_t *)row)[i] * scale;
        } else {
            memcpy(x + low, (const REAL *)row + low, (high - low) * sizeof(REAL));
        }
    }
}
