/* Codes of rows, as fastnn/neighbors/codes.py says in its docstring and in _encode_block. For each row v (columns)
   whose product with some axes R v (axes) is given

       u = (R v, r(v)),  r(v) = sqrt(|v|^2 - |R v|^2),  or u = v where there are no axes,
       code = round((u - low) / scale) in 0..255,  error = |(u - low) / scale - code| + what rounding may add.

   native.pyx has threads call prepare_thread, each for some of the rows, which writes v, and encode_thread, which writes
   codes, finer codes and errors. Errors of sums are those of Higham 2002, Accuracy and Stability of Numerical
   Algorithms, section 3.1. */
#ifndef FNN_SEARCH_ENCODE_H
#define FNN_SEARCH_ENCODE_H

#include "../simd/vec.h"

/* |x|^2 (count) */
static double sum_of_squares(const real *x, int64_t count) {
    vec sum = {0};
    double total = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        const vec some = *(const vec_unaligned *)(x + i);
        sum = vfma(some, some, sum);
    }
    for (; i < count; i++) total += (double)x[i] * (double)x[i];
    for (int k = 0; k < LANES; k++) total += (double)sum[k];
    return total;
}

/* v (count) divided by its norm, where that is not 0. */
static void make_unit(real *v, int64_t count) {
    double sums[8] = {0}, most = 1; /* sums: of every eighth square, so that additions do not wait for one another */
    int64_t i = 0;
    if (!REAL_IS_FLOAT) { /* doubles hold the squares of all floats; of doubles the largest element is taken out first */
        vec largest = {0};
        most = 0;
        for (; i + LANES <= count; i += LANES) largest = vmax(-vnegabs(*(const vec_unaligned *)(v + i)), largest);
        for (int k = 0; k < LANES; k++) most = (double)largest[k] > most ? (double)largest[k] : most;
        for (; i < count; i++) most = fabs((double)v[i]) > most ? fabs((double)v[i]) : most;
        if (most == 0) return;
        for (i = 0; i < count; i++) v[i] /= (real)most;
    }
    for (i = 0; i + 8 <= count; i += 8)
        for (int k = 0; k < 8; k++) sums[k] += (double)v[i + k] * (double)v[i + k];
    for (; i < count; i++) sums[0] += (double)v[i] * (double)v[i];
    const double norm = sqrt(((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7])));
    const double inverse = norm > 0 ? 1 / norm : 0;
    for (i = 0; i < count; i++) v[i] = (real)((double)v[i] * inverse);
}

static void prepare_thread(void *job, int thread, int threads) {
    const fnn_preparing *p = job;
    const int64_t columns = p->columns, end = p->rows * (thread + 1) / threads;
    const real *mean = p->mean;
    for (int64_t r = p->rows * thread / threads; r < end; r++) {
        real *v = (real *)p->v + r * columns;
        if (p->is_uint8)
            for (int64_t i = 0; i < columns; i++) v[i] = (real)((const uint8_t *)p->x)[r * columns + i];
        else
            memcpy(v, (const real *)p->x + r * columns, columns * sizeof(real));
        if (p->to_unit) make_unit(v, columns);
        for (int64_t i = 0; i < columns; i++) v[i] -= mean[i];
    }
}

/* v (columns) = bytes less the mean; returns how many are not zero. */
static int64_t bytes_less_mean(const uint8_t *x, const real *mean, int64_t columns, real *v) {
    int64_t terms = 0;
    for (int64_t i = 0; i < columns; i++) v[i] = (real)x[i] - mean[i];
    for (int64_t i = 0; i < columns;) {
        uint8_t some = 0;
        for (const int64_t stop = columns - i < 255 ? columns : i + 255; i < stop; i++) some += x[i] != 0;
        terms += some;
    }
    return terms;
}

/* *left = r(v), of |v|^2 = square and |R v|^2 = projected; returns its error at most. `wrong`: that of its square. */
static double find_left(double square, double projected, double wrong, real *left) {
    const double left_square = square > projected ? square - projected : 0;
    *left = (real)sqrt(left_square);
    const double steep = left_square > 0 ? wrong / *left : INFINITY, flat = sqrt(wrong);
    return steep < flat ? steep : flat;
}

