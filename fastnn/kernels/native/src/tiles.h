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
    static const REAL zeros[MOST_VECTORS * LANES] __attribute__((aligned(64))) = {0};
    V sum[TILE_ROWS][MOST_VECTORS];
    REAL *c[TILE_ROWS];
    UNROLL for (int r = 0; r < rows; r++) {
        c[r] = in->c + (indexed == FN(INDEX_C) ? in->index[r0 + r] : r0 + r) * in->c_step + column;
        const REAL *start = from == FN(FROM_C) ? c[r] : from == FN(FROM_ROW) ? in->start + column : zeros;
        UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = FN(vload)(start + j * LANES);
    }
    const int64_t row_step = in->row_step, k_step = in->k_step, b_step = in->b_step;
    const REAL *a = in->a + r0 * row_step, *b = in->b + column;
    for (int64_t k = 0; k < depth; k++, a += k_step) {
        const REAL *b_row = indexed == FN(INDEX_B) ? b + in->index[k] * b_step : b + k * b_step;
        V row[MOST_VECTORS];
        UNROLL for (int j = 0; j < vectors; j++) row[j] = FN(vload)(b_row + j * LANES);
        UNROLL for (int r = 0; r < rows; r++) {
            const V value = FN(vset)(a[r * row_step]);
            UNROLL for (int j = 0; j < vectors; j++) sum[r][j] = FN(vfma)(value, row[j], sum[r][j]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
        UNROLL for (int j = 0; j < vectors; j++) FN(vstore)(c[r] + j * LANES, sum[r][j]);
}

/* A function for each shape of tile: with several in one, the compiler runs out of registers and spills. */
typedef void FN(tile_function)(int from, int64_t depth, const OPERANDS *in, int64_t r0, int64_t column);

#define TILE(rows, vectors, indexed)                                                                                \
    static __attribute__((noinline)) void FN(tile_##rows##_##vectors##_##indexed)(int from, int64_t depth,          \
                                                                                  const OPERANDS *in, int64_t r0,   \
                                                                                  int64_t column) {                 \
        FN(tile)(rows, vectors, FN(indexed), from, depth, in, r0, column);                                          \
    }
#define TILES(rows)                                                                    \
    TILE(rows, 1, NO_INDEX) TILE(rows, 1, INDEX_B) TILE(rows, 1, INDEX_C)              \
    TILE(rows, 2, NO_INDEX) TILE(rows, 2, INDEX_B) TILE(rows, 2, INDEX_C)
#define NAMES_(tile) {FN(tile##_NO_INDEX), FN(tile##_INDEX_B), FN(tile##_INDEX_C)}
#define NAMES(rows) {NAMES_(tile_##rows##_1), NAMES_(tile_##rows##_2)},
#if TILE_ROWS == 12
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12)
#elif TILE_ROWS == 8
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8)
#elif TILE_ROWS == 6
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6)
#else
#define EACH_TILE_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4)
#endif
EACH_TILE_HEIGHT(TILES)
/* A single row would wait for each sum's last addition, so it takes many at once. */
#define EACH_WIDTH(DO) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12)
#define WIDE_ROW(vectors) TILE(1, vectors, NO_INDEX) TILE(1, vectors, INDEX_B) TILE(1, vectors, INDEX_C)
EACH_WIDTH(WIDE_ROW)
static FN(tile_function) *const FN(tile_of)[TILE_ROWS][2][3] = {EACH_TILE_HEIGHT(NAMES)};
#define ROW_NAMES(vectors) NAMES_(tile_1_##vectors),
static FN(tile_function) *const FN(row_of)[MOST_VECTORS][3] = {ROW_NAMES(1) ROW_NAMES(2) EACH_WIDTH(ROW_NAMES)};
#undef TILE
#undef TILES
#undef NAMES_
#undef NAMES
#undef EACH_WIDTH
#undef WIDE_ROW
#undef ROW_NAMES

/* C += A B for a single k, row by row, as memory lies. */
INLINE void FN(outer)(const int indexed, int64_t rows, int64_t columns, const OPERANDS *in) {
    for (int64_t r = 0; r < rows; r++) {
        REAL *c = in->c + (indexed == FN(INDEX_C) ? in->index[r] : r) * in->c_step;
        const V value = FN(vset)(in->a[r * in->row_step]);
        for (int64_t j = 0; j < columns; j += LANES)
            FN(vstore)(c + j, FN(vfma)(value, FN(vload)(in->b + j), FN(vload)(c + j)));
    }
}

/* `columns` is a multiple of LANES; b, c and start are aligned. */
INLINE void FN(tiles)(const int indexed, int from, int64_t rows, int64_t columns, int64_t depth, const OPERANDS *in) {
    if (depth == 1 && from == FN(FROM_C) && indexed != FN(INDEX_B)) {
        FN(outer)(indexed, rows, columns, in);
        return;
    }
    if (rows == 1) {
        const int64_t vectors = columns / LANES, strips = (vectors + MOST_VECTORS - 1) / MOST_VECTORS;
        for (int64_t strip = 0; strip < strips; strip++) { /* of about equal widths */
            const int64_t left = vectors * strip / strips, right = vectors * (strip + 1) / strips;
            FN(row_of)[right - left - 1][indexed](from, depth, in, 0, left * LANES);
        }
        return;
    }
    for (int64_t j = 0; j < columns; j += 2 * LANES)
        for (int64_t r = 0; r < rows; r += TILE_ROWS) {
            const int64_t height = rows - r < TILE_ROWS ? rows - r : TILE_ROWS;
            FN(tile_of)[height - 1][columns - j > LANES][indexed](from, depth, in, r, j);
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
