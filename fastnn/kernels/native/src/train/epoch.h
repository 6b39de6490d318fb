/* Epochs, shared out over threads without changing a bit.

   A short batch: each thread owns its splits of the first layer's inputs, rows of W0, or outputs, columns of W0. The
   splits' partial sums of z are added after one barrier a batch, and the layers behind them are computed by every
   thread for itself, in the same way, on its own copy of their parameters.

   Online blocks: the same, but for several single samples at a time; see online.h.

   A long batch: each thread takes some of SPLITS parts of its samples, each with a gradient of its own; these are added
   up in the order of the parts, each thread updating a range of the parameters.

   Called through the table of kernels, as a thread's part of a fnn_training; writes the parameters and their state. */
#ifndef FNN_TRAIN_EPOCH_H
#define FNN_TRAIN_EPOCH_H

#include "gradient.h"
#include "local_panels.h"
#include "online.h"

/* a[l + 1] (m, output_width(l)) of the split layer = bias + the splits' partial sums (SPLITS, partial_step) */
static void sum_partial(workspace *ws, int64_t m, const real *partial) {
    const int64_t l = ws->split_layer, width = output_width(ws->net, l), step = partial_step(ws, m);
    const real *bias = bias_of(ws, l);
    for (int64_t s = 0; s < m; s++)
        for (int64_t j = 0; j < width; j += LANES) {
            const vec sum = bias ? vload(bias + j) : (vec){0};
            vstore(ws->a[l + 1] + s * width + j, sum + reduced(ws, partial + s * width + j, step));
        }
}

/* The partial sums of m samples' z have been written: waits for those of other threads, and meanwhile brings the next
   batch in (`left` rows are to come, with these) and prepares the way back. The split layer's a[l + 1] = their sum. */
static void reduce_partial(workspace *ws, int64_t m, int64_t left, real *partial) {
    reduce_pairs(ws, partial, m * output_width(ws->net, ws->split_layer), partial_step(ws, m));
    fnn_arrive(ws->barrier, ws->thread);
    if (ws->next && left > m) gather(ws, ws->next, ws->in->order + m, 0, left - m < m ? left - m : m, left - m);
    transpose_weights(ws);
    ws->stalled += fnn_wait(ws->barrier, ws->thread, ws->threads);
    sum_partial(ws, m, partial);
}

/* One update by at most SHORT_BATCH rows, `left` from its start to the epoch's end. Returns 0, with nothing changed, if
   their loss is not finite. */
static int short_batch(workspace *ws, const fnn_rule *rule, const int64_t *rows, int64_t m, int64_t left,
                       const optimizer_step *step) {
    const fnn_net *net = ws->net;
    const int64_t l = ws->split_layer, outputs = net->sizes[1], between = partial_step(ws, m), *at = ws->output_at;
    const double loss_before = ws->loss;
    const int64_t correct_before = ws->correct;
    real *partial = next_partial(ws), *mine = partial + ws->first_split * between;
    if (ws->in->order != rows) gather(ws, ws->in, rows, 0, m, left);
    if (ws->plan.update == LAZY_OPTIMIZER) catch_up(ws, rule, 0);
    if (ws->plan.split == SPLIT_INPUTS) {
        for (int c = ws->first_split; c < ws->end_split; c++, mine += between)
            first_layer(ws, c, c + 1, m, offset_start(ws, c, c + 1, NULL), mine);
        reduce_partial(ws, m, left, partial);
        activate_first(ws, m);
    } else {
        first_layer(ws, 0, ws->splits, m, offset_start(ws, 0, ws->splits, bias_of(ws, 0)), ws->a[1]);
        activate_first(ws, m);
    }
    if (ws->plan.split == SPLIT_OUTPUTS) {
        for (int c = ws->first_split; c < ws->end_split; c++, mine += between)
            later_layer(ws, 1, at[c], at[c + 1] < outputs ? at[c + 1] : outputs, m, NULL, mine);
        reduce_partial(ws, m, left, partial);
        if (net->layers > 2) activate_hidden(ws, 1, m, 0, output_width(net, 1));
    } else if (ws->plan.split == SPLIT_NOTHING) {
        transpose_weights(ws);
    }
    later_layers(ws, l + 1, m);
    output_block(ws, m, m);
    if (!isfinite(ws->loss)) {
        ws->loss = loss_before;
        ws->correct = correct_before;
        return 0;
    }
    for (int64_t layer = net->layers - 1; layer >= 0; layer--) {
        /* the update needs this layer's delta; the delta before it needs this layer's old weights, the transposed */
        fused_update(ws, layer, m, step);
        if (layer) delta_before(ws, layer, m);
    }
    if (ws->next) {
        batch_inputs *used = ws->in;
        ws->in = ws->next;
        ws->next = used;
    }
    return 1;
}

