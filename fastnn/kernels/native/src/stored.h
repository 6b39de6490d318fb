/* Lists that are made once. Template, after columns.h.

   Where every epoch has the same batches (no shuffling, or one batch of all rows), what is active in each is the same
   too. 784-64-32-10 in float64, in batches of 32, takes 0.84 of the time when each does not have to find it anew. */

typedef struct {
    const void *x; /* (n, inputs) */
    int is_uint8;
    int64_t from, to, inputs;
    double factor; /* reals are k / factor of whole k */
    STORED layout;
    void *lists;
    char *arena;
    int failed;
} FN(store_job);

/* The lists of the rows from..to, at most a block; returns 0 if they are no bytes, or too many are active. */
static int FN(store_block)(const FN(store_job) *job, int64_t from, int64_t to, uint8_t *packed) {
    const int64_t inputs = job->inputs, most = job->layout.most;
    const uint8_t *x = job->is_uint8 ? (const uint8_t *)job->x + from * inputs : packed;
    const REAL tolerance = (REAL)(IS_FLOAT ? 0x1p-23 : 0x1p-52);
    SAMPLE_LISTS lists;
    int64_t n = 0;
    FN(use_stored)(&lists, &job->layout, job->lists, from);
    for (int64_t row = from; !job->is_uint8 && row < to; row++)
        if (!FN(pack_column)((const REAL *)job->x + row * inputs, inputs, job->factor, tolerance,
                             packed + (row - from) * inputs))
            return 0;
    lists.start[0] = 0;
    for (int64_t group = 0; group < job->layout.groups; group++) {
        const int64_t at = group * QUAD, count = inputs - at < QUAD ? inputs - at : QUAD;
        if (n + (to - from) >= most) return 0;
        for (int64_t s = 0; s < to - from; s++) { /* what is not active is overwritten */
            uint32_t bytes = 0;
            if (count == QUAD)
                memcpy(&bytes, x + s * inputs + at, QUAD);
            else
                memcpy(&bytes, x + s * inputs + at, count);
            lists.bytes[n].place = (int32_t)s * STRIP_BYTES;
            memcpy(lists.bytes[n].bytes, &bytes, QUAD);
            n += bytes != 0;
        }
        lists.end[group] = n;
    }
    return 1;
}

static size_t FN(store_arena)(const STORED *layout) {
    return (size_t)(layout->rows * layout->groups * QUAD + 63) / 64 * 64;
}

static void FN(store_thread)(void *argument, int thread, int threads) {
    FN(store_job) *job = argument;
    uint8_t *packed = (uint8_t *)job->arena + thread * FN(store_arena)(&job->layout);
    int64_t block = 0; /* they are dealt out in turn */
    for (int64_t row = job->from, next; row < job->to; row = next, block++) {
        const int64_t batch_end = (row / job->layout.batch_size + 1) * job->layout.batch_size;
        next = row + job->layout.rows < batch_end ? row + job->layout.rows : batch_end;
        if (next > job->to) next = job->to;
        if (block % threads != thread) continue;
        if (__atomic_load_n(&job->failed, __ATOMIC_RELAXED)) return;
        if (!FN(store_block)(job, row, next, packed)) __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
    }
}

static size_t FN(lists_bytes)(int64_t rows, int64_t inputs, int64_t batch_size, size_t *arena_bytes) {
    const STORED layout = FN(stored_lists)(inputs, batch_size);
    *arena_bytes = FN(store_arena)(&layout);
    return (size_t)((rows + batch_size - 1) / batch_size * layout.blocks * layout.bytes);
}

static int FN(list_rows)(const void *x, int is_uint8, int64_t from, int64_t to, int64_t inputs, int64_t batch_size,
                         double factor, void *lists, void *arena, int threads) {
    FN(store_job) job = {x, is_uint8, from, to, inputs, factor, FN(stored_lists)(inputs, batch_size), lists, arena, 0};
    fnn_parallel(FN(store_thread), &job, threads);
    return !job.failed;
}
