/* Tiles of bytes by AMX: a matrix unit that multiplies 16 queries by 16 rows, 64 bytes of each, in 16 cycles. Rows are
   packed as for vpdpbusd, which also does what is not worth a matrix. */

#define AMX_QUERIES 16 /* of a tile: with more, the rows would not stay in the first-level cache beside them */
#define AMX_GROUPS 16  /* 32-bit elements of a query in a matrix */

/* Whole matrices, and at least one. */
static int64_t amx_groups(int64_t width) { return width ? (width + 63) / 64 * AMX_GROUPS : AMX_GROUPS; }

/* A tile of queries is matrices (groups / AMX_GROUPS, AMX_QUERIES, AMX_GROUPS). */
static int64_t amx_pack_query(const uint8_t *q, int64_t width, const int32_t *fours, int64_t count, int32_t *to,
                              int64_t step, int64_t at) {
    (void)step;
    to += at * AMX_GROUPS;
    for (int64_t i = 0; i < count; i += AMX_GROUPS, to += AMX_QUERIES * AMX_GROUPS)
        for (int64_t k = 0; k < AMX_GROUPS && i + k < count; k++)
            to[k] = (int32_t)four_of(q, 4 * (int64_t)fours[i + k], width);
    return vnni_norm(q, width);
}

/* What compare says, from the scores (AMX_QUERIES, INT_ROWS) of a tile's queries low..high. */
INLINE int32_t *amx_find(const int32_t *scores, int64_t low, int64_t high, const int32_t *limit, uint32_t *masks,
                         int32_t *found) {
    for (int64_t r = low; r < high; r++) {
        const ints *of = (const ints *)(scores + r * INT_ROWS);
        found = find(of[0], of[1], limit[r], &masks[r], found);
    }
    return found;
}

static int32_t *amx_compare(const int32_t *x, const int32_t *start, const int32_t *q, int64_t groups,
                            const int32_t *limit, uint32_t *masks, int64_t tiles, int32_t *found) {
    /* palette 1; every one of the 8 matrix registers has 16 rows of 64 bytes */
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } shape = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    const int64_t steps = groups / AMX_GROUPS, share = (AMX_QUERIES + steps - 1) / steps, row_bytes = 4 * INT_ROWS;
    int32_t scores[2][AMX_QUERIES * INT_ROWS] __attribute__((aligned(64)));
    _tile_loadconfig(&shape);
    for (int64_t tile = 0; tile < tiles; tile++) {
        int32_t *to = scores[tile % 2];
        const int32_t *rows = x;
        _tile_loadd(0, start, 0);
        _tile_loadd(1, start + 16, 0);
        /* Comparing the scores of the tile before takes no time beside the products of this one. */
        for (int64_t low = 0; rows < x + groups * INT_ROWS; rows += AMX_GROUPS * INT_ROWS) {
            _tile_loadd(2, q, 64);
            _tile_loadd(3, rows, row_bytes);
            _tile_dpbusd(0, 2, 3);
            _tile_loadd(4, rows + 16, row_bytes);
            _tile_dpbusd(1, 2, 4);
            const int64_t high = low + share < AMX_QUERIES ? low + share : AMX_QUERIES;
            if (tile)
                found = amx_find(scores[(tile + 1) % 2], low, high, limit + (tile - 1) * AMX_QUERIES,
                                 masks + (tile - 1) * AMX_QUERIES, found);
            low = high;
            q += AMX_QUERIES * AMX_GROUPS;
        }
        _tile_stored(0, to, row_bytes);
        _tile_stored(1, to + 16, row_bytes);
    }
    _tile_release();
    const int64_t last = (tiles - 1) * AMX_QUERIES;
    return amx_find(scores[(tiles - 1) % 2], 0, AMX_QUERIES, limit + last, masks + last, found);
}

static const bytes_kernels amx_kernels = {AMX_QUERIES, amx_groups, vnni_pack, amx_pack_query, amx_compare, NULL,
                                          vnni_squares};
