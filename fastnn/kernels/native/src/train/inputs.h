/* Brings rows into a pass, in the form that suits them.

   An input that is zero costs nothing, and so does one that has its usual value: with a usual row u and x = u + e,
       x W = u W + e W   and   x^T delta = e^T delta + u^T (the deltas' sum),
   where u W and the sum are the same for all samples of a block. Pictures scaled to 0.01 .. 1 or to mean 0 and deviation
   1 have no zeros, but a background. Outputs that are asked for go without, as a row's should not depend on the others;
   but a single row, if the caller keeps the sum of W0's rows, goes less the value of its first and last input. */
#ifndef FNN_TRAIN_INPUTS_H
#define FNN_TRAIN_INPUTS_H

#include "local_panels.h"

/* to = the inputs low..high of a row less the usual ones */
static void subtract_usual(const workspace *pass, const real *row, int64_t low, int64_t high, real *to) {
    for (int64_t i = low; i < high; i++) to[i - low] = row[i] - pass->usual.row[i];
}

/* work[q] = how many of the rows looked at, or groups of `together` of them, have quad q of the inputs active; returns
   their sum. */
static int64_t count_active(const workspace *pass, const int64_t *order, int64_t first, int64_t looked_at,
                                int64_t together, int32_t *work) {
    const int64_t width = pass->net->sizes[0];
    const int bytes = pass->data->is_uint8;
    real differences[64];
    int64_t total = 0;
    memset(work, 0, (width + QUAD - 1) / QUAD * sizeof *work);
    for (int64_t i = 0; i < width; i += 64)
        for (int64_t s = 0; s < looked_at;) {
            uint64_t active = 0;
            for (int64_t end = s + together; s < end && s < looked_at; s++) {
                const void *row = row_at(pass->data, width, order ? order[s] : first + s);
                const int64_t end_at = width - i < 64 ? width : i + 64;
                if (pass->has_usual) subtract_usual(pass, row, i, end_at, differences);
                active |= pass->has_usual ? active_quads(differences, 0, 0, end_at - i)
                                          : active_quads(row, bytes, i, width);
            }
            for (; active; active &= active - 1) work[(i + __builtin_ctzll(active)) / QUAD]++, total++;
        }
    return total;
}

/* usual.row = each input's value in most of the rows looked at, if there is one (Boyer and Moore, MJRTY: a vote for it,
   a vote against it); votes: room for as many integers. */
static void find_usual(workspace *pass, const int64_t *order, int64_t first, int64_t looked_at, int32_t *votes) {
    const int64_t width = pass->net->sizes[0];
    real *usual = pass->usual.row;
    memset(votes, 0, width * sizeof *votes);
    for (int64_t s = 0; s < looked_at; s++) {
        const real *row = row_at(pass->data, width, order ? order[s] : first + s);
        for (int64_t i = 0; i < width; i++) {
            usual[i] = votes[i] ? usual[i] : row[i];
            votes[i] += usual[i] == row[i] ? 1 : -1;
        }
    }
    for (int64_t i = 0; i < width; i++) usual[i] = isfinite(usual[i]) ? usual[i] : 0;
}

/* What a plan tells the inputs that are packed by it. */
static void follow_plan(const workspace *pass, batch_inputs *in) {
    in->group.bounds = in->teams.bounds = pass->inputs_at;
    in->rows.is_uint8 = pass->data->is_uint8;
}

/* Do so few of the inputs of the rows looked at, `batch_size` of them a batch, differ from zero, or from a usual row's,
   that a form pays? If so, which of the two they are less is settled. *total and work: as of count_active. */
