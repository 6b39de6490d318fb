/* exp, expm1, log1p, the normal distribution and the activation functions, a vector at a time. */
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
#define LOWER_HALF 0xfff /* of the significand's bits */
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
#define LOWER_HALF 0x7ffffff
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

/* log(1 + u) = 2 atanh(u / (2 + u)) for 0 <= u <= 1; the series' first term stands apart, so that the last rounding is
   that of the sum, and a subnormal u comes through */
INLINE vec vlog1p_unit(vec u) {
    const vec first = C_(2.0) * u / (u + C_(2.0)), square = first * first * C_(0.25);
    vec p = vset(C_(1.0) / (2 * LOG1P_TERMS - 1));
    for (int i = LOG1P_TERMS - 1; i > 1; i--) p = vfma(p, square, vset(C_(1.0) / (2 * i - 1)));
    return vfma(first * square, p, first);
}

/* c - a b for a product close to c, which is exact but for the last bits of the rest */
INLINE vec vremainder(vec c, vec a, vec b) {
#if FUSED
    return vfma(-a, b, c);
#else
    const ivec upper = (ivec){0} + ~(integer)LOWER_HALF; /* in halves, whose products are exact */
    const vec a_high = (vec)((ivec)a & upper), a_low = a - a_high, b_high = (vec)((ivec)b & upper), b_low = b - b_high;
    return c - a_high * b_high - a_high * b_low - a_low * b_high - a_low * b_low;
#endif
}

/* P(z), the share of a standard normal distribution below z. With x = |z| / sqrt(2) and t = (x - K) / (x + K), which goes
   from -1 to 1, (1 + 2x) exp(x^2) erfc(x) is a polynomial in t to rounding (Shepherd & Laframboise 1981, Chebyshev
   approximation of (1 + 2x) exp(x^2) erfc x). P(-|z|) = erfc(x) / 2, with what rounding takes from z^2 made up for. */
INLINE vec vnormal_share(vec z) {
#if REAL_IS_FLOAT
    static const real coefficients[] = {
        1.25300805636775534f,   -0.135621069400273603f,  -0.0475621569275200741f,   0.129644114344081394f,
        -0.119275275282240893f, 0.0683165677711408534f,  -0.0237635764394950397f,   0.00249911686960694756f,
        0.001875079123772353f,  -0.000726453679034048424f, -0.0000925451668692396596f, 0.0000773102422407689506f,
    };
    const real K = 3;
#else
    static const real coefficients[] = {
        1.23751263083782753,      -0.140240598585546962,    0.00358541548547902564,   0.0822767384901452077,
        -0.108803930142444613,    0.0923043211603774778,    -0.0586933985766493384,   0.0283622774189564043,
        -0.00974657968326526223,  0.00175562585289529536,   0.00029371437804495803,   -0.000290154080540841711,
        0.0000516465297417741613, 0.0000223842391550822298, -0.0000114380480333468936, -9.73559896736774934e-7,
        1.74198215862248159e-6,   -5.72182306032240875e-8,  -2.48571262480167429e-7,  2.32635087088591237e-8,
        3.19792667166680429e-8,   -3.74421008096201864e-9,  -2.62310734713347576e-9,  3.1114333809799252e-10,
    };
    const real K = 3.75;
#endif
    enum { TERMS = sizeof coefficients / sizeof coefficients[0] };
    const vec one = vset(1), magnitude = -vmax(vset(-60), vnegabs(z)), x = magnitude * C_(0.70710678118654752440);
    const vec t = (x - K) / (x + K), square = magnitude * magnitude, rest = vremainder(square, magnitude, magnitude);
    vec sum = vset(coefficients[TERMS - 1]);
    UNROLL for (int i = TERMS - 2; i >= 0; i--) sum = vfma(sum, t, vset(coefficients[i]));
    const vec e = vexp_bounded(square * C_(-0.5)) * vfma(rest, vset(C_(0.5)), one);
    const vec tail = sum * e / ((one + 2 * x) * 2);
    return vless((vec){0}, z, one - tail, tail);
}

/* exp(-z^2 / 2) / sqrt(2 pi), the density of that distribution */
INLINE vec vnormal_density(vec z) { return vexp_bounded(z * z * C_(-0.5)) * C_(0.39894228040143267794); }

/* 1 / (1 + e^-z), or e^z / (1 + e^z) below 0, so that both tails are accurate. `lost` is what rounding takes from the
   sum below the line; a relative lost / sum is taken from the quotient to make up for it. */
