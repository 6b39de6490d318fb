/* One update of consecutive parameters; spec.Rule has the equations. */
#ifndef FNN_TRAIN_OPTIMIZERS_H
#define FNN_TRAIN_OPTIMIZERS_H

#include "../simd/vec.h"

typedef struct {
    int64_t optimizer;
    real rate, momentum, l2, beta1, beta2, epsilon; /* rate: Adam's includes its bias corrections */
    real rest1, rest2;                              /* 1 - beta; in float32, 1 - 0.999f would be 1e-5 off */
} optimizer_step;

/* How many numbers the optimizer keeps of each parameter. */
INLINE int slots_of(int64_t optimizer) { return optimizer == SGD ? 0 : optimizer == ADAM ? 2 : 1; }

/* The rule at update t (from 1). */
static optimizer_step make_step(const fnn_rule *rule, int64_t t) {
    double rate = rule->learning_rate;
    if (rule->optimizer == ADAM) rate *= sqrt(1 - pow(rule->beta2, t)) / (1 - pow(rule->beta1, t));
    return (optimizer_step){rule->optimizer,     (real)rate,          (real)rule->momentum,     (real)rule->l2,
                  (real)rule->beta1,   (real)rule->beta2,   (real)rule->epsilon,
                  (real)(1 - rule->beta1), (real)(1 - rule->beta2)};
}

INLINE void update_rows(const int decays, const optimizer_step *step, real l2_factor, const real *restrict g, int64_t g_step,
                            real *restrict w, real *restrict m, real *restrict v, int64_t w_step, int64_t rows,
                            int64_t count) {
    const vec rate = vset(step->rate), l2 = vset(l2_factor), momentum = vset(step->momentum);
    const vec beta1 = vset(step->beta1), beta2 = vset(step->beta2), epsilon = vset(step->epsilon);
    const vec rest1 = vset(step->rest1), rest2 = vset(step->rest2);
#define EACH(...)                                               \
    for (int64_t row = 0; row < rows; row++)                    \
        for (int64_t i = row * w_step, from = row * g_step, end = i + count; i < end; i += LANES, from += LANES) { \
            const vec weight = vload(w + i), slope_here = vload(g + from); \
            const vec slope = decays ? vfma(l2, weight, slope_here) : slope_here; \
            __VA_ARGS__                                         \
        }
    if (g_step == count && w_step == count) count *= rows, rows = 1; /* one long row */
    switch (step->optimizer) {
    case SGD: EACH(vstore(w + i, vfma(-rate, slope, weight));) break;
    case MOMENTUM:
    case NESTEROV:
        EACH(const vec velocity = vfma(momentum, vload(m + i), -rate * slope);
             const vec ahead = vfma(momentum, velocity, -rate * slope);
             vstore(m + i, velocity);
             vstore(w + i, weight + (step->optimizer == NESTEROV ? ahead : velocity));)
        break;
    case ADAM:
        EACH(const vec mean = vfma(beta1, vload(m + i), rest1 * slope);
             const vec square = vfma(beta2, vload(v + i), rest2 * slope * slope);
             vstore(m + i, mean);
             vstore(v + i, square);
             vstore(w + i, weight - rate * mean / vsqrt_add(square, epsilon));)
    }
#undef EACH
}

/* w, and the state m, v where the optimizer has it, move by the gradient g + l2 w: `rows` rows of `count` elements, a
   multiple of LANES; those of g start g_step apart, the others w_step. */
static void apply_rule(const optimizer_step *step, real l2, const real *g, int64_t g_step, real *w, real *m, real *v,
                       int64_t w_step, int64_t rows, int64_t count) {
    if (l2 == 0)
        update_rows(0, step, l2, g, g_step, w, m, v, w_step, rows, count);
    else
        update_rows(1, step, l2, g, g_step, w, m, v, w_step, rows, count);
}

#endif