/* The norm of the gradient of `count` parameters of layer l, or with l < 0 of biases, from `at` on, squared: the parts'
   gradients added up in order, and the penalties' part. */
static double squared_norm(const workspace *ws, const real *gradients, const optimizer_step *step, int64_t l,
                           int64_t at, int64_t count) {
    const double l1 = l < 0 ? 0 : step->penalty_factor * step->l1[l],
                 l2 = l < 0 ? 0 : step->penalty_factor * step->l2[l];
    double sum = 0;
    for (int64_t i = at; i < at + count; i++) {
        const real w = ws->params[i];
        real g = gradients[i];
        for (int p = 1; p < SPLITS; p++) g += gradients[p * ws->size + i];
        const double all = (double)g + l2 * (double)w + (w > 0 ? l1 : w < 0 ? -l1 : 0);
        sum += all * all;
    }
    return sum;
}

/* What the gradients of each layer's weights and biases, (layers, 2), are multiplied by so that their norms are those
   that the rule allows. Every thread computes it for itself, before any of them writes a parameter. */
static void clipping_scales(const workspace *ws, const fnn_training *job, const optimizer_step *step) {
    const fnn_net *net = ws->net;
    const fnn_rule *rule = job->rule;
    double all = 0, *scales = ws->scales;
    for (int64_t l = 0; l < net->layers; l++) {
        const int64_t size = net->sizes[l] * net->strides[l];
        scales[2 * l] = squared_norm(ws, job->gradients, step, l, net->weights[l], size);
        scales[2 * l + 1] =
            net->biases[l] < 0 ? 0 : squared_norm(ws, job->gradients, step, -1, net->biases[l], net->strides[l]);
        all += scales[2 * l] + scales[2 * l + 1];
    }
    const double most = rule->clip_norm > 0 ? rule->clip_norm : rule->global_clip_norm;
    for (int64_t i = 0; i < 2 * net->layers; i++) {
        const double norm = sqrt(rule->clip_norm > 0 ? scales[i] : all);
        scales[i] = norm > most ? most / norm : 1;
    }
}

/* The parameters low..high, of layer l or with l < 0 of biases, are updated by the parts' gradients, added up in
   order. */
static void reduce_and_apply(const workspace *ws, const real *gradients, const optimizer_step *step, int64_t l,
                             int64_t low, int64_t high) {
    real sum[SUM_PIECE] __attribute__((aligned(64)));
    for (int64_t at = low; at < high; at += SUM_PIECE) {
        const int64_t count = high - at < SUM_PIECE ? high - at : SUM_PIECE;
        for (int64_t i = 0; i < count; i += LANES) {
            vec total = vload(gradients + at + i);
            for (int p = 1; p < SPLITS; p++) total += vload(gradients + p * ws->size + at + i);
            vstore(sum + i, total);
        }
        apply_update(ws, step, l, sum, &(parameter_rows){at, 0, 1, count, 0});
    }
}

