/* A block of queries in search of nearest neighbours. Template, after reals_tile.h.

   A visit compares the block with INT_ROWS or REAL_ROWS rows in register tiles, whose last instructions compare the
   scores with what each query still wants; what reaches that is a hit. A hit's value is computed as spec.Kernels says (by
   bytes, the score is exact) and decides. So results depend neither on the tiles' rounding nor on who does what. */

enum {
    FN(SEEDING),  /* tiles of codes, for the rows with the nearest codes */
    FN(BY_CODES), /* tiles of codes, whose bound leaves few hits */
    FN(BY_BYTES), /* tiles of uint8 rows, exact */
    FN(BY_REALS), /* tiles of reals, with a margin for their rounding */
    FN(BY_ROWS)   /* every pair by itself: absolute differences of bytes are one instruction for 64 of them */
};

#define MOST_AHEAD 1024 /* bytes of a row that are prefetched */
#define LEAST_ARRANGED 700 /* rows that make up for looking for queries that go together, */
#define MOST_ACTIVE_QUERIES 0.7 /* if no more than this share of their bytes is left */
#define SAMPLED 15      /* rows that tell where the data lie */

typedef struct {
    const fnn_search *search;
    const bytes_kernels *bytes;
    int64_t block, blocks, parts; /* queries of a block; the work is blocks * parts items */
    int64_t next;                 /* item */
    double *values;               /* (parts, queries, k), of one part search->values */
    int64_t *indices;
    REAL *centre; /* (columns) that prepared rows are relative to, and the power of two that they are multiplied by */
    REAL unit;
    float least_error; /* of the rows' codes */
    char *arena;
    size_t thread_bytes;
    fnn_poll *poll;
    double next_poll;
    int stop, finished; /* finished: threads that have no more to do */
} FN(search_job);

typedef struct {
    int32_t query, row, score; /* the query of the block and the row of the visit */
} FN(hit);

/* One thread's block of queries. Lists have an entry a query, padded to whole tiles. */
typedef struct {
    FN(search_job) *job;
    int thread, form;
    int64_t first, count;
    int64_t tiles, tile_rows, in_teams; /* of queries, in the form; whether its tiles are teams */
    int32_t *order, *place; /* order[i]: which query is in the tiles' i-th place; and each query's place */
    int64_t k;      /* of the heaps */
    double *values; /* (count, k) */
    int64_t *indices;
    double *seed_values; /* (block, seeds), the heaps of SEEDING */
    int64_t *seed_indices;
    double *cap;      /* no row with a greater value is among the k best */
    double *reach;    /* the greatest distance, or in tiles of bytes value, that is still wanted; below 0: none */
    double *norm;     /* |q|, prepared; for codes and bytes pack_query's */
    double *q_factor; /* 1 / |q| for COSINE */
    int32_t *byte_limit; /* by places */
    REAL *real_limit;
    int32_t *byte_queries; /* (tiles, groups, tile_rows); of teams the groups alone that are not zero in all of it, */
    int32_t *listed;       /* (tiles, groups) where their elements are in byte_rows, */
    int64_t *listed_count; /* (tiles) and how many they are */
    uint64_t *active;      /* room to arrange the queries in */
    const uint8_t *alone;  /* instead of all these: a block's only query, which is not worth packing rows for */
    REAL *real_queries;    /* (tiles, columns, TILE_ROWS) */
    int32_t *byte_rows;    /* (groups, INT_ROWS) */
    REAL *real_rows;       /* (columns, REAL_ROWS) */
    REAL *four_rows;       /* (4, columns padded to a multiple of 4), prepared */
    int32_t start[INT_ROWS] __attribute__((aligned(64)));
    REAL real_start[REAL_ROWS] __attribute__((aligned(64)));
    uint8_t odd[INT_ROWS];
    double widest; /* no finite reach in units of the codes is greater; `narrowed` says that it should be found anew */
    int narrowed;
    FN(hit) *hits; /* (block * INT_ROWS) of one visit */
    int64_t hit_count;
} FN(searcher);
#define SEARCHER FN(searcher)

