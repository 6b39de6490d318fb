/* Dense products in register tiles: C (rows, columns) = C0 + A B, summed over k in ascending order. Template.

   A(r, k) is a[r * row_step + k * k_step], so the same code serves x W, delta W^T and x^T delta. Every output's sum is
   one chain of fused multiply-adds over k, whatever the tile, so the bits depend on neither tile nor vector width.
   With an index, the rows of B (INDEX_B) or of C (INDEX_C) are those it names: the first layer's active inputs. */

enum { FN(FROM_ZERO), FN(FROM_ROW), FN(FROM_C) }; /* C0: zeros, the vector `start` in every row, or C as it was */
enum { FN(NO_INDEX), FN(INDEX_B), FN(INDEX_C) };

typedef struct {
    const REAL *a;
    int64_t row_step, k_step;
    const REAL *b;
    int64_t b_step;
    const REAL *start;
    REAL *c;
    int64_t c_step;
    const int32_t *index;
} FN(operands);
#define OPERANDS FN(operands)

INLINE void FN(tile)(const int rows, const int vectors, const int indexed, int from, int64_t depth, const OPERANDS *in,
                     int64_t r0, int64_t column) {
    V sum[TILE_ROWS][2];
    REAL *c[TILE_ROWS];
    for (int r = 0; r < rows; r++) {
        c[r] = in->c + (indexed == FN(INDEX_C) ? in->index[r0 + r] : r0 + r) * in->c_step + column;
        for (int j = 0; j < vectors; j++)
            sum[r][j] = from == FN(FROM_ZERO)  ? (V){0}
                        : from == FN(FROM_ROW) ? FN(vload)(in->start + column + j * LANES)
                                               : FN(vload)(c[r] + j * LANES);
    }
    const int64_t row_step = in->row_step, k_step = in->k_step, b_step = in->b_step;
    const REAL *a = in->a + r0 * row_step, *b = in->b + column;
    for (int64_t k = 0; k < depth; k++, a += k_step) {
        const REAL *b_row = indexed == FN(INDEX_B) ? b + in->index[k] * b_step : b + k * b_step;
        V row[2];
        for (int j = 0; j < vectors; j++) row[j] = FN(vload)(b_row + j * LANES);
        for (int r = 0; r < rows; r++) {
            const V value = FN(vset)(a[r * row_step]);
            for (int j = 0; j < vectors; j++) sum[r][j] = FN(vfma)(value, row[j], sum[r][j]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int j = 0; j < vectors; j++) FN(vstore)(c[r] + j * LANES, sum[r][j]);
}

/* `columns` is a multiple of LANES; b, c and start are aligned. */
INLINE void FN(tiles)(const int indexed, int from, int64_t rows, int64_t columns, int64_t depth, const OPERANDS *in) {
    for (int64_t j = 0; j < columns; j += 2 * LANES) {
        const int pair = columns - j > LANES;
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            const int64_t left = rows - r;
#define CASE(count)                                                         \
    case count:                                                             \
        if (pair)                                                           \
            FN(tile)(count, 2, indexed, from, depth, in, r, j);             \
        else                                                                \
            FN(tile)(count, 1, indexed, from, depth, in, r, j);             \
        break;
            switch (left < TILE_ROWS ? left : TILE_ROWS) {
                CASE(1) CASE(2) CASE(3) CASE(4)
#if TILE_ROWS > 4
                CASE(5) CASE(6)
#endif
#if TILE_ROWS > 6
                CASE(7) CASE(8)
#endif
#if TILE_ROWS > 8
                CASE(9) CASE(10) CASE(11) CASE(12)
#endif
            }
#undef CASE
        }
    }
}

static void FN(product)(int from, int64_t rows, int64_t columns, int64_t depth, OPERANDS in) {
    FN(tiles)(FN(NO_INDEX), from, rows, columns, depth, &in);
}

static void FN(product_of_rows)(int from, int64_t rows, int64_t columns, int64_t depth, OPERANDS in) {
    FN(tiles)(FN(INDEX_B), from, rows, columns, depth, &in);
}

static void FN(product_into_rows)(int from, int64_t rows, int64_t columns, int64_t depth, OPERANDS in) {
    FN(tiles)(FN(INDEX_C), from, rows, columns, depth, &in);
}