INLINE vec vsigmoid(vec z) {
    const vec one = vset(C_(1.0)), e = vexp_bounded(vnegabs(z));
    const vec sum = one + e, lost = e - (sum - one);
    const vec quotient = vless(z, (vec){0}, e, one) / sum;
    const vec inverse = vless(z, (vec){0}, one - quotient, quotient); /* 1 / sum */
    return vfma(-quotient, lost * inverse, quotient);
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

#define SELU_SCALE C_(1.0507009873554804934)
#define SELU_SLOPE C_(1.7580993408473768600) /* times exp(z) - 1, below 0 */
#define HARD_SLOPE (C_(1.0) / C_(6.0))
/* Below it an output of hard_sigmoid is no 1: dropout, which goes on with 1 * scale, gives back a little less or more. */
#define HARD_MOST (C_(1.0) - (REAL_IS_FLOAT ? C_(0x1p-21) : C_(0x1p-50)))

/* Every elementwise activation but the identity: its code, a from z, and da/dz from a or, of those in EACH_OF_Z, from z,
   with alpha in those that have a number. Softmax is the output layer's business. */
#define EACH_OF_A(DO) \
    DO(SIGMOID, vsigmoid(z), a * (one - a)) \
    DO(TANH, vtanh(z), one - a * a) \
    DO(RELU, vmax(zero, z), vless(zero, a, one, zero)) \
    DO(LEAKY_RELU, vless(z, zero, z * alpha, z), vless(zero, a, one, alpha)) \
    DO(ELU, vless(zero, z, z, vexpm1_negative(z) * alpha), vless(zero, a, one, a + alpha)) \
    DO(SELU, vless(zero, z, z * SELU_SCALE, vexpm1_negative(z) * SELU_SLOPE), \
       vless(zero, a, vset(SELU_SCALE), a + SELU_SLOPE)) \
    DO(SOFTPLUS, vmax(zero, z) + vlog1p_unit(vexp_bounded(vnegabs(z))), -vexpm1_negative(-a)) \
    DO(SOFTSIGN, z / (one - vnegabs(z)), (one + vnegabs(a)) * (one + vnegabs(a))) \
    DO(HARD_SIGMOID, -vmax(-one, -vmax(zero, z * HARD_SLOPE + C_(0.5))), \
       vless(zero, a, vless(a, vset(HARD_MOST), vset(HARD_SLOPE), zero), zero)) \
    DO(EXPONENTIAL, vexp(z), a)
#define EACH_OF_Z(DO) \
    DO(GELU, z * vnormal_share(z), vfma(z, vnormal_density(z), vnormal_share(z))) \
    DO(SILU, z * vsigmoid(z), vsigmoid(z) * vfma(z, one - vsigmoid(z), one))
#define EACH_ACTIVATION(DO) EACH_OF_A(DO) EACH_OF_Z(DO)

/* Does the derivative need z, which a layer then keeps? */
INLINE int is_of_z(int64_t activation) {
    switch (activation) {
#define CASE(code, value, derivative) case code:
        EACH_OF_Z(CASE)
#undef CASE
        return 1;
    default: return 0;
    }
}

INLINE vec vactivate(int64_t activation, vec alpha, vec z) {
    const vec zero = {0}, one = vset(C_(1.0));
    switch (activation) {
#define CASE(code, value, derivative) \
    case code: return value;
        EACH_ACTIVATION(CASE)
#undef CASE
    default: return z;
    }
}

/* da/dz from a or z, whichever the activation's is of */
INLINE vec vderivative(int64_t activation, vec alpha, vec of) {
    const vec zero = {0}, one = vset(C_(1.0)), a = of, z = of;
    switch (activation) {
#define CASE(code, value, derivative) \
    case code: return derivative;
        EACH_ACTIVATION(CASE)
#undef CASE
    default: return one;
    }
}

/* z[0..count) = activation(z), count a multiple of LANES */
static void apply_activation(int64_t activation, double alpha, real *z, int64_t count) {
    const vec alphas = vset((real)alpha);
    switch (activation) { /* outside of the loops */
#define CASE(code, value, derivative)                                                         \
    case code:                                                                                \
        for (int64_t i = 0; i < count; i += LANES) vstore(z + i, vactivate(code, alphas, vload(z + i))); \
        break;
        EACH_ACTIVATION(CASE)
#undef CASE
    }
}

/* d[0..count) *= activation'(z), from `of` * factor, which is a or z */
static void apply_derivative(int64_t activation, double alpha, const real *of, real factor, real *d, int64_t count) {
    const vec alphas = vset((real)alpha);
    switch (activation) {
#define CASE(code, value, derivative)                                          \
    case code:                                                                 \
        for (int64_t i = 0; i < count; i += LANES)                             \
            vstore(d + i, vload(d + i) * vderivative(code, alphas, vload(of + i) * factor)); \
        break;
        EACH_ACTIVATION(CASE)
#undef CASE
    }
}

/* The table's function for the tests of accuracy. */
static void activate_array(int64_t activation, double alpha, const void *x, void *out, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t here = count - i < LANES ? count - i : LANES;
        real lanes[LANES] __attribute__((aligned(64))) = {0};
        memcpy(lanes, (const real *)x + i, here * sizeof(real));
        apply_activation(activation, alpha, lanes, LANES);
        memcpy((real *)out + i, lanes, here * sizeof(real));
    }
}

#endif
