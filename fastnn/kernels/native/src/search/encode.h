/* Codes of rows: fastnn/neighbors/codes.py's _encode_block in one pass. */
#ifndef FNN_SEARCH_ENCODE_H
#define FNN_SEARCH_ENCODE_H

#include "../simd/vec.h"

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

/* v (columns) = reals less the mean. */
static void less_mean(const real *x, const real *mean, int64_t columns, real *v) {
    for (int64_t i = 0; i < columns; i++) v[i] = x[i] - mean[i];
}

/* *rest = r(v) of what a projection of |v|^2 = square leaves; returns a bound of its error. `wrong`: that of its square. */
static double rest_of(double square, double projected, double wrong, real *rest) {
    const double left = square > projected ? square - projected : 0;
    *rest = (real)sqrt(left);
    const double steep = left > 0 ? wrong / *rest : INFINITY, flat = sqrt(wrong);
    return steep < flat ? steep : flat;
}

/* z (count) = (u - low) / scale, codes = z rounded to bytes, and z less these. */
static void round_codes(const real *low, real scale, int64_t count, real *z, uint8_t *codes) {
    const real inverse = 1 / scale;
    for (int64_t i = 0; i < count; i++) {
        z[i] = (z[i] - low[i]) * inverse;
        real code = REAL_IS_FLOAT ? (real)__builtin_rintf((float)z[i]) : (real)__builtin_rint((double)z[i]);
        code = code > 0 ? code : 0; /* a NaN too */
        code = code < 255 ? code : 255;
        codes[i] = (uint8_t)(int32_t)code;
        z[i] -= code;
    }
}

/* The arena has encode_bytes(e) bytes. */
static size_t encode_room(const fnn_encoding *e) {
    return (size_t)(e->columns + 2 * (e->columns + e->axes + 2)) * sizeof(real);
}

static void encode_rows(const fnn_encoding *e, void *arena) {
    const int64_t columns = e->columns, axes = e->axes, width = e->width;
    const int64_t total = axes ? axes + 1 + (axes >= width) : columns;
    const double epsilon = REAL_IS_FLOAT ? 0x1p-23 : 0x1p-52;
    real *v = arena, *u = v + columns;
    uint8_t *codes = (uint8_t *)(u + total);
    for (int64_t r = 0; r < e->rows; r++) {
        const real *row = e->mean ? v : (const real *)e->x + r * columns;
        const real *projected = (const real *)e->projected + r * axes;
        int64_t terms = columns;
        if (e->is_uint8)
            terms = bytes_less_mean((const uint8_t *)e->x + r * columns, e->mean, columns, v);
        else if (e->mean)
            less_mean((const real *)e->x + r * columns, e->mean, columns, v);
        const double square = sum_of_squares(row, columns), norm = sqrt(square);
        double error = epsilon * (4 * norm + 8 * e->offset);
        if (axes) {
            const double shift = sqrt((double)axes) * (double)(terms + 8) * 1.01 * epsilon / 2
                                 * (norm + (e->is_uint8 ? 2 * e->offset : 0));
            const double wrong = (double)(columns + 8) * epsilon * square + (2 * norm + shift) * shift;
            const double first = sum_of_squares(projected, width - 1);
            double turn = rest_of(square, first, wrong, u + width - 1);
            memcpy(u, projected, (width - 1) * sizeof(real));
            if (axes >= width) {
                memcpy(u + width, projected + width - 1, (axes - width + 1) * sizeof(real));
                const double more = sum_of_squares(projected + width - 1, axes - width + 1);
                const double last = rest_of(square, first + more, wrong, u + total - 1);
                if (!(last <= turn)) turn = last;
            }
            error += shift + turn;
        } else {
            memcpy(u, row, columns * sizeof(real));
        }
        round_codes(e->low, (real)e->scale, total, u, codes);
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

#endif