static int FN(plain_form)(const fnn_search *s) {
    if (!s->is_uint8 || s->metric == COSINE) return FN(BY_REALS);
    if (s->metric == MANHATTAN) return FN(BY_ROWS);
    return s->columns <= MOST_BYTES ? FN(BY_BYTES) : FN(BY_REALS);
}

/* Queries in whole tiles and teams of any size. */
static int64_t FN(padded)(int64_t queries) { return (queries + 23) / 24 * 24; }

static const void *FN(point)(const fnn_search *s, const void *rows, int64_t i) {
    return (const char *)rows + i * s->columns * (s->is_uint8 ? 1 : (int64_t)sizeof(REAL));
}

/* to (columns) = a row as the tiles of reals take it */
static void FN(prepare)(const FN(search_job) *job, const void *row, REAL *to) {
    const fnn_search *s = job->search;
    const int64_t width = s->columns;
    const REAL unit = job->unit, *centre = job->centre;
    if (s->is_uint8)
        for (int64_t i = 0; i < width; i++) to[i] = (REAL)((const uint8_t *)row)[i];
    else
        memcpy(to, row, width * sizeof(REAL));
    if (s->metric == EUCLIDEAN) {
        for (int64_t i = 0; i < width; i++) to[i] = (to[i] - centre[i]) * unit;
    } else if (s->metric == MANHATTAN) {
        for (int64_t i = 0; i < width; i++) to[i] *= unit;
    } else {
        const double factor = FN(inverse_norm)(to, width);
        for (int64_t i = 0; i < width; i++) to[i] = (REAL)(to[i] * factor);
    }
}

/* Finds the centre and the unit from a few rows: the medians, which no outlier moves, and how far they are from these. */
static void FN(find_centre)(FN(search_job) *job) {
    const fnn_search *s = job->search;
    const int64_t count = s->rows < SAMPLED ? s->rows : SAMPLED;
    REAL most = 0;
    for (int64_t i = 0; i < s->columns; i++) {
        REAL sorted[SAMPLED];
        for (int64_t k = 0; k < count; k++) {
            const void *row = FN(point)(s, s->x, s->rows * k / count);
            const REAL x = s->is_uint8 ? (REAL)((const uint8_t *)row)[i] : ((const REAL *)row)[i];
            int64_t at = k;
            for (; at > 0 && sorted[at - 1] > x; at--) sorted[at] = sorted[at - 1];
            sorted[at] = x;
        }
        job->centre[i] = s->metric == EUCLIDEAN ? sorted[count / 2] : 0;
        const REAL above = sorted[count - 1] - job->centre[i], below = job->centre[i] - sorted[0];
        if (above > most) most = above;
        if (below > most) most = below;
    }
    int exponent = most > 0 ? ilogb((double)most) : 0;
    if (exponent > 100) exponent = 100;
    if (exponent < -100) exponent = -100;
    job->unit = (REAL)ldexp(1, -exponent);
}

/* The value of a pair of query, of the block, and row. */
static double FN(value_of)(const SEARCHER *here, int64_t query, int64_t row) {
    const fnn_search *s = here->job->search;
    const void *q = FN(point)(s, s->q, here->first + query), *x = FN(point)(s, s->x, row);
    return s->is_uint8 ? value_of_bytes(here->job->bytes, s->metric, q, x, s->columns)
                       : FN(value_of_reals)(s->metric, q, here->q_factor[query], x, s->columns);
}