/* u (count) = (u - low) / scale, codes = u rounded to bytes, and u less these. */
static void round_to_codes(const real *low, real scale, int64_t count, real *u, uint8_t *codes) {
    const real inverse = 1 / scale;
    for (int64_t i = 0; i < count; i++) {
        u[i] = (u[i] - low[i]) * inverse;
        real code = REAL_IS_FLOAT ? (real)__builtin_rintf((float)u[i]) : (real)__builtin_rint((double)u[i]);
        code = code > 0 ? code : 0; /* a NaN too */
        code = code < 255 ? code : 255;
        codes[i] = (uint8_t)(int32_t)code;
        u[i] -= code;
    }
}

/* Of the arena that a thread needs, for v, u and the codes of a row: whole cache lines. */
static size_t encode_bytes(const fnn_encoding *e) {
    return ((size_t)(e->columns + 2 * (e->columns + e->axes + 2)) * sizeof(real) + 63) / 64 * 64;
}

/* The codes of the rows first..end. */
static void encode_rows(const fnn_encoding *e, int64_t first, int64_t end, void *arena) {
    const int64_t columns = e->columns, axes = e->axes, width = e->width;
    const int64_t total = axes ? axes + 1 + (axes >= width) : columns; /* elements of u; with finer codes, two r(v) */
    const double epsilon = REAL_IS_FLOAT ? 0x1p-23 : 0x1p-52;
    real *v = arena, *u = v + columns;
    uint8_t *codes = (uint8_t *)(u + total);
    for (int64_t r = first; r < end; r++) {
        const real *given = (const real *)e->x + r * columns, *row = e->mean ? v : given, *mean = e->mean;
        const real *projected = (const real *)e->projected + r * axes;
        int64_t terms = columns;
        if (e->is_uint8)
            terms = bytes_less_mean((const uint8_t *)e->x + r * columns, mean, columns, v);
        else if (mean)
            for (int64_t i = 0; i < columns; i++) v[i] = given[i] - mean[i];
        const double square = sum_of_squares(row, columns), norm = sqrt(square);
        double error = epsilon * (4 * norm + 8 * e->offset);
        if (axes) {
            const double shift = sqrt((double)axes) * (double)(terms + 8) * 1.01 * epsilon / 2 *
                                 (norm + (e->is_uint8 ? 2 * e->offset : 0)); /* of R v */
            const double wrong = (double)(columns + 8) * epsilon * square + (2 * norm + shift) * shift; /* of r(v)^2 */
            const double first = sum_of_squares(projected, width - 1);
            double turn = find_left(square, first, wrong, u + width - 1);
            memcpy(u, projected, (width - 1) * sizeof(real));
            if (axes >= width) {
                memcpy(u + width, projected + width - 1, (axes - width + 1) * sizeof(real));
                const double more = sum_of_squares(projected + width - 1, axes - width + 1);
                const double last = find_left(square, first + more, wrong, u + total - 1);
                if (!(last <= turn)) turn = last;
            }
            error += shift + turn;
        } else {
            memcpy(u, row, columns * sizeof(real));
        }
        round_to_codes(e->low, (real)e->scale, total, u, codes);
        memcpy(e->codes + r * width, codes, width);
        double apart = sum_of_squares(u, width);
        if (total > width) {
            uint8_t *finer = e->finer + r * (total - 1);
            memcpy(finer, codes, width - 1);
            memcpy(finer + width - 1, codes + width, total - width);
            const double other = sum_of_squares(u, width - 1) + sum_of_squares(u + width, total - width);
            if (!(other <= apart)) apart = other;
        }
        /* the last: rounding of u in units of the codes, and of this sum */
        const double all = (sqrt(apart) + error / e->scale) * 1.001 + 1e-3;
        e->errors[r] = all < 3e38 ? (float)all : INFINITY;
    }
}

static void encode_thread(void *encoding, int thread, int threads) {
    const fnn_encoding *e = encoding;
    encode_rows(e, e->rows * thread / threads, e->rows * (thread + 1) / threads,
                (char *)e->arena + thread * encode_bytes(e));
}

#endif