static int pays(workspace *pass, int form, const int64_t *order, int64_t first, int64_t looked_at, int64_t batch_size,
                    int32_t *work, int64_t *total) {
    const int64_t quads = (pass->net->sizes[0] + QUAD - 1) / QUAD;
    const int64_t most = form == GROUPED ? GROUP : form == TEAMED ? TEAM : 1;
    const int64_t together = form == GROUPED || batch_size > most ? most : batch_size; /* samples that share their inputs */
    const double most_total = (double)quads * (double)((looked_at + together - 1) / together);
    const double share = form == GROUPED ? MOST_ACTIVE_GROUPS : form == TEAMED ? MOST_ACTIVE_TEAMS : MOST_ACTIVE_LISTS;
    const double usual_rows = form == GROUPED ? 0 : pass->by_outputs ? USUAL_ROWS_WIDE : USUAL_ROWS;
    int32_t *usual_work = work + quads;
    pass->has_usual = 0;
    *total = count_active(pass, order, first, looked_at, together, work);
    const double part = looked_at ? (double)*total / most_total : 0;
    if (pass->usual.row && !pass->data->is_uint8 && fnn_forced_form != DENSE && part > LEAST_ACTIVE_USUAL) {
        find_usual(pass, order, first, looked_at, usual_work);
        pass->has_usual = 1;
        const int64_t usual_total = count_active(pass, order, first, looked_at, together, usual_work);
        const double usual_part = (double)usual_total / most_total + usual_rows / (double)batch_size;
        if (usual_part < share && usual_part < USUAL_GAIN * part) {
            *total = usual_total;
            memcpy(work, usual_work, quads * sizeof *work);
            return 1;
        }
        pass->has_usual = 0;
    }
    return part < share;
}

/* Looks at a few rows, of `batch_size` a batch: which form suits the inputs, and where do they, and the first layer's
   outputs, split into chunks of equal work? Runs of online batches have groups, where others have lists or teams.
   `fused`: the gradient goes piece by piece to an optimizer, neither straight into the weights nor to memory. */
static void plan_inputs(workspace *pass, const fnn_data *data, const int64_t *order, int64_t first, int64_t count,
                     int64_t batch_size, int chunks, int online, int fused) {
    const int64_t width = pass->net->sizes[0], line = 64 / sizeof(real), lines = pass->net->strides[0] / line;
    const int64_t looked_at = count == 1 ? 0 : count < ROWS_LOOKED_AT ? count : ROWS_LOOKED_AT; /* one is soon done */
    const int64_t rows = batch_size < count ? batch_size : count;
    /* where bytes are summed over all inputs at once, the form changes no bit: instruction sets may differ, */
    const int64_t work_of_lists = pass->by_outputs && data->is_uint8 ? LIST_WORK_BYTES : LIST_WORK;
    const int listed = fnn_forced_form >= 0 ? fnn_forced_form == LISTED
                                            : batch_size * lines >= work_of_lists || (fused && lines >= LIST_LINES);
    int form = online ? GROUPED : listed ? LISTED : TEAMED;
    int32_t *work = pass->in->lists.place;
    int64_t total, so_far = 0;
    pass->data = data;
    int sparse = pays(pass, form, order, first, looked_at, rows, work, &total);
    if (!sparse && form == TEAMED && fnn_forced_form < 0 && batch_size >= LIST_ROWS &&
        batch_size * lines >= LIST_WORK_DENSE) { /* too dense for teams alone */
        form = LISTED;
        sparse = pays(pass, form, order, first, looked_at, rows, work, &total);
    }
    const int dense = fnn_forced_form >= 0 ? fnn_forced_form == DENSE : !sparse;
    /* and elsewhere as well, after it has been decided where the chunks begin */
    const int relisted = form == TEAMED && fnn_forced_form < 0 && data->is_uint8 &&
                         batch_size * lines >= LIST_WORK_BYTES;
    const int stored = data->lists && !online && fnn_forced_form < 0;
    pass->form = stored || (relisted && !dense) ? LISTED : dense ? DENSE : form;
    if (stored) {
        pass->has_usual = 0;
        pass->stored = stored_lists(width, batch_size);
    }
    pass->chunks = chunks;
    for (int64_t i = 0, c = 0; c <= chunks; c++) {
        pass->outputs_at[c] = pass->net->strides[0] / line * c / chunks * line;
        for (; i < width; i += QUAD) {
            const int short_of = pass->form == DENSE ? i * chunks < width * c : so_far * chunks < total * c;
            if (i % 16 == 0 && !short_of) break;
            so_far += work[i / QUAD];
        }
        pass->inputs_at[c] = c == chunks || i > width ? width : i;
    }
    pass->inputs_at[0] = 0;
    const real scale = (real)(stored ? data->lists_scale : data->scale);
    for (int b = 0; (stored || data->is_uint8) && b < 256; b++) pass->in->rows.of_byte[b] = (real)b * scale;
    follow_plan(pass, pass->in);
    if (pass->next) follow_plan(pass, pass->next);
}

