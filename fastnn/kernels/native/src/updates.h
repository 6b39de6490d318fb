/* Gradients straight into updates. Template, after network.h. */

/* Rows of parameters, `stride` apart from the parameter `at` on and all of one kind, move by the rows of the
   gradient g. */
static void FN(move)(const PASS *pass, const STEP *step, REAL l2, const REAL *g, int64_t g_step, int64_t at,
                     int64_t stride, int64_t rows, int64_t count) {
    const int tail = at >= pass->tail_at;
    REAL *m = NULL, *v = NULL;
    if (step->optimizer != SGD) {
        m = tail ? pass->tail_state + (at - pass->tail_at) : pass->state + at;
        v = m + (tail ? pass->tail_slot : pass->size);
    }
    FN(update)(step, l2, g, g_step, FN(parameters)(pass, at), m, v, stride, rows, count);
}

static void FN(update_bias)(PASS *pass, int64_t l, int64_t m, const STEP *step) {
    const int64_t stride = pass->net->strides[l], left = l ? 0 : pass->left, columns = l ? stride : pass->right - left;
    if (pass->net->biases[l] < 0) return;
    memset(pass->gradient, 0, columns * sizeof(REAL));
    FN(bias_gradient)(pass->delta + left, m, stride, columns, pass->gradient);
    FN(move)(pass, step, 0, pass->gradient, 0, pass->net->biases[l] + left, 0, 1, columns);
}

/* g (rows, columns) = the usual row's part of the first layer's gradient, from one input and column on; zeros if there is
   no usual row */
INLINE void FN(start_gradient)(const PASS *pass, int64_t input, int64_t rows, int64_t column, int64_t columns, REAL *g,
                               int64_t g_step) {
    for (int64_t r = 0; r < rows; r++, g += g_step)
        for (int64_t j = 0; j < columns; j += LANES) {
            V start = {0};
            if (pass->has_usual) start = FN(vload)(pass->usual.slope + column + j) * pass->usual.row[input + r];
            FN(vstore)(g + j, start);
        }
}

/* Some vectors of columns of the first layer's gradient, a quad's rows at a time, straight into their update. */
INLINE void FN(move_strip)(const int vectors, PASS *pass, int64_t m, int64_t column, const STEP *step) {
    const MATRIX w = FN(strip_of)(FN(first_weights)(pass, pass->params), column, vectors);
    REAL g[QUAD][STRIP_WIDTH] __attribute__((aligned(64))), *const rows[QUAD] = {g[0], g[1], g[2], g[3]};
    const LISTED_BATCH *next = pass->coming.x ? &pass->coming : NULL;
    const SAMPLE_LISTS lists = pass->in->lists, coming = next ? *next->x : lists; /* copies, as in gradient_strip */
    FN(fill_strip)(vectors, &lists, m, pass->delta, pass->net->strides[0], column);
    if (next) FN(begin_strip)(vectors, next, column);
    for (int64_t input = pass->low; input < pass->high; input += QUAD) {
        const int64_t left = pass->high - input, count = left < QUAD ? left : QUAD;
        const int64_t here = w.at - pass->params + input * w.stride, group = input / QUAD;
        if (pass->has_usual) FN(start_gradient)(pass, input, count, column, vectors * LANES, g[0], STRIP_WIDTH);
        FN(gradient_tile)(vectors, &lists, group, !pass->has_usual, rows);
        FN(move)(pass, step, step->l2, g[0], STRIP_WIDTH, here, w.stride, count, vectors * LANES);
        if (next && coming.start[group] < coming.end[group]) FN(forward_tile)(vectors, &coming, group, w);
    }
    if (next) FN(end_strip)(vectors, next, column);
}

static void FN(update_lists)(PASS *pass, int64_t m, const STEP *step) {
#define CALL(n) FN(move_strip)(n, pass, m, column, step)
    EACH_STRIP(pass->left, pass->right, CALL)
#undef CALL
}

/* Rows of the gradient that are worked on while they are in the cache. */
static int64_t FN(gradient_rows)(int64_t columns) {
    const int64_t rows = GRADIENT_BYTES / (columns * (int64_t)sizeof(REAL));
    return rows < TILE_ROWS ? TILE_ROWS : rows;
}