/* What a query still wants, from its heap and, for the form, in its unit. */
static void FN(aim)(SEARCHER *here, int64_t query) {
    const FN(search_job) *job = here->job;
    const fnn_search *s = job->search;
    const double worst = here->values[query * here->k];
    const int full = here->indices[query * here->k] != NOBODY;
    const int exact = here->form == FN(BY_BYTES) || here->form == FN(SEEDING);
    double reach = worst < here->cap[query] ? worst : here->cap[query];
    int32_t *byte_limit = here->byte_limit + here->place[query];
    /* rows come in ascending order: one of the same value as the worst is no better */
    if (full && (exact || worst == 0) && reach == worst) reach = worst - 1;
    if (exact) {
        const double least = floor((here->norm[query] - reach) / 2);
        *byte_limit = reach < 0 ? INT32_MAX : least < INT32_MIN ? INT32_MIN : (int32_t)least;
    } else if (reach >= 0) {
        const int as_distance = here->form == FN(BY_CODES) || s->metric == EUCLIDEAN;
        if (as_distance) reach = sqrt(s->metric == COSINE ? 2 * reach : reach) * (1 + 1e-14);
    }
    if (here->form == FN(BY_CODES)) {
        const double own = (reach / s->scale + s->query_errors[here->first + query]) * (1 + 1e-6);
        const double least = floor((here->norm[query] - (own + job->least_error) * (own + job->least_error)) / 2) - 2;
        here->narrowed |= *byte_limit == INT32_MIN;
        *byte_limit = reach < 0 ? INT32_MAX : least < INT32_MIN ? INT32_MIN : (int32_t)least;
    }
    here->reach[query] = reach;
}

/* Whether the block's queries of bytes go in teams; these are arranged then. Codes have no zeros to skip. */
static int FN(arrange_teams)(SEARCHER *here, const uint8_t *q, int64_t width) {
    if (here->form != FN(BY_BYTES) || fnn_forced_form == DENSE) return 0;
    if (fnn_forced_form != TEAMED && here->job->search->rows < LEAST_ARRANGED) return 0;
    const double active = arrange(q, here->count, width, here->active, here->order);
    return fnn_forced_form == TEAMED || active < MOST_ACTIVE_QUERIES;
}

/* byte_queries = the block's queries of bytes, in teams if enough of these are zero. */
static void FN(pack_byte_queries)(SEARCHER *here, const uint8_t *q, int64_t width) {
    const FN(search_job) *job = here->job;
    const int64_t groups = job->bytes->groups(width);
    here->alone = here->count == 1 ? q : NULL;
    if (here->alone) {
        here->tiles = here->tile_rows = 1;
        here->norm[0] = 0; /* a row's score stands for its distance itself */
        return;
    }
    here->in_teams = FN(arrange_teams)(here, q, width);
    here->tile_rows = here->in_teams ? QUERY_TEAM : TILE_ROWS;
    here->tiles = (here->count + here->tile_rows - 1) / here->tile_rows;
    memset(here->byte_queries, 0, here->tiles * here->tile_rows * groups * sizeof(int32_t));
    for (int64_t i = 0; i < here->count; i++) {
        const int64_t query = here->order[i], tile = i / here->tile_rows, at = i % here->tile_rows;
        here->norm[query] = (double)job->bytes->pack_query(
            q + query * width, width, here->byte_queries + tile * groups * here->tile_rows + at, here->tile_rows);
    }
    for (int64_t team = 0; here->in_teams && team < here->tiles; team++) {
        const int4 *from = (const int4 *)(here->byte_queries + team * groups * QUERY_TEAM);
        int4 *to = (int4 *)from;
        int32_t *index = here->listed + team * groups;
        for (int64_t g = 0; g < groups; g++)
            if (from[g][0] | from[g][1] | from[g][2] | from[g][3]) *to++ = from[g], *index++ = (int32_t)(g * INT_ROWS);
        here->listed_count[team] = to - from;
    }
}

