/* exp, expm1, log1p and the activation functions, a vector at a time. Template, after vec.h. */

#if IS_FLOAT
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
INLINE V FN(vpow2)(V n) {
    const V shifted = n + (MAGIC + EXPONENT_BIAS);
    return (V)((VI)shifted << MANTISSA);
}

/* x = n ln 2 + r with |r| <= ln(2) / 2; returns q = exp(r) - 1 by its Taylor series, r + r^2 (1/2 + r/6 + ..), whose terms
   are added up in pairs, and these in pairs (Estrin): one by one, each would wait for the one before */
INLINE V FN(vexp_reduce)(V x, V *n) {
    const V whole = FN(vfma)(x, FN(vset)(C_(1.44269504088896340736)), FN(vset)(MAGIC)) - MAGIC;
    V r = FN(vfma)(whole, FN(vset)(-LN2_HIGH), x);
    r = FN(vfma)(whole, FN(vset)(-LN2_LOW), r);
    static const REAL inverse_factorial[] = {
        C_(0.5), C_(1.0) / C_(6.0), C_(1.0) / C_(24.0), C_(1.0) / C_(120.0), C_(1.0) / C_(720.0), C_(1.0) / C_(5040.0),
#if !IS_FLOAT
        1.0 / 40320.0, 1.0 / 362880.0, 1.0 / 3628800.0, 1.0 / 39916800.0, 1.0 / 479001600.0, 1.0 / 6227020800.0,
#endif
    };
    enum { TERMS = sizeof inverse_factorial / sizeof inverse_factorial[0] };
    V sum[TERMS], power = r;
    UNROLL for (int i = 0; i < TERMS; i++) sum[i] = FN(vset)(inverse_factorial[i]);
    UNROLL for (int count = TERMS; count > 1; count = (count + 1) / 2, power *= power) {
        UNROLL for (int i = 0; i < count / 2; i++) sum[i] = FN(vfma)(sum[2 * i + 1], power, sum[2 * i]);
        if (count % 2) sum[count / 2] = sum[count - 1];
    }
    *n = whole;
    return FN(vfma)(sum[0], r * r, r);
}

/* x 2^n of a whole number n */
INLINE V FN(vscale)(V x, V n) {
#if VECTOR_BYTES == 64
    return (V)M_(scalef)(x, n);
#else
    /* in two factors, so that neither overflows nor a subnormal result is rounded twice */
    const V half = FN(vfma)(n, FN(vset)(C_(0.5)), FN(vset)(MAGIC)) - MAGIC;
    return x * FN(vpow2)(half) * FN(vpow2)(n - half);
#endif
}

/* exp(x) for x <= EXP_HIGHEST */
INLINE V FN(vexp_bounded)(V x) {
    V n;
    const V q = FN(vexp_reduce)(FN(vmax)(FN(vset)(EXP_LOWEST), x), &n);
    return FN(vscale)(C_(1.0) + q, n);
}

INLINE V FN(vexp)(V x) {
    const V highest = FN(vset)(EXP_HIGHEST);
    return FN(vexp_bounded)(FN(vless)(highest, x, highest, x));
}

/* exp(x) - 1 for x <= 0 */
INLINE V FN(vexpm1_negative)(V x) {
    V n;
    const V q = FN(vexp_reduce)(FN(vmax)(FN(vset)(C_(-60.0)), x), &n); /* -1 long before */
    const V scale = FN(vpow2)(n);
    return FN(vfma)(scale, q, scale - C_(1.0));
}

/* log(1 + u) = 2 atanh(u / (2 + u)) for 0 <= u <= 1 */
INLINE V FN(vlog1p_unit)(V u) {
    const V s = u / (u + C_(2.0)), square = s * s;
    V p = FN(vset)(C_(1.0) / (2 * LOG1P_TERMS - 1));
    for (int i = LOG1P_TERMS - 1; i > 0; i--) p = FN(vfma)(p, square, FN(vset)(C_(1.0) / (2 * i - 1)));
    return C_(2.0) * s * p;
}

/* 1 / (1 + e^-z), or e^z / (1 + e^z) below 0, so that both tails are accurate. `lost` is what rounding takes from the
   sum below the line; a relative lost / sum is taken from the quotient to make up for it. */
INLINE V FN(vsigmoid)(V z) {
    const V one = FN(vset)(C_(1.0)), e = FN(vexp_bounded)(FN(vnegabs)(z));
    const V sum = one + e, lost = e - (sum - one);
    const V quotient = FN(vless)(z, (V){0}, e, one) / sum;
    const V inverse = FN(vless)(z, (V){0}, one - quotient, quotient); /* 1 / sum */
    return FN(vfma)(-quotient, lost * inverse, quotient);
}