/* A planned pass of one row takes it less its background, the value of its first input and its last. */
static void take_background(workspace *pass) {
    const int64_t width = pass->net->sizes[0], sums = pass->net->row_sums;
    const real *row = pass->data->x, value = pass->data->is_uint8 ? 0 : row[0];
    if (sums < 0 || pass->form != TEAMED || value == 0 || !isfinite(value) || row[width - 1] != value) return;
    for (int64_t i = 0; i < width; i++) pass->usual.row[i] = value;
    pass->usual.sums = parameters(pass, sums);
    pass->has_usual = 1;
}

/* Gives a planned pass the chunks from `first` to before `end`; without it, it has all. */
static void take_chunks(workspace *pass, int first, int end) {
    pass->first_chunk = first;
    pass->end_chunk = end;
    if (pass->by_outputs) {
        pass->end_walked = pass->chunks;
        pass->left = pass->outputs_at[first];
        pass->right = pass->outputs_at[end];
    } else {
        pass->first_walked = first;
        pass->end_walked = end;
        pass->low = pass->inputs_at[first];
        pass->high = pass->inputs_at[end];
    }
}

/* Brings m rows into `in`: order[0..m), or the m rows from `first`; of the chunks of inputs that it walks. Shuffled
   rows come from anywhere in memory, so those some way ahead of the present one, up to order[available), are asked for
   meanwhile: into the second-level cache, as the first-level one is W0's. */
static void gather(const workspace *pass, batch_inputs *in, const int64_t *order, int64_t first, int64_t m,
                       int64_t available) {
    const fnn_data *data = pass->data;
    const int64_t width = pass->net->sizes[0], item = data->is_uint8 ? 1 : sizeof(real);
    const int64_t low = pass->inputs_at[pass->first_walked], high = pass->inputs_at[pass->end_walked];
    const int64_t outputs = pass->net->sizes[pass->net->layers];
    const int part = pass->form == DENSE && (high - low) * item > AHEAD_BYTES;
    const int64_t rows_ahead = pass->form == DENSE ? AHEAD_DENSE : AHEAD;
    const int64_t ahead = part ? low * item + AHEAD_BYTES : high * item;
    const real scale = (real)data->scale;
    in->order = order;
    in->first = first;
    if (pass->stored.rows) {
        use_stored(&in->lists, &pass->stored, data->lists, sample(in, 0));
        return;
    }
    if (pass->form == LISTED)
        memcpy(in->lists.end + low / QUAD, in->lists.start + low / QUAD,
               ((high + QUAD - 1) / QUAD - low / QUAD) * sizeof *in->lists.end);
    for (int64_t s = 0; s < m; s++) {
        if (order && s + rows_ahead < available) {
            const char *later = row_at(data, width, order[s + rows_ahead]);
            for (int64_t at = low * item; at < ahead; at += 64) __builtin_prefetch(later + at, 0, 2);
            if (data->labels)
                __builtin_prefetch(data->labels + order[s + rows_ahead]);
            else
                __builtin_prefetch((const real *)data->targets + order[s + rows_ahead] * outputs);
        }
        const void *row = row_at(data, width, sample(in, s));
        real *x = in->x + s * width;
        if (pass->has_usual) { /* teams walk the rows themselves, and leave in->x free */
            real *differences = pass->form == TEAMED ? x : pass->usual.differences + s % TOGETHER * width;
            subtract_usual(pass, row, low, high, differences + low);
            row = differences;
        }
        in->rows.row[s] = row;
        if (pass->form == LISTED) {
            const int64_t together = pass->has_usual ? TOGETHER : m; /* for so many differences there is room */
            if (s % together == together - 1 || s == m - 1)
                pack_lists(&in->lists, s - s % together, s % together + 1, in->rows.row + s - s % together,
                               data->is_uint8, scale, low, high);
        } else if (pass->form == GROUPED) {
            if (s == m - 1)
                for (int c = pass->first_walked; c < pass->end_walked; c++)
                    pack_group(&in->group, c, (int)m, in->rows.row, data->is_uint8, scale);
        } else if (pass->form == TEAMED) {
            if (s % TEAM == TEAM - 1 || s == m - 1)
                for (int c = pass->first_walked; c < pass->end_walked; c++)
                    pack_team(&in->teams, c, s - s % TEAM, (int)(s % TEAM + 1), &in->rows);
        } else if (data->is_uint8) {
            for (int64_t i = low; i < high; i++) x[i] = (real)((const uint8_t *)row)[i] * scale;
            in->rows.row[s] = x;
        }
    }
}

#endif