/* Makes the block's queries ready for a form. */
static void FN(enter_form)(SEARCHER *here, int form) {
    const FN(search_job) *job = here->job;
    const fnn_search *s = job->search;
    const int64_t padded = FN(padded)(here->count), width = s->columns;
    here->form = form;
    here->tile_rows = TILE_ROWS;
    here->tiles = (here->count + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t i = 0; i < padded; i++) {
        here->order[i] = (int32_t)i;
        here->byte_limit[i] = INT32_MAX;
        here->real_limit[i] = INFINITY;
        here->reach[i] = -1;
    }
    if (form == FN(BY_CODES) || form == FN(SEEDING)) {
        FN(pack_byte_queries)(here, s->query_codes + here->first * s->width, s->width);
    } else if (form == FN(BY_BYTES)) {
        FN(pack_byte_queries)(here, (const uint8_t *)s->q + here->first * width, width);
    } else if (form == FN(BY_REALS)) {
        memset(here->real_queries, 0, padded * width * sizeof(REAL));
        for (int64_t i = 0; i < here->count; i++) {
            REAL *to = here->real_queries + i / TILE_ROWS * width * TILE_ROWS + i % TILE_ROWS;
            double square = 0;
            FN(prepare)(job, FN(point)(s, s->q, here->first + i), here->four_rows);
            for (int64_t k = 0; k < width; k++) {
                to[k * TILE_ROWS] = here->four_rows[k];
                square += (double)here->four_rows[k] * (double)here->four_rows[k];
            }
            here->norm[i] = sqrt(square);
        }
    }
    for (int64_t i = 0; i < here->count; i++) here->place[here->order[i]] = (int32_t)i;
    for (int64_t i = 0; i < here->count; i++) {
        here->byte_limit[here->place[i]] = INT32_MIN;
        FN(aim)(here, i);
    }
    here->narrowed = 1;
}

/* Keeps a tile's hits. Rows of which only codes have been read are asked for meanwhile. */
INLINE void FN(note_hits)(SEARCHER *here, int64_t row, int64_t tile, const uint32_t *masks, uint32_t valid,
                          const int32_t *scores) {
    const fnn_search *s = here->job->search;
    const char *rows = FN(point)(s, s->x, row);
    const int64_t bytes = (const char *)FN(point)(s, s->x, row + 1) - rows;
    const int64_t ahead = here->form != FN(BY_CODES) ? 0 : bytes < MOST_AHEAD ? bytes : MOST_AHEAD;
    const int64_t place = tile * here->tile_rows, left = here->count - place;
    const int64_t queries = left < here->tile_rows ? left : here->tile_rows;
    for (int r = 0; r < queries; r++)
        for (uint32_t mask = masks[r] & valid; mask; mask &= mask - 1) {
            const int which = __builtin_ctz(mask);
            for (int64_t at = 0; at < ahead; at += 64) __builtin_prefetch(rows + which * bytes + at);
            here->hits[here->hit_count++] = (FN(hit)){here->order[place + r], which,
                                                      scores ? scores[r * INT_ROWS + which] : 0};
        }
}

/* Lets the rows' codes reach as far as their errors are above the least: by so much more, at most, than (own + least)^2
   is (own + error)^2. */
static void FN(relax)(SEARCHER *here, int64_t row, int64_t height) {
    const fnn_search *s = here->job->search;
    const double least = here->job->least_error;
    if (here->narrowed) {
        here->widest = 0;
        for (int64_t i = 0; i < here->count; i++) {
            const double own = here->reach[i] / s->scale + s->query_errors[here->first + i];
            if (isfinite(own) && own > here->widest) here->widest = own;
        }
        here->widest *= 1 + 1e-6;
        here->narrowed = 0;
    }
    const float *errors = s->row_errors + row, shared = (float)(2 * here->widest + least), lowest = (float)least;
    const float most = 1 << 30; /* more than any two codes are apart */
    for (int64_t r = 0; r < height; r++) {
        const float more = (errors[r] - lowest) * (errors[r] + shared) * 0.500001f;
        here->start[r] += (int32_t)(more < most ? more : most) + 1;
    }
}

/* Compares the block's only query with rows of bytes x (height, width), row by row. */
static void FN(scan_alone)(SEARCHER *here, const uint8_t *x, int64_t width, int64_t row, int64_t height, uint32_t valid) {
    int64_t squares[INT_ROWS];
    int32_t scores[INT_ROWS];
    uint32_t mask = 0;
    here->job->bytes->squares(here->alone, x, width, height, squares);
    memset(here->start, 0, sizeof here->start);
    if (here->form == FN(BY_CODES)) FN(relax)(here, row, height);
    for (int64_t r = 0; r < height; r++) {
        scores[r] = here->start[r] - (int32_t)(squares[r] >> 1);
        here->odd[r] = squares[r] & 1;
        mask |= (uint32_t)(scores[r] >= here->byte_limit[0]) << r;
    }
    if (mask) FN(note_hits)(here, row, 0, &mask, valid, scores);
}

