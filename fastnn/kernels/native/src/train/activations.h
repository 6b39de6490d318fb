/* exp, expm1, log1p and the activation functions, a vector at a time. */
#ifndef FNN_TRAIN_ACTIVATIONS_H
#define FNN_TRAIN_ACTIVATIONS_H

#include "../simd/vec.h"

#if REAL_IS_FLOAT
#define MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer that then stands in the low bits */
#define MANTISSA 23
#define EXPONENT_BIAS 127
#define LN2_HIGH 0.693359375f /* few bits, so that n * LN2_HIGH is exact */
#define LN2_LOW -2.12194440e-4f
#define EXP_LOWEST -104.0f /* below it exp rounds to 0 */
#define EXP_HIGHEST 89.0f  /* above it exp overflows */
#define LOG1P_TERMS 8
#define C_(x) x##f
#else
#define MAGIC 6755399441055744.0
#define MANTISSA 52
#define EXPONENT_BIAS 1023
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define EXP_LOWEST -746.0
#define EXP_HIGHEST 710.0
#define LOG1P_TERMS 17
#define C_(x) x
#endif

/* 2^n of a whole number n with |n| <= EXPONENT_BIAS - 1, through the exponent's bits */
INLINE vec vpow2(vec n) {
    const vec shifted = n + (MAGIC + EXPONENT_BIAS);
    return (vec)((ivec)shifted << MANTISSA);
}

/* x = n ln 2 + r with |r| <= ln(2) / 2; returns q = exp(r) - 1 by its Taylor series, r + r^2 (1/2 + r/6 + ..), whose
   terms are added up in pairs, and these in pairs (Estrin): one by one, each would wait for the one before */
INLINE vec vexp_reduce(vec x, vec *n) {
    const vec whole = vfma(x, vset(C_(1.44269504088896340736)), vset(MAGIC)) - MAGIC;
    vec r = vfma(whole, vset(-LN2_HIGH), x);
    r = vfma(whole, vset(-LN2_LOW), r);
    static const real inverse_factorial[] = {
        C_(0.5),
        C_(1.0) / C_(6.0),
        C_(1.0) / C_(24.0),
        C_(1.0) / C_(120.0),
        C_(1.0) / C_(720.0),
        C_(1.0) / C_(5040.0),
#if !REAL_IS_FLOAT
        1.0 / 40320.0,
        1.0 / 362880.0,
        1.0 / 3628800.0,
        1.0 / 39916800.0,
        1.0 / 479001600.0,
        1.0 / 6227020800.0,
#endif
    };
    enum { TERMS = sizeof inverse_factorial / sizeof inverse_factorial[0] };
    vec sum[TERMS], power = r;
    UNROLL for (int i = 0; i < TERMS; i++) sum[i] = vset(inverse_factorial[i]);
    UNROLL for (int count = TERMS; count > 1; count = (count + 1) / 2, power *= power) {
        UNROLL for (int i = 0; i < count / 2; i++) sum[i] = vfma(sum[2 * i + 1], power, sum[2 * i]);
        if (count % 2) sum[count / 2] = sum[count - 1];
    }
    *n = whole;
    return vfma(sum[0], r * r, r);
}

/* x 2^n of a whole number n */
INLINE vec vscale(vec x, vec n) {
#if VECTOR_BYTES == 64
    return (vec)M_(scalef)(x, n);
#else
    /* in two factors, so that neither overflows nor a subnormal result is rounded twice */
    const vec half = vfma(n, vset(C_(0.5)), vset(MAGIC)) - MAGIC;
    return x * vpow2(half) * vpow2(n - half);
#endif
}

/* exp(x) for x <= EXP_HIGHEST */
INLINE vec vexp_bounded(vec x) {
    vec n;
    const vec q = vexp_reduce(vmax(vset(EXP_LOWEST), x), &n);
    return vscale(C_(1.0) + q, n);
}

INLINE vec vexp(vec x) {
    const vec highest = vset(EXP_HIGHEST);
    return vexp_bounded(vless(highest, x, highest, x));
}

/* exp(x) - 1 for x <= 0 */
INLINE vec vexpm1_negative(vec x) {
    vec n;
    const vec q = vexp_reduce(vmax(vset(C_(-60.0)), x), &n); /* -1 long before */
    const vec scale = vpow2(n);
    return vfma(scale, q, scale - C_(1.0));
}

/* log(1 + u) = 2 atanh(u / (2 + u)) for 0 <= u <= 1 */
INLINE vec vlog1p_unit(vec u) {
    const vec s = u / (u + C_(2.0)), square = s * s;
    vec p = vset(C_(1.0) / (2 * LOG1P_TERMS - 1));
    for (int i = LOG1P_TERMS - 1; i > 0; i--) p = vfma(p, square, vset(C_(1.0) / (2 * i - 1)));
    return C_(2.0) * s * p;
}