/* One update by m rows, a thread's splits of them after one another. Returns as short_batch does. */
static int long_batch(workspace *ws, fnn_training *job, const int64_t *rows, int64_t m, const optimizer_step *step) {
    const fnn_net *net = ws->net;
    const int thread = ws->thread, threads = ws->threads;
    const int64_t block = ws->plan.block, blocks = (m + block - 1) / block;
    double loss = ws->loss;
    int64_t correct = ws->correct;
    transpose_weights(ws);
    for (int p = SPLITS * thread / threads; p < SPLITS * (thread + 1) / threads; p++) {
        const int64_t from = blocks * p / SPLITS * block, to = blocks * (p + 1) / SPLITS * block;
        ws->gradient = (real *)job->gradients + p * ws->size;
        memset(ws->gradient, 0, ws->size * sizeof(real));
        ws->loss = 0;
        ws->correct = 0;
        accumulate(ws, rows + from, 0, (to < m ? to : m) - from, m);
        job->split_loss[p] = ws->loss;
        job->split_correct[p] = ws->correct;
    }
    await_threads(ws);
    ws->loss = loss;
    ws->correct = correct;
    if (__atomic_load_n(&job->interrupted, __ATOMIC_RELAXED)) return 0;
    for (int p = 0; p < SPLITS; p++) loss += job->split_loss[p], correct += job->split_correct[p];
    if (!isfinite(loss)) return 0;
    ws->loss = loss;
    ws->correct = correct;
    const int clips = job->rule->clip_norm > 0 || job->rule->global_clip_norm > 0;
    if (clips) {
        clipping_scales(ws, job, step);
        await_threads(ws);
    }
    const int64_t lines = ws->size * sizeof(real) / 64, line = 64 / sizeof(real);
    const int64_t low = lines * thread / threads * line, high = lines * (thread + 1) / threads * line;
    for (int64_t l = 0; l < net->layers; l++) {
        /* The rows of panels are whole vectors, others whole cache lines. */
        const int64_t row = l == 0 && ws->in_panels ? ws->right : net->strides[l];
        const int64_t w = net->weights[l], w_end = w + net->sizes[l] * row, b = net->biases[l];
        optimizer_step of_weights = *step, of_biases = *step;
        if (clips) of_weights.scale = (real)ws->scales[2 * l], of_biases.scale = (real)ws->scales[2 * l + 1];
        reduce_and_apply(ws, job->gradients, &of_weights, l, w > low ? w : low, w_end < high ? w_end : high);
        if (b >= 0)
            reduce_and_apply(ws, job->gradients, &of_biases, -1, b > low ? b : low,
                             b + net->strides[l] < high ? b + net->strides[l] : high);
    }
    await_threads(ws);
    return 1;
}

/* A thread's workspace, with its splits and its copies of parameters; `plan` is that of so many threads. */
static void begin_thread(workspace *ws, fnn_training *job, const fnn_train_plan *plan, int thread, int threads) {
    const fnn_planned *planned = job->planned;
    const fnn_net *net = job->net;
    const int is_long = plan->regime == LONG_BATCHES, slots = SLOTS_OF[job->rule->optimizer];
    char *arena = planned->arena;
    if (thread)
        arena += layout_workspace(NULL, net, plan, 1, NULL) + (thread - 1) * layout_workspace(NULL, net, plan, 0, NULL);
    begin_workspace(ws, planned, plan, net, job->data, thread == 0, arena);
    ws->params = job->params;
    ws->state = job->state;
    if (!is_long) take_splits(ws, ws->splits * thread / threads, ws->splits * (thread + 1) / threads);
    ws->stop = &job->interrupted;
    ws->control = float_control();
    ws->barrier = &job->barrier;
    ws->order = job->order;
    ws->outputs = thread == 0 || is_long ? job->outputs : NULL; /* short batches' are computed by all threads */
    ws->thread = thread;
    ws->threads = threads;
    if (plan->regime == ONLINE_BLOCKS) /* its padding is read */
        memset(ws->x_columns, 0, net->sizes[0] * GRAM_STRIDE * sizeof(real));
    if (thread == 0) {
        ws->interrupt = job->interrupt;
        job->partial = ws->partial;
        job->gradients = ws->gradient;
        job->panels = ws->local;
        job->lacks = ws->lazy.lacks;
        job->squares = ws->lazy.squares;
    }
    real *later = ws->params + ws->later_at, *later_state = ws->state ? ws->state + ws->later_at : NULL;
    if (thread == 0 || is_long) {
        ws->later = later;
        ws->later_state = later_state;
        ws->later_size = ws->size;
    } else {
        memcpy(ws->later, later, ws->later_size * sizeof(real));
        for (int slot = 0; slot < slots; slot++)
            memcpy(ws->later_state + slot * ws->later_size, later_state + slot * ws->size,
                   ws->later_size * sizeof(real));
    }
    if (plan->weights == THREAD_LOCAL || plan->weights == THREAD_LOCAL_PANELS) take_columns(ws, slots);
    await_threads(ws); /* thread 0 has said where its memory is; */
    ws->partial = job->partial;
    ws->lazy.lacks = job->lacks;
    ws->lazy.squares = job->squares;
    if (plan->weights == PACKED_PANELS) take_panels(ws, job->panels, slots);
    await_threads(ws); /* and the copies are made: from here on it changes the originals */
    ws->loss = job->result.loss;
    ws->correct = job->result.correct;
}

