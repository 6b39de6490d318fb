/* Dense products in register tiles: C (rows, columns) = C0 + A B, summed over k in ascending order. Template.

   A(r, k) is a[r * row_step + k * k_step], so the same code serves x W, delta W^T and x^T delta. Every output's sum is
   one chain of fused multiply-adds over k, whatever the tile, so the bits depend on neither tile nor vector width. */

enum { FN(FROM_ZERO), FN(FROM_ROW), FN(FROM_C) }; /* C0: zeros, the vector `start` in every row, or C as it was */

INLINE void FN(tile)(const int rows, const int vectors, int from, int64_t depth, const REAL *a, int64_t row_step,
                     int64_t k_step, const REAL *b, int64_t b_step, const REAL *start, REAL *c, int64_t c_step) {
    V sum[TILE_ROWS][2];
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++)
            sum[r][j] = from == FN(FROM_ZERO)  ? (V){0}
                        : from == FN(FROM_ROW) ? FN(vload)(start + j * LANES)
                                               : FN(vload)(c + r * c_step + j * LANES);
    for (int64_t k = 0; k < depth; k++, a += k_step, b += b_step) {
        V row[2];
        for (int j = 0; j < vectors; j++) row[j] = FN(vload)(b + j * LANES);
        for (int r = 0; r < rows; r++) {
            const V value = FN(vset)(a[r * row_step]);
            for (int j = 0; j < vectors; j++) sum[r][j] = FN(vfma)(value, row[j], sum[r][j]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++) FN(vstore)(c + r * c_step + j * LANES, sum[r][j]);
}

/* `columns` is a multiple of LANES; b, c and start are aligned. */
static void FN(product)(int from, int64_t rows, int64_t columns, int64_t depth, const REAL *a, int64_t row_step,
                        int64_t k_step, const REAL *b, int64_t b_step, const REAL *start, REAL *c, int64_t c_step) {
    for (int64_t j = 0; j < columns; j += 2 * LANES) {
        const int pair = columns - j > LANES;
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            const int64_t left = rows - r;
#define CASE(count)                                                                                               \
    case count:                                                                                                   \
        if (pair)                                                                                                 \
            FN(tile)(count, 2, from, depth, a + r * row_step, row_step, k_step, b + j, b_step, start + j,         \
                     c + r * c_step + j, c_step);                                                                 \
        else                                                                                                      \
            FN(tile)(count, 1, from, depth, a + r * row_step, row_step, k_step, b + j, b_step, start + j,         \
                     c + r * c_step + j, c_step);                                                                 \
        break;
            switch (left < TILE_ROWS ? left : TILE_ROWS) {
                CASE(1) CASE(2) CASE(3) CASE(4)
#if TILE_ROWS > 4
                CASE(5) CASE(6)
#endif
#if TILE_ROWS > 6
                CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12)
#endif
            }
#undef CASE
        }
    }
}
