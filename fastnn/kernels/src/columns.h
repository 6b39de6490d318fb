/* Images of reals, each anywhere in memory, packed back into bytes. Template, after vec.h. */

typedef struct {
    void *const *columns;
    int64_t count, height;
    double factor, tolerance;
    uint8_t *out;
    int failed;
} FN(pixel_job);

/* out = the bytes k for which k / factor is x, to a relative tolerance; returns 0 if there are none. */
static int FN(pack_column)(const REAL *x, int64_t height, double factor, REAL tolerance, uint8_t *out) {
    const REAL up = (REAL)factor, scale = (REAL)(1 / factor);
    int different = 0;
    for (int64_t i = 0; i < height; i++) {
        const REAL nearest = x[i] * up + (REAL)0.5;
        const int32_t k = (int32_t)(nearest > 0 ? (nearest < 255 ? nearest : 255) : 0);
        const REAL value = (REAL)k * scale, error = value - x[i];
        out[i] = (uint8_t)k;
        different |= !((error < 0 ? -error : error) <= tolerance * value);
    }
    return !different;
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