/* What a thread did in memory of its own goes back to where the caller has it. */
static void end_thread(workspace *ws, fnn_training *job) {
    const int slots = SLOTS_OF[job->rule->optimizer];
    if (ws->net != ws->whole_net)
        give_back_columns(ws, job->params, job->state, slots);
    else if (ws->in_panels)
        copy_panels(ws, job->params, job->state, job->panels, slots, 1);
}

static void train_thread(void *argument, int thread, int threads) {
    fnn_training *job = argument;
    fnn_train_request request = job->planned->request;
    fnn_train_plan plan = job->planned->plan;
    if (plan.threads != threads) { /* the cores are taken: as good a plan, and the same bits, with fewer threads */
        request.threads = threads;
        plan = fnn_plan_training(&request);
    }
    const uint64_t control = float_control();
    const int64_t count = request.rows, batch_size = request.batch_size,
                  batches = (count + batch_size - 1) / batch_size;
    int64_t batch = job->result.batches;
    int finite = 1;
    const int lazy = plan.update == LAZY_OPTIMIZER;
    momentum_schedule schedule = {0, 1};
    workspace ws;
    begin_thread(&ws, job, &plan, thread, threads);
    set_float_control(control | FLUSH_SUBNORMALS);
    ws.penalties = job->penalties;
    if (lazy) begin_window(&ws, job, batch / LAZY_BATCHES * LAZY_BATCHES, batch % LAZY_BATCHES, batches);
    while (batch < __atomic_load_n(&job->stop, __ATOMIC_RELAXED)) {
        const double *rates = job->rates ? job->rates + batch : NULL, rate = rates ? *rates : job->rule->learning_rate;
        const double factor = job->penalty_factors ? job->penalty_factors[batch] : 1;
        const optimizer_step step = make_step(job->rule, rate, factor, job->rule->step + batch + 1, &schedule);
        const int64_t start = batch * batch_size, left = count - start, m = left < batch_size ? left : batch_size;
        const int64_t *rows = job->order + start;
        int64_t unit = 1, done;
        ws.penalties = job->penalties ? job->penalties + batch * (SPLITS + 1) : NULL;
        if (job->penalties && (thread == 0 || plan.regime == SHORT_BATCHES))
            measure_penalty(&ws, job->rule, ws.penalties);
        switch (plan.regime) {
        case ONLINE_BLOCKS: done = online_span(&ws, rows, rates, left, &step, &unit); break;
        case LONG_BATCHES: done = long_batch(&ws, job, rows, m, &step); break;
        default: done = short_batch(&ws, job->rule, rows, m, left, &step);
        }
        batch += done;
        finite = done == unit;
        if (lazy && finite && batch % LAZY_BATCHES == 0) {
            end_window(&ws, job->rule, job->penalties);
            begin_window(&ws, job, batch, 0, batches);
        }
        if (!finite) break;
        if (thread > 0) continue;
        /* The others may be one unit further, but not past its barrier: they will see this in time. */
        const double now = fnn_now();
        if (job->stop == batches && (now > job->slice.end || fnn_is_oversubscribed(&job->slice, now, ws.stalled)))
            __atomic_store_n(&job->stop, batch + unit < batches ? batch + unit : batches, __ATOMIC_RELAXED);
    }
    if (lazy && (!finite || job->ends || batch == batches)) end_window(&ws, job->rule, job->penalties);
    set_float_control(control);
    end_thread(&ws, job);
    if (thread == 0) {
        job->result.loss = ws.loss;
        job->result.correct = ws.correct;
        job->result.batches = batch;
        job->result.interrupted = job->interrupted;
        job->result.diverged = !finite && !job->interrupted;
        job->slice.stalled = ws.stalled;
        job->slice.done = fnn_now();
    }
}

#endif