/* c - a b for a product close to c, exactly in float32 */
INLINE V FN(vremainder)(V c, V a, V b) {
#if IS_FLOAT && !FUSED
    const VI upper = (VI){0} + ~(INTEGER)0xfff; /* in halves of 12 bits, whose products are exact */
    const V a_high = (V)((VI)a & upper), a_low = a - a_high, b_high = (V)((VI)b & upper), b_low = b - b_high;
    return c - a_high * b_high - a_high * b_low - a_low * b_high - a_low * b_low;
#else
    return FN(vfma)(-a, b, c);
#endif
}

/* With t = e^(-2|z|) - 1, tanh |z| = -t / (t + 2), corrected as above and for what the division leaves over; here
   1 / sum = (1 + quotient) / 2 */
INLINE V FN(vtanh)(V z) {
    const V two = FN(vset)(C_(2.0)), half = FN(vset)(C_(0.5));
    const V t = FN(vexpm1_negative)(FN(vnegabs)(z) * two);
    const V sum = t + two, lost = t - (sum - two);
    const V quotient = -t / sum;
    const V rest = FN(vfma)(-quotient, lost, FN(vremainder)(-t, quotient, sum));
    const V magnitude = FN(vfma)(rest, FN(vfma)(half, quotient, half), quotient);
    const VI sign = (VI)FN(vset)((REAL)-0.0);
    return (V)(((VI)magnitude & ~sign) | ((VI)z & sign));
}

INLINE V FN(vactivate)(int64_t activation, V z) {
    switch (activation) {
    case SIGMOID: return FN(vsigmoid)(z);
    case TANH: return FN(vtanh)(z);
    case RELU: return FN(vmax)((V){0}, z);
    case LEAKY_RELU: return FN(vless)(z, (V){0}, z * C_(0.01), z);
    default: return z;
    }
}

/* d a / d z from a */
INLINE V FN(vderivative)(int64_t activation, V a) {
    const V zero = {0}, one = FN(vset)(C_(1.0));
    switch (activation) {
    case SIGMOID: return a * (one - a);
    case TANH: return one - a * a;
    case RELU: return FN(vless)(zero, a, one, zero);
    case LEAKY_RELU: return FN(vless)(zero, a, one, FN(vset)(C_(0.01)));
    default: return one;
    }
}

/* a loop for each activation, so that the switch is outside of it */
#define EACH_ACTIVATION(activation, LOOP) \
    switch (activation) {                 \
    case SIGMOID: LOOP(SIGMOID); break;   \
    case TANH: LOOP(TANH); break;         \
    case RELU: LOOP(RELU); break;         \
    case LEAKY_RELU: LOOP(LEAKY_RELU); break; \
    }

/* z[0..count) = activation(z), count a multiple of LANES; softmax is the output layer's business */
static void FN(apply_activation)(int64_t activation, REAL *z, int64_t count) {
#define LOOP(code) \
    for (int64_t i = 0; i < count; i += LANES) FN(vstore)(z + i, FN(vactivate)(code, FN(vload)(z + i)))
    EACH_ACTIVATION(activation, LOOP)
#undef LOOP
}

/* d[0..count) *= activation'(z), from a = activation(z) / factor */
static void FN(apply_derivative)(int64_t activation, const REAL *a, REAL factor, REAL *d, int64_t count) {
#define LOOP(code)                              \
    for (int64_t i = 0; i < count; i += LANES)  \
    FN(vstore)(d + i, FN(vload)(d + i) * FN(vderivative)(code, FN(vload)(a + i) * factor))
    EACH_ACTIVATION(activation, LOOP)
#undef LOOP
}

/* The table's function for the tests of accuracy, which also want to see vexp alone. */
static void FN(activate)(int64_t activation, const void *x, void *out, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t here = count - i < LANES ? count - i : LANES;
        REAL lanes[LANES] __attribute__((aligned(64))) = {0};
        memcpy(lanes, (const REAL *)x + i, here * sizeof(REAL));
        if (activation == EXPONENTIAL)
            FN(vstore)(lanes, FN(vexp)(FN(vload)(lanes)));
        else
            FN(apply_activation)(activation, lanes, LANES);
        memcpy((REAL *)out + i, lanes, here * sizeof(REAL));
    }
}

#undef MAGIC
#undef MANTISSA
#undef EXPONENT_BIAS
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_LOWEST
#undef EXP_HIGHEST
#undef LOG1P_TERMS
