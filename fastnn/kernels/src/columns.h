/* Images of reals, each anywhere in memory, packed back into bytes. Template, after vec.h. */

typedef struct {
    void *const *columns;
    int64_t count, height;
    double factor, tolerance;
    uint8_t *out;
    int failed;
} FN(pixel_job);

#define PACKED 16         /* elements a round */
#define PACKED_AHEAD 2048 /* bytes: the processor by itself prefetches to the end of a page */

/* out = the bytes k for which k / factor is x, to a relative tolerance; returns 0 if there are none. */
static int FN(pack_column)(const REAL *x, int64_t height, double factor, REAL tolerance, uint8_t *out) {
    const V up = FN(vset)((REAL)factor), scale = FN(vset)((REAL)(1 / factor));
    const V ones = FN(vset)(IS_FLOAT ? (REAL)0x1p23 : (REAL)0x1p52); /* its last bit counts them */
    VI misfits = {0};
    for (int64_t i = 0; i < height; i += PACKED) {
        REAL last[PACKED] = {0};
        uint8_t bytes[PACKED];
        const int64_t count = height - i < PACKED ? height - i : PACKED;
        if (count < PACKED) memcpy(last, x + i, count * sizeof(REAL));
        const REAL *some = count < PACKED ? last : x + i;
        for (int b = 0; b < PACKED * (int)sizeof(REAL); b += 64)
            __builtin_prefetch((const char *)(x + i) + PACKED_AHEAD + b);
        UNROLL for (int j = 0; j < PACKED; j += LANES) {
            const V value = *(const FN(VU) *)(some + j), counted = FN(vfma)(value, up, ones), k = counted - ones;
            const V nearest = k * scale;
            const VI no_byte = ((VI)counted ^ (VI)ones) & ~(INTEGER)255; /* the bits above it */
            misfits |= no_byte | ~(VI)(FN(vnegabs)(nearest - value) >= -tolerance * nearest);
            FN(vlow_bytes)((VI)counted, bytes + j);
        }
        if (count < PACKED)
            memcpy(out + i, bytes, count);
        else
            memcpy(out + i, bytes, PACKED);
    }
    for (int lane = 1; lane < LANES; lane++) misfits[0] |= misfits[lane];
    return misfits[0] == 0;
}

static void FN(pack_thread)(void *argument, int thread, int threads) {
    FN(pixel_job) *job = argument;
    const int64_t end = job->count * (thread + 1) / threads;
    for (int64_t i = job->count * thread / threads; i < end && !__atomic_load_n(&job->failed, __ATOMIC_RELAXED); i++)
        if (!FN(pack_column)(job->columns[i], job->height, job->factor, (REAL)job->tolerance,
                             job->out + i * job->height))
            __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
}

static int FN(pack_pixels)(void *const *columns, int64_t count, int64_t height, double factor,
                           double tolerance, uint8_t *out, int threads) {
    FN(pixel_job) job = {columns, count, height, factor, tolerance, out, 0};
    fnn_parallel(FN(pack_thread), &job, threads);
    return !job.failed;
}
