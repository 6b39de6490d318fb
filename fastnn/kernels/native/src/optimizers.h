/* One update of consecutive parameters; spec.Rule has the equations. Template, after activations.h. */

typedef struct {
    int64_t optimizer;
    REAL rate, momentum, l2, beta1, beta2, epsilon; /* rate: Adam's includes its bias corrections */
    REAL rest1, rest2;                              /* 1 - beta; in float32, 1 - 0.999f would be 1e-5 off */
} FN(step);
#define STEP FN(step)

/* How many numbers the optimizer keeps of each parameter. */
INLINE int FN(slots)(int64_t optimizer) { return optimizer == SGD ? 0 : optimizer == ADAM ? 2 : 1; }

/* The rule at update t (from 1). */
static STEP FN(make_step)(const fnn_rule *rule, int64_t t) {
    double rate = rule->learning_rate;
    if (rule->optimizer == ADAM) rate *= sqrt(1 - pow(rule->beta2, t)) / (1 - pow(rule->beta1, t));
    return (STEP){rule->optimizer,     (REAL)rate,          (REAL)rule->momentum,     (REAL)rule->l2,
                  (REAL)rule->beta1,   (REAL)rule->beta2,   (REAL)rule->epsilon,
                  (REAL)(1 - rule->beta1), (REAL)(1 - rule->beta2)};
}

INLINE void FN(update_rows)(const int decays, const STEP *step, REAL l2_factor, const REAL *restrict g, int64_t g_step,
                            REAL *restrict w, REAL *restrict m, REAL *restrict v, int64_t w_step, int64_t rows,
                            int64_t count) {
    const V rate = FN(vset)(step->rate), l2 = FN(vset)(l2_factor), momentum = FN(vset)(step->momentum);
    const V beta1 = FN(vset)(step->beta1), beta2 = FN(vset)(step->beta2), epsilon = FN(vset)(step->epsilon);
    const V rest1 = FN(vset)(step->rest1), rest2 = FN(vset)(step->rest2);
#define EACH(...)                                               \
    for (int64_t row = 0; row < rows; row++)                    \
        for (int64_t i = row * w_step, from = row * g_step, end = i + count; i < end; i += LANES, from += LANES) { \
            const V weight = FN(vload)(w + i), slope_here = FN(vload)(g + from); \
            const V slope = decays ? FN(vfma)(l2, weight, slope_here) : slope_here; \
            __VA_ARGS__                                         \
        }
    if (g_step == count && w_step == count) count *= rows, rows = 1; /* one long row */
    switch (step->optimizer) {
    case SGD: EACH(FN(vstore)(w + i, FN(vfma)(-rate, slope, weight));) break;
    case MOMENTUM:
    case NESTEROV:
        EACH(const V velocity = FN(vfma)(momentum, FN(vload)(m + i), -rate * slope);
             const V ahead = FN(vfma)(momentum, velocity, -rate * slope);
             FN(vstore)(m + i, velocity);
             FN(vstore)(w + i, weight + (step->optimizer == NESTEROV ? ahead : velocity));)
        break;
    case ADAM:
        EACH(const V mean = FN(vfma)(beta1, FN(vload)(m + i), rest1 * slope);
             const V square = FN(vfma)(beta2, FN(vload)(v + i), rest2 * slope * slope);
             FN(vstore)(m + i, mean);
             FN(vstore)(v + i, square);
             FN(vstore)(w + i, weight - rate * mean / FN(vsqrt_add)(square, epsilon));)
    }
#undef EACH
}

/* w, and the state m, v where the optimizer has it, move by the gradient g + l2 w: `rows` rows of `count` elements, a
   multiple of LANES; those of g start g_step apart, the others w_step. */
static void FN(update)(const STEP *step, REAL l2, const REAL *g, int64_t g_step, REAL *w, REAL *m, REAL *v,
                       int64_t w_step, int64_t rows, int64_t count) {
    if (l2 == 0)
        FN(update_rows)(0, step, l2, g, g_step, w, m, v, w_step, rows, count);
    else
        FN(update_rows)(1, step, l2, g, g_step, w, m, v, w_step, rows, count);
}
