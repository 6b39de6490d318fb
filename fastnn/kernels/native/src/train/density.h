/* Measures what a plan needs: how many inputs are active, in a few rows; and where the splits of the inputs begin, so
   that they have equal work.

   Called through the table of kernels, once a call. Writes the arena's head: the column offset u and the counts. */
#ifndef FNN_TRAIN_DENSITY_H
#define FNN_TRAIN_DENSITY_H

#include "../arena.h"
#include "workspace.h"

typedef struct {
    const fnn_data *data;
    const int64_t *order; /* NULL: the rows from the first on */
    int64_t width, rows; /* rows to be looked at */
    real *u; /* (width) the column offset */
    int32_t *active; /* (input blocks) in how many samples, or micro-batches that share an index, each is active */
    int32_t *offset_active; /* the same less the column offset; (width), as it also has room for votes */
} density_sample;

static const void *sampled_row(const density_sample *of, int64_t s) {
    return row_at(of->data, of->width, of->order ? of->order[s] : s);
}

/* active[b] = how many of the sampled rows, or of each `sharing` of them, have input block b other than zero, or other
   than u. Returns the share of what there is. */
static double count_active(const density_sample *of, int64_t sharing, const real *u, int32_t *active) {
    const int64_t input_blocks = (of->width + INPUT_BLOCK - 1) / INPUT_BLOCK;
    const int bytes = of->data->is_uint8;
    real e[64];
    int64_t total = 0;
    memset(active, 0, input_blocks * sizeof *active);
    for (int64_t i = 0; i < of->width; i += 64)
        for (int64_t s = 0; s < of->rows;) {
            const int64_t end = of->width - i < 64 ? of->width : i + 64;
            uint64_t any = 0;
            for (int64_t last = s + sharing; s < last && s < of->rows; s++) {
                const void *row = sampled_row(of, s);
                for (int64_t k = i; u && k < end; k++) e[k - i] = ((const real *)row)[k] - u[k];
                any |= u ? active_blocks(e, 0, 0, end - i) : active_blocks(row, bytes, i, of->width);
            }
            for (; any; any &= any - 1) active[(i + __builtin_ctzll(any)) / INPUT_BLOCK]++, total++;
        }
    const double most = (double)input_blocks * (double)((of->rows + sharing - 1) / sharing);
    return of->rows ? (double)total / most : 0;
}

/* u = each input's value in most of the sampled rows, if there is one (Boyer and Moore, MJRTY: a vote for it, a vote
   against it). */
static void find_offset(const density_sample *of) {
    real *u = of->u;
    int32_t *votes = of->offset_active;
    memset(votes, 0, of->width * sizeof *votes);
    for (int64_t s = 0; s < of->rows; s++) {
        const real *row = sampled_row(of, s);
        for (int64_t i = 0; i < of->width; i++) {
            u[i] = votes[i] ? u[i] : row[i];
            votes[i] += u[i] == row[i] ? 1 : -1;
        }
    }
    for (int64_t i = 0; i < of->width; i++) u[i] = isfinite(u[i]) ? u[i] : 0;
}

/* Of a single row: is it worth while to take it less one value, that of its first and last input? u is then this. */
static int find_constant_offset(const density_sample *of) {
    const real *row = sampled_row(of, 0), value = of->data->is_uint8 ? 0 : row[0];
    if (value == 0 || !isfinite(value) || row[of->width - 1] != value) return 0;
    for (int64_t i = 0; i < of->width; i++) of->u[i] = value;
    return 1;
}

/* The same of CSR: how many of the sampled rows' nonzeros each input block has. */
static void count_nonzeros(const density_sample *of, int32_t *active) {
    for (int64_t s = 0; s < of->rows; s++) {
        const int64_t row = of->order ? of->order[s] : s;
        for (int64_t k = of->data->indptr[row]; k < of->data->indptr[row + 1]; k++)
            active[of->data->indices[k] / INPUT_BLOCK]++;
    }
}

/* Where the splits of the inputs begin: with as many active inputs in each, or as many inputs if these are dense, or
   so many more than a row's nonzeros that their updates are the most of the work. */
static void split_inputs(const density_sample *of, const fnn_train_plan *plan, const int32_t *active, int64_t *at) {
    const int64_t splits = plan->split == SPLIT_SAMPLES ? 1 : plan->splits, width = of->width;
    const int by_inputs = plan->inputs == DENSE || (plan->inputs == CSR_ROWS && moves_all(plan));
    int64_t total = 0, so_far = 0;
    at[0] = 0;
    at[splits] = width;
    if (splits == 1) return;
    for (int64_t b = 0; b < (width + INPUT_BLOCK - 1) / INPUT_BLOCK; b++) total += active[b];
    for (int64_t i = 0, c = 1; c < splits; c++) {
        for (; i < width; i += INPUT_BLOCK) {
            const int short_of = by_inputs ? i * splits < width * c : so_far * splits < total * c;
            if (i % 16 == 0 && !short_of) break;
            so_far += active[i / INPUT_BLOCK];
        }
        at[c] = i > width ? width : i;
    }
}

/* The head of a call's arena. */
static density_sample place_sample(arena_cursor *at, int64_t width) {
    density_sample of = {.width = width};
    of.u = arena_take(at, width * sizeof(real));
    of.active = arena_take(at, (width + INPUT_BLOCK - 1) / INPUT_BLOCK * sizeof(int32_t));
    of.offset_active = arena_take(at, width * sizeof(int32_t));
    return of;
}

static size_t sample_bytes(const fnn_net *net) {
    arena_cursor at = {NULL, 0};
    place_sample(&at, net->sizes[0]);
    return at.used;
}

/* Measures what a plan needs, and asks for the next, until nothing is left to be measured. */
static void plan_call(const fnn_net *net, const fnn_data *data, const int64_t *order, fnn_planned *planned,
                      void *arena) {
    fnn_train_request *request = &planned->request;
    fnn_train_plan *plan = &planned->plan;
    arena_cursor at = {arena, 0};
    density_sample of = place_sample(&at, net->sizes[0]);
    of.data = data;
    of.order = order;
    of.rows = request->rows < ROWS_MEASURED ? request->rows : ROWS_MEASURED;
    planned->offset = of.u;
    planned->arena = (char *)arena + at.used;
    memset(of.active, 0, (of.width + INPUT_BLOCK - 1) / INPUT_BLOCK * sizeof(int32_t));
    for (; plan->needs; *plan = fnn_plan_training(request)) {
        fnn_density *density = &request->density[plan->counted];
        if (plan->needs == NEEDS_DENSITY) {
            density->x = count_active(&of, plan->samples_sharing, NULL, of.active);
        } else if (plan->needs == NEEDS_OFFSET_DENSITY) {
            find_offset(&of);
            density->e = count_active(&of, plan->samples_sharing, of.u, of.offset_active);
        } else {
            request->ends_agree = find_constant_offset(&of);
        }
    }
    if (plan->inputs == CSR_ROWS) count_nonzeros(&of, of.active);
    split_inputs(&of, plan, plan->offset == COLUMN_OFFSET ? of.offset_active : of.active, planned->split_at);
}

#endif