static void FN(update_teams)(PASS *pass, int64_t m, const STEP *step) {
    const int64_t stride = pass->net->strides[0], left = pass->left, columns = pass->right - left;
    REAL *g = pass->gradient; /* holds the rows at work alone, (rows, columns) */
    for (int c = pass->first_walked; c < pass->end_walked; c++) {
        int64_t done[TEAMS] = {0};
        for (int64_t i = pass->inputs_at[c]; i < pass->inputs_at[c + 1];) {
            const int64_t most = FN(gradient_rows)(columns), rest = pass->inputs_at[c + 1] - i;
            const int64_t rows = rest < most ? rest : most;
            FN(start_gradient)(pass, i, rows, left, columns, g + left, stride);
            FN(teams_gradient_until)(&pass->in->teams, &pass->in->rows, c, i + rows, m, pass->delta, stride, left,
                                     pass->right, g - i * stride, done);
            FN(move)(pass, step, step->l2, g + left, stride, pass->net->weights[0] + i * stride + left, stride, rows,
                     columns);
            i += rows;
        }
    }
}

/* to[0..count) = from * factor, count a multiple of LANES */
static void FN(scale)(const REAL *from, REAL factor, int64_t count, REAL *to) {
    for (int64_t i = 0; i < count; i += LANES) FN(vstore)(to + i, FN(vload)(from + i) * factor);
}

/* Layer l's gradient, a few rows at a time, straight into its update: it never goes to memory as a whole. */
static void FN(fused_update)(PASS *pass, int64_t l, int64_t m, const STEP *step) {
    const fnn_net *net = pass->net;
    const int64_t stride = net->strides[l], left = l ? 0 : pass->left, columns = l ? stride : pass->right - left;
    int64_t low = 0, high = net->sizes[l];
    if (l == 0) low = pass->low, high = pass->high;
    if (l == 1 && pass->by_outputs) low = pass->left, high = pass->right < high ? pass->right : high;
    FN(update_bias)(pass, l, m, step); /* first, as z of the next batch begins with it */
    if (step->optimizer == SGD && step->l2 == 0) {
        /* the sum goes on from the weights: w += x^T (-rate delta) */
        REAL *w = FN(parameters)(pass, net->weights[l]);
        for (int64_t s = 0, at = left; s < m; s++, at += stride)
            FN(scale)(pass->delta + at, -step->rate, columns, pass->before + at);
        if (l == 0)
            FN(first_gradient)(pass, m, pass->before, pass->params);
        else
            FN(product)(FN(FROM_C), high - low, columns, m,
                        (OPERANDS){pass->a[l] + low, 1, net->strides[l - 1], pass->before, stride, NULL,
                                   w + low * stride, stride, NULL});
    } else if (l == 0 && pass->form != DENSE) {
        if (pass->has_usual) FN(sum_slopes)(pass, m, pass->delta);
        if (pass->form == LISTED)
            FN(update_lists)(pass, m, step);
        else
            FN(update_teams)(pass, m, step);
    } else {
        REAL *g = pass->gradient;
        for (int64_t i = low; i < high; i += TILE_ROWS) {
            const int64_t rows = high - i < TILE_ROWS ? high - i : TILE_ROWS;
            if (l) {
                FN(product)(FN(FROM_ZERO), rows, columns, m,
                            (OPERANDS){pass->a[l] + i, 1, net->strides[l - 1], pass->delta, stride, NULL, g, columns,
                                       NULL});
            } else {
                memset(g, 0, rows * columns * sizeof(REAL));
                FN(dense_gradient)(&pass->in->rows, i, i + rows, m, pass->delta + left, stride, columns, g, columns);
            }
            FN(move)(pass, step, step->l2, g, columns, net->weights[l] + i * stride + left, stride, rows,
                     columns);
        }
    }
}

/* Before the update of W0: z of the next batch goes along with it if W0 is in strips and that batch is packed. */
static void FN(begin_next)(PASS *pass, int64_t m, int64_t left) {
    pass->coming = (LISTED_BATCH){0};
    if (pass->in_strips && pass->next && left > m && !pass->has_usual)
        pass->coming = (LISTED_BATCH){&pass->next->lists, left - m < m ? left - m : m, pass->net->strides[0],
                                      FN(bias)(pass, 0), pass->a[1]};
}
