/* Epochs, shared out over threads without changing a bit.

   A batch of at most BLOCK samples: each thread owns the rows of W0 of its chunks of inputs. It walks these inputs
   only, the chunks' shares of z meet at one barrier a batch, and the small layers behind them are computed by every
   thread for itself, in the same way, on its own copy of their parameters.
   Plain SGD in batches of up to MOST_ONLINE samples: the same, but for a run of batches at a time; see online.h.
   A longer batch: each thread takes some of CHUNKS parts of its samples, each with a gradient of its own; these are
   added up in the order of the parts, each thread updating a range of the parameters. */
#ifndef FNN_TRAIN_EPOCH_H
#define FNN_TRAIN_EPOCH_H

#include "online.h"

#define SUM_PIECE 1024 /* elements of the gradient that are summed and applied at a time, in the first-level cache */

typedef struct {
    const fnn_net *net;
    real *params, *state;
    const fnn_data *data;
    const int64_t *order;
    int64_t count, batch_size;
    const fnn_rule *rule;
    double start, end, over; /* by the clock of fnn_now(); when thread 0 was done */
    fnn_result *result;
    char *arena;
    size_t first_bytes, other_bytes; /* of it: thread 0's, and each other thread's */
    int chunks;
    fnn_barrier barrier;
    int64_t stop; /* batch before which all threads stop; thread 0 lowers it when the time is up */
    double stalled; /* seconds that thread 0 waited for others */
    int plain;  /* whether the rule is SGD without l2: gradients go straight into the weights */
    int online; /* whether batches go in runs, see online.h */
    int64_t share_room;  /* elements between the shares of one unit of work and those of the next */
    real *partial, *gradients, *own; /* thread 0's, used by all */
    fnn_interrupt *interrupt;
    fnn_crowd *crowd;
    int interrupted;
    double part_loss[CHUNKS];
    int64_t part_correct[CHUNKS];
} train_job;

/* a[l + 1] = bias + the chunks' shares (CHUNKS, m, strides[l]) */
static void sum_partial(workspace *pass, int64_t l, int64_t m, const real *partial) {
    const int64_t stride = pass->net->strides[l], share = m * stride, columns = l ? stride : pass->right;
    const real *bias = bias_of(pass, l);
    for (int64_t s = 0; s < m; s++)
        for (int64_t j = 0; j < columns; j += LANES) {
            const vec sum = bias ? vload(bias + j) : (vec){0};
            vstore(pass->a[l + 1] + s * stride + j, sum + sum_shares(pass, partial + s * stride + j, share));
        }
}

/* The outputs of m rows of a batch, `left` from its start to the epoch's end, up to the last layer's z. The chunks'
   shares of one layer's z go through `partial`; until those of other threads are there, the next batch is brought in
   and the way back prepared. */
static void shared_forward(workspace *pass, int64_t m, int64_t left, real *partial) {
    const fnn_net *net = pass->net;
    const int64_t l = pass->by_outputs, outputs = net->sizes[1], *at = pass->outputs_at;
    real *share = partial + pass->first_chunk * m * net->strides[l];
    if (pass->chunks == 1 || pass->by_outputs) {
        if (!pass->coming.x) /* or it has gone along with the last update */
            first_layer(pass, 0, pass->chunks, m, bias_of(pass, 0), pass->a[1]);
        activate_first(pass, m);
    }
    if (pass->chunks == 1) {
        transpose_weights(pass);
    } else {
        for (int c = pass->first_chunk; c < pass->end_chunk; c++, share += m * net->strides[l])
            if (pass->by_outputs)
                later_layer(pass, 1, at[c], at[c + 1] < outputs ? at[c + 1] : outputs, m, NULL, share);
            else
                first_layer(pass, c, c + 1, m, NULL, share);
        fold_shares(pass, partial, m * net->strides[l]);
        fnn_arrive(pass->barrier, pass->thread);
        if (pass->next && left > m)
            gather(pass, pass->next, pass->in->order + m, 0, left - m < m ? left - m : m, left - m);
        transpose_weights(pass);
        pass->stalled += fnn_wait(pass->barrier, pass->thread, pass->threads);
        sum_partial(pass, l, m, partial);
        if (!pass->by_outputs)
            activate_first(pass, m);
        else if (net->layers > 2)
            activate_hidden(pass, 1, m, 0, net->strides[1]);
    }
    later_layers(pass, l + 1, m);
}

/* One update by at most BLOCK rows. Returns 0, with nothing changed, if their loss is not finite. */
static int short_batch(workspace *pass, const train_job *job, int64_t batch, int parity, const optimizer_step *step) {
    const fnn_net *net = pass->net;
    const int64_t start = batch * job->batch_size, left = job->count - start;
    const int64_t m = left < job->batch_size ? left : job->batch_size, *rows = job->order + start;
    const double loss_before = pass->loss;
    const int64_t correct_before = pass->correct;
    if (pass->in->order != rows) gather(pass, pass->in, rows, 0, m, left);
    shared_forward(pass, m, left, job->partial + parity * job->share_room);
    output_block(pass, m, m);
    if (!isfinite(pass->loss)) {
        pass->loss = loss_before;
        pass->correct = correct_before;
        return 0;
    }
    begin_next(pass, m, left);
    for (int64_t l = net->layers - 1; l >= 0; l--) {
        /* the update needs this layer's delta; the delta before it needs this layer's old weights, the transposed */
        fused_update(pass, l, m, step);
        if (l) delta_before(pass, l, m);
    }
    if (pass->next) {
        batch_inputs *used = pass->in;
        pass->in = pass->next;
        pass->next = used;
    }
    return 1;
}