static void FN(scan_bytes)(SEARCHER *here, int64_t row, int64_t height, uint32_t valid) {
    const fnn_search *s = here->job->search;
    const bytes_kernels *bytes = here->job->bytes;
    const int by_codes = here->form != FN(BY_BYTES);
    const int64_t width = by_codes ? s->width : s->columns, groups = bytes->groups(width);
    const uint8_t *x = (by_codes ? s->row_codes : (const uint8_t *)s->x) + row * width;
    uint32_t masks[TILE_ROWS];
    int32_t scores[TILE_ROWS * INT_ROWS] __attribute__((aligned(64)));
    if (here->alone) {
        FN(scan_alone)(here, x, width, row, height, valid);
        return;
    }
    bytes->pack(x, width, height, here->byte_rows, here->start, here->odd);
    if (here->form == FN(BY_CODES)) FN(relax)(here, row, height);
    for (int64_t tile = 0; tile < here->tiles; tile++) {
        const int32_t *q = here->byte_queries + tile * groups * here->tile_rows;
        const int32_t *limit = here->byte_limit + tile * here->tile_rows;
        if (here->in_teams ? bytes->team(here->byte_rows, here->start, q, here->listed + tile * groups,
                                         here->listed_count[tile], limit, masks, scores)
                           : bytes->tile(here->byte_rows, here->start, q, groups, limit, masks, scores))
            FN(note_hits)(here, row, tile, masks, valid, scores);
    }
}

/* real_rows = some rows, prepared; real_start = where their scores begin. Returns their greatest norm. */
static double FN(pack_reals_tile)(SEARCHER *here, int64_t row, int64_t height) {
    const FN(search_job) *job = here->job;
    const fnn_search *s = job->search;
    const int64_t width = s->columns, padded = (width + 3) / 4 * 4;
    REAL *to = here->real_rows, most = 0;
    for (int64_t r = 0; r < REAL_ROWS; r += 4) {
        for (int64_t k = 0; k < 4; k++)
            if (r + k < height)
                FN(prepare)(job, FN(point)(s, s->x, row + r + k), here->four_rows + k * padded);
            else
                memset(here->four_rows + k * padded, 0, width * sizeof(REAL));
        for (int64_t i = 0; i < padded; i += 4)
            FN(transpose)(here->four_rows + i, padded, to + i * REAL_ROWS + r, REAL_ROWS);
    }
    for (int64_t j = 0; j < REAL_ROWS; j += LANES) {
        V square = {0};
        if (s->metric == EUCLIDEAN)
            for (int64_t i = 0; i < width; i++) {
                const V x = FN(vload)(to + i * REAL_ROWS + j);
                square = FN(vfma)(x, x, square);
            }
        FN(vstore)(here->real_start + j, square * (REAL)-0.5);
        for (int k = 0; k < LANES; k++)
            if (!(square[k] <= most)) most = square[k];
    }
    return sqrt((double)most);
}

/* real_limit: the least score that a row may have which a query wants, when the rows' norms are at most `most`. */
static void FN(limit_reals)(SEARCHER *here, double most) {
    const FN(search_job) *job = here->job;
    const double epsilon = IS_FLOAT ? 0x1p-23 : 0x1p-52; /* twice the rounding of one operation */
    const double gamma = (double)(job->search->columns + 16) * epsilon, unit = (double)job->unit;
    const double tiny = (double)job->search->columns * (IS_FLOAT ? 0x1p-125 : 0x1p-1021); /* what may underflow */
    const double far = IS_FLOAT ? 1e18 : 1e150; /* norms whose squares might overflow */
    const double bound = most * (1 + gamma);
    for (int64_t i = 0; i < here->count; i++) {
        const double norm = here->norm[i], reach = here->reach[i];
        double least;
        if (job->search->metric == EUCLIDEAN) {
            /* |q - x| <= reach, rounding of the prepared included; then of the score */
            const double apart = reach * unit + epsilon * (norm + bound);
            least = (norm * norm - apart * apart) / 2 - gamma * (norm * bound + bound * bound) - tiny;
            if (!(norm < far && bound < far)) least = -INFINITY;
        } else if (job->search->metric == MANHATTAN) {
            least = -reach * unit * (1 + 2 * gamma) - tiny;
        } else {
            least = 1 - reach - 2 * gamma;
        }
        least -= (least < 0 ? -least : least) * epsilon;
        here->real_limit[i] = reach < 0 ? (REAL)INFINITY : (REAL)least;
    }
}

