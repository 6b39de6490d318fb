/* One update of consecutive parameters; spec.Rule has the equations. Template, after activations.h. */

typedef struct {
    int64_t optimizer;
    REAL rate, momentum, l2, beta1, beta2, epsilon; /* rate: Adam's includes its bias corrections */
    REAL rest1, rest2;                              /* 1 - beta; in float32, 1 - 0.999f would be 1e-5 off */
} FN(step);
#define STEP FN(step)

/* The rule at update t (from 1). */
static STEP FN(make_step)(const fnn_rule *rule, int64_t t) {
    double rate = rule->learning_rate;
    if (rule->optimizer == ADAM) rate *= sqrt(1 - pow(rule->beta2, t)) / (1 - pow(rule->beta1, t));
    return (STEP){rule->optimizer,   (REAL)rate,        (REAL)rule->momentum,    (REAL)rule->l2,         (REAL)rule->beta1,
                  (REAL)rule->beta2, (REAL)rule->epsilon, (REAL)(1 - rule->beta1), (REAL)(1 - rule->beta2)};
}

/* w, and the state m, v where the optimizer has it, move by the gradient g + l2 w; count is a multiple of LANES. */
static void FN(update)(const STEP *step, REAL l2_factor, const REAL *restrict g, REAL *restrict w, REAL *restrict m,
                       REAL *restrict v, int64_t count) {
    const V rate = FN(vset)(step->rate), l2 = FN(vset)(l2_factor);
    const V momentum = FN(vset)(step->momentum);
    switch (step->optimizer) {
    case SGD:
        for (int64_t i = 0; i < count; i += LANES) {
            const V weight = FN(vload)(w + i), slope = FN(vfma)(l2, weight, FN(vload)(g + i));
            FN(vstore)(w + i, FN(vfma)(-rate, slope, weight));
        }
        break;
    case MOMENTUM:
    case NESTEROV:
        for (int64_t i = 0; i < count; i += LANES) {
            const V weight = FN(vload)(w + i), slope = FN(vfma)(l2, weight, FN(vload)(g + i));
            const V velocity = FN(vfma)(momentum, FN(vload)(m + i), -rate * slope);
            FN(vstore)(m + i, velocity);
            const V move = step->optimizer == NESTEROV ? FN(vfma)(momentum, velocity, -rate * slope) : velocity;
            FN(vstore)(w + i, weight + move);
        }
        break;
    case ADAM: {
        const V beta1 = FN(vset)(step->beta1), beta2 = FN(vset)(step->beta2), epsilon = FN(vset)(step->epsilon);
        const V rest1 = FN(vset)(step->rest1), rest2 = FN(vset)(step->rest2);
        for (int64_t i = 0; i < count; i += LANES) {
            const V weight = FN(vload)(w + i), slope = FN(vfma)(l2, weight, FN(vload)(g + i));
            const V mean = FN(vfma)(beta1, FN(vload)(m + i), rest1 * slope);
            const V square = FN(vfma)(beta2, FN(vload)(v + i), rest2 * slope * slope);
            FN(vstore)(m + i, mean);
            FN(vstore)(v + i, square);
            FN(vstore)(w + i, weight - rate * mean / (FN(vsqrt)(square) + epsilon));
        }
    }
    }
}