/* The parts' gradients of parameters low..high, added up in order, move them; they are of one kind. */
static void reduce_and_move(const workspace *pass, const train_job *job, const optimizer_step *step, real l2, int64_t low,
                                int64_t high) {
    real sum[SUM_PIECE] __attribute__((aligned(64)));
    for (int64_t at = low; at < high; at += SUM_PIECE) {
        const int64_t count = high - at < SUM_PIECE ? high - at : SUM_PIECE;
        for (int64_t i = 0; i < count; i += LANES) {
            vec total = vload(job->gradients + at + i);
            for (int p = 1; p < CHUNKS; p++) total += vload(job->gradients + p * pass->size + at + i);
            vstore(sum + i, total);
        }
        move(pass, step, l2, sum, 0, at, 0, 1, count);
    }
}

/* One update by more than BLOCK rows (the epoch's last batch may have fewer). Returns as short_batch does. */
static int long_batch(workspace *pass, train_job *job, int64_t batch, const optimizer_step *step) {
    const fnn_net *net = pass->net;
    const int thread = pass->thread, threads = pass->threads;
    const int64_t start = batch * job->batch_size, left = job->count - start;
    const int64_t m = left < job->batch_size ? left : job->batch_size, blocks = (m + LONG_BLOCK - 1) / LONG_BLOCK;
    double loss = pass->loss;
    int64_t correct = pass->correct;
    transpose_weights(pass);
    for (int p = CHUNKS * thread / threads; p < CHUNKS * (thread + 1) / threads; p++) {
        const int64_t from = blocks * p / CHUNKS * LONG_BLOCK, to = blocks * (p + 1) / CHUNKS * LONG_BLOCK;
        pass->gradient = job->gradients + p * pass->size;
        memset(pass->gradient, 0, pass->size * sizeof(real));
        pass->loss = 0;
        pass->correct = 0;
        accumulate(pass, job->order + start + from, 0, (to < m ? to : m) - from, m);
        job->part_loss[p] = pass->loss;
        job->part_correct[p] = pass->correct;
    }
    meet(pass);
    pass->loss = loss;
    pass->correct = correct;
    if (__atomic_load_n(&job->interrupted, __ATOMIC_RELAXED)) return 0;
    for (int p = 0; p < CHUNKS; p++) loss += job->part_loss[p], correct += job->part_correct[p];
    if (!isfinite(loss)) return 0;
    pass->loss = loss;
    pass->correct = correct;
    const int64_t lines = pass->size * sizeof(real) / 64, line = 64 / sizeof(real);
    const int64_t low = lines * thread / threads * line, high = lines * (thread + 1) / threads * line;
    for (int64_t l = 0; l < net->layers; l++) {
        const int64_t w = net->weights[l], w_end = w + net->sizes[l] * net->strides[l], b = net->biases[l];
        reduce_and_move(pass, job, step, step->l2, w > low ? w : low, w_end < high ? w_end : high);
        if (b >= 0)
            reduce_and_move(pass, job, step, 0, b > low ? b : low,
                                b + net->strides[l] < high ? b + net->strides[l] : high);
    }
    meet(pass);
    return 1;
}