static void FN(scan_reals)(SEARCHER *here, int64_t row, int64_t height, uint32_t valid) {
    const int64_t width = here->job->search->columns;
    uint32_t masks[TILE_ROWS];
    FN(limit_reals)(here, FN(pack_reals_tile)(here, row, height));
    for (int64_t tile = 0; tile < here->tiles; tile++) {
        const REAL *q = here->real_queries + tile * width * TILE_ROWS, *limit = here->real_limit + tile * TILE_ROWS;
        if (here->job->search->metric == MANHATTAN
                ? FN(tile_of_differences)(here->real_rows, here->real_start, q, width, limit, masks)
                : FN(tile_of_products)(here->real_rows, here->real_start, q, width, limit, masks))
            FN(note_hits)(here, row, tile, masks, valid, NULL);
    }
}

/* Takes the hits of a visit into the heaps. Returns for how many the value had to be computed. */
static int64_t FN(settle)(SEARCHER *here, int64_t first_row) {
    int64_t computed = 0;
    for (int64_t h = 0; h < here->hit_count; h++) {
        const FN(hit) hit = here->hits[h];
        const int64_t query = hit.query, row = first_row + hit.row;
        double value;
        if (here->form == FN(BY_BYTES) || here->form == FN(SEEDING)) {
            value = here->norm[query] + here->odd[hit.row] - 2.0 * hit.score;
        } else {
            /* the limit rose meanwhile; but the rows were not relaxed for a query that had none then */
            const int32_t limit = here->byte_limit[here->place[query]];
            if (here->form == FN(BY_CODES) && !here->narrowed && hit.score < limit) continue;
            value = FN(value_of)(here, query, row);
            computed++;
        }
        if (offer(here->values + query * here->k, here->indices + query * here->k, here->k, here->cap[query], value,
                  row))
            FN(aim)(here, query);
    }
    here->hit_count = 0;
    return computed;
}

static void FN(scan_rows)(SEARCHER *here, int64_t row, int64_t height) {
    const fnn_search *s = here->job->search;
    for (int64_t i = 0; i < here->count; i++)
        for (int64_t r = row; r < row + height; r++)
            offer(here->values + i * s->k, here->indices + i * s->k, s->k, s->limit, FN(value_of)(here, i, r), r);
}

/* Lets the searcher fill these heaps. */
static void FN(use_heaps)(SEARCHER *here, double *values, int64_t *indices, int64_t k) {
    here->k = k;
    here->values = values;
    here->indices = indices;
    for (int64_t i = 0; i < here->count; i++) empty_heap(values + i * k, indices + i * k, k);
}

/* Compares the block with the next rows before `high`; returns how many these are. `computed` counts their values. */
static int64_t FN(visit)(SEARCHER *here, int64_t row, int64_t high, double *computed) {
    const int64_t most = here->form == FN(BY_REALS) ? REAL_ROWS : INT_ROWS;
    const int64_t height = high - row < most ? high - row : most;
    const uint32_t valid = ~(uint32_t)0 >> (32 - height);
    if (here->form == FN(BY_ROWS))
        FN(scan_rows)(here, row, height);
    else if (here->form == FN(BY_REALS))
        FN(scan_reals)(here, row, height, valid);
    else
        FN(scan_bytes)(here, row, height, valid);
    *computed += (double)FN(settle)(here, row);
    return height;
}
