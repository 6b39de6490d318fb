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

/* bytes (PACKED) = the k for which k scale = k / up is x, to a relative tolerance; returns zeros if there are such. */
INLINE VI FN(pack_round)(const REAL *x, V up, V scale, REAL tolerance, uint8_t *bytes) {
    const V ones = FN(vset)(IS_FLOAT ? (REAL)0x1p23 : (REAL)0x1p52); /* its last bit counts them */
    VI misfits = {0};
    UNROLL for (int i = 0; i < PACKED; i += LANES) {
        const V value = *(const FN(VU) *)(x + i), counted = FN(vfma)(value, up, ones);
        const V nearest = (counted - ones) * scale;
        const VI no_byte = ((VI)counted ^ (VI)ones) & ~(INTEGER)255; /* the bits above it */
        misfits |= no_byte | ~(VI)(FN(vnegabs)(nearest - value) >= -tolerance * nearest);
        FN(vlow_bytes)((VI)counted, bytes + i);
    }
    return misfits;
}

/* out = the bytes k for which k / factor is x, to a relative tolerance; returns 0 if there are none. */
static int FN(pack_column)(const REAL *x, int64_t height, double factor, REAL tolerance, uint8_t *out) {
    const V up = FN(vset)((REAL)factor), scale = FN(vset)((REAL)(1 / factor));
    VI misfits = {0};
    int64_t i = 0;
    for (; i + PACKED <= height; i += PACKED) {
        for (int b = 0; b < PACKED * (int)sizeof(REAL); b += 64)
            __builtin_prefetch((const char *)(x + i) + PACKED_AHEAD + b);
        misfits |= FN(pack_round)(x + i, up, scale, tolerance, out + i);
    }
    if (i < height) {
        REAL last[PACKED] = {0};
        uint8_t bytes[PACKED];
        memcpy(last, x + i, (height - i) * sizeof(REAL));
        misfits |= FN(pack_round)(last, up, scale, tolerance, bytes);
        memcpy(out + i, bytes, height - i);
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