static void train_thread(void *argument, int thread, int threads) {
    train_job *job = argument;
    const uint64_t control = float_control();
    const int is_long = job->batch_size > BLOCK;
    const int64_t batches = (job->count + job->batch_size - 1) / job->batch_size;
    workspace pass;
    layout_workspace(&pass, job->net, job->batch_size, thread ? TRAINING : LEADING,
              job->arena + (thread ? job->first_bytes + (thread - 1) * job->other_bytes : 0));
    plan_inputs(&pass, job->data, job->order, 0, job->count, job->batch_size, job->chunks, job->online,
             !job->plain);
    pass.params = job->params;
    pass.state = job->state;
    if (!is_long) take_chunks(&pass, job->chunks * thread / threads, job->chunks * (thread + 1) / threads);
    pass.stop = &job->interrupted;
    pass.control = control;
    pass.barrier = &job->barrier;
    pass.thread = thread;
    pass.threads = threads;
    if (job->online) /* its padding is read */
        memset(pass.x_columns, 0, job->net->sizes[0] * GRAM_STRIDE * sizeof(real));
    if (thread == 0) {
        pass.interrupt = job->interrupt;
        job->partial = pass.partial;
        job->share_room = pass.share_room;
        job->gradients = pass.gradient;
        job->own = pass.own;
    }
    const int64_t slots = slots_of(job->rule->optimizer);
    real *tail = job->params + pass.tail_at, *tail_state = job->state ? job->state + pass.tail_at : NULL;
    if (thread == 0 || is_long) {
        pass.tail = tail;
        pass.tail_state = tail_state;
        pass.tail_slot = pass.size;
    } else {
        memcpy(pass.tail, tail, pass.tail_slot * sizeof(real));
        for (int64_t slot = 0; slot < slots; slot++)
            memcpy(pass.tail_state + slot * pass.tail_slot, tail_state + slot * pass.size,
                   pass.tail_slot * sizeof(real));
    }
    if (pass.by_outputs && (threads > 1 || pass.form == LISTED)) take_columns(&pass, slots);
    if (threads == 1 && !pass.in_strips) pass.next = NULL; /* there is nothing to wait for */
    if (is_long && pass.form == LISTED) {
        meet(&pass);
        take_strips(&pass, job->own, slots);
    }
    pass.loss = job->result->loss;
    pass.correct = job->result->correct;
    int64_t batch = job->result->batches;
    int parity = 0; /* of the unit of work: its shares must not overwrite those of the one before */
    meet(&pass); /* the copies are made; from here on thread 0 changes the originals */
    int finite = 1;
    set_float_control(control | FLUSH_SUBNORMALS);
    while (batch < __atomic_load_n(&job->stop, __ATOMIC_RELAXED)) {
        const optimizer_step step = make_step(job->rule, job->rule->step + batch + 1);
        const int64_t start = batch * job->batch_size, left = job->count - start;
        int64_t unit = 1, done;
        if (job->online) {
            done = online_stretch(&pass, job->partial, job->share_room, &parity, job->order + start, left,
                                      job->batch_size, &step, &unit);
        } else if (is_long) {
            done = long_batch(&pass, job, batch, &step);
        } else {
            done = short_batch(&pass, job, batch, parity++ & 1, &step);
        }
        batch += done;
        finite = done == unit;
        if (!finite) break;
        if (thread > 0) continue;
        /* The others may be one unit further, but not past its barrier: they will see this in time. */
        const double now = fnn_now();
        if (job->stop == batches &&
            (now > job->end || fnn_is_crowded(job->crowd, now - job->start, pass.stalled)))
            __atomic_store_n(&job->stop, batch + unit < batches ? batch + unit : batches, __ATOMIC_RELAXED);
    }
    set_float_control(control);
    if (pass.net != pass.all) give_back_columns(&pass, job->params, job->state, slots);
    else if (pass.in_strips) copy_strips(&pass, job->params, job->state, job->own, slots, 1);
    if (thread == 0) {
        job->result->loss = pass.loss;
        job->result->correct = pass.correct;
        job->result->batches = batch;
        job->result->interrupted = job->interrupted;
        job->result->diverged = !finite && !job->interrupted;
        job->stalled = pass.stalled;
        job->over = fnn_now();
    }
}

static size_t workspace_bytes(const fnn_net *net, int64_t rows, int purpose) {
    return layout_workspace(NULL, net, rows, purpose, NULL);
}

static void train(const fnn_net *net, void *params, void *state, const fnn_data *data, const int64_t *order,
                      int64_t count, int64_t batch_size, const fnn_rule *rule, double seconds, fnn_result *result,
                      void *arena, int threads, fnn_interrupt *interrupt) {
    const int splits = splits_outputs(net, batch_size) || (batch_size <= BLOCK && net->sizes[0] >= 16 * CHUNKS);
    const int chunks = splits ? CHUNKS : 1;
    const int plain = rule->optimizer == SGD && rule->l2 == 0;
    const int online = plain && batch_size <= MOST_ONLINE && count > MOST_ONLINE;
    const int64_t unit = online ? RUN / batch_size * batch_size : batch_size;
    const double work = (double)unit * (double)net->sizes[0] * (double)net->strides[0];
    const double start = fnn_now();
    const int most = batch_size > BLOCK ? CHUNKS : chunks;
    train_job job = {.net = net, .params = params, .state = state, .data = data, .order = order, .count = count,
               .batch_size = batch_size, .rule = rule, .start = start, .end = start + seconds, .result = result,
               .arena = arena, .first_bytes = workspace_bytes(net, batch_size, LEADING),
               .other_bytes = workspace_bytes(net, batch_size, TRAINING), .chunks = chunks,
               .stop = (count + batch_size - 1) / batch_size, .plain = plain, .online = online,
               .interrupt = interrupt, .crowd = fnn_crowd_of_thread()};
    if (threads > most) threads = most;
    const int alone = start < job.crowd->alone_until;
    if (alone && job.end > job.crowd->alone_until) job.end = job.crowd->alone_until;
    if (work < THREAD_WORK || alone) threads = 1;
    fnn_parallel(train_thread, &job, threads);
    const double end = fnn_now();
    if (threads > 1) fnn_learn(job.crowd, end - start, job.stalled + (end - job.over));
}

#endif