/* 1 / (1 + e^-z), or e^z / (1 + e^z) below 0, so that both tails are accurate. `lost` is what rounding takes from the
   sum below the line; a relative lost / sum is taken from the quotient to make up for it. */
INLINE vec vsigmoid(vec z) {
    const vec one = vset(C_(1.0)), e = vexp_bounded(vnegabs(z));
    const vec sum = one + e, lost = e - (sum - one);
    const vec quotient = vless(z, (vec){0}, e, one) / sum;
    const vec inverse = vless(z, (vec){0}, one - quotient, quotient); /* 1 / sum */
    return vfma(-quotient, lost * inverse, quotient);
}

/* c - a b for a product close to c, exactly in float32 */
INLINE vec vremainder(vec c, vec a, vec b) {
#if REAL_IS_FLOAT && !FUSED
    const ivec upper = (ivec){0} + ~(integer)0xfff; /* in halves of 12 bits, whose products are exact */
    const vec a_high = (vec)((ivec)a & upper), a_low = a - a_high, b_high = (vec)((ivec)b & upper), b_low = b - b_high;
    return c - a_high * b_high - a_high * b_low - a_low * b_high - a_low * b_low;
#else
    return vfma(-a, b, c);
#endif
}

/* With t = e^(-2|z|) - 1, tanh |z| = -t / (t + 2), corrected as above and for what the division leaves over; here
   1 / sum = (1 + quotient) / 2 */
INLINE vec vtanh(vec z) {
    const vec two = vset(C_(2.0)), half = vset(C_(0.5));
    const vec t = vexpm1_negative(vnegabs(z) * two);
    const vec sum = t + two, lost = t - (sum - two);
    const vec quotient = -t / sum;
    const vec rest = vfma(-quotient, lost, vremainder(-t, quotient, sum));
    const vec magnitude = vfma(rest, vfma(half, quotient, half), quotient);
    const ivec sign = (ivec)vset((real)-0.0);
    return (vec)(((ivec)magnitude & ~sign) | ((ivec)z & sign));
}

/* Every elementwise activation but the identity: its code, a from z, and da/dz from a. Softmax is the output layer's
   business. */
#define EACH_ACTIVATION(DO)                               \
    DO(SIGMOID, vsigmoid(z), a * (one - a))               \
    DO(TANH, vtanh(z), one - a * a)                       \
    DO(RELU, vmax(zero, z), vless(zero, a, one, zero))    \
    DO(LEAKY_RELU, vless(z, zero, z * C_(0.01), z), vless(zero, a, one, vset(C_(0.01))))

INLINE vec vactivate(int64_t activation, vec z) {
    const vec zero = {0};
    switch (activation) {
#define CASE(code, value, derivative) \
    case code: return value;
        EACH_ACTIVATION(CASE)
#undef CASE
    default: return z;
    }
}

/* da/dz from a */
INLINE vec vderivative(int64_t activation, vec a) {
    const vec zero = {0}, one = vset(C_(1.0));
    switch (activation) {
#define CASE(code, value, derivative) \
    case code: return derivative;
        EACH_ACTIVATION(CASE)
#undef CASE
    default: return one;
    }
}

/* z[0..count) = activation(z), count a multiple of LANES */
static void apply_activation(int64_t activation, real *z, int64_t count) {
    switch (activation) { /* outside of the loops */
#define CASE(code, value, derivative)                                                         \
    case code:                                                                                \
        for (int64_t i = 0; i < count; i += LANES) vstore(z + i, vactivate(code, vload(z + i))); \
        break;
        EACH_ACTIVATION(CASE)
#undef CASE
    }
}

/* d[0..count) *= activation'(z), from a = activation(z) / factor */
static void apply_derivative(int64_t activation, const real *a, real factor, real *d, int64_t count) {
    switch (activation) {
#define CASE(code, value, derivative)                                          \
    case code:                                                                 \
        for (int64_t i = 0; i < count; i += LANES)                             \
            vstore(d + i, vload(d + i) * vderivative(code, vload(a + i) * factor)); \
        break;
        EACH_ACTIVATION(CASE)
#undef CASE
    }
}

/* The table's function for the tests of accuracy, which also want to see vexp alone. */
static void activate_array(int64_t activation, const void *x, void *out, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t here = count - i < LANES ? count - i : LANES;
        real lanes[LANES] __attribute__((aligned(64))) = {0};
        memcpy(lanes, (const real *)x + i, here * sizeof(real));
        if (activation == EXPONENTIAL)
            vstore(lanes, vexp(vload(lanes)));
        else
            apply_activation(activation, lanes, LANES);
        memcpy((real *)out + i, lanes, here * sizeof(real));
    }
}

#endif
