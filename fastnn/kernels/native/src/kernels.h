/* The table of one instruction set's kernels for one type, which native.pyx calls. */
#ifndef FNN_KERNELS_H
#define FNN_KERNELS_H

#include "search/encode.h"
#include "search/search.h"
#include "train/epoch.h"
#include "train/outputs.h"

/* Bytes of a call's arena, whatever will be measured. */
static size_t arena_bytes(const fnn_net *net, const fnn_planned *planned) {
    const fnn_purpose purpose = planned->request.purpose;
    const int leads = purpose == TRAINING;
    fnn_train_plan plan = planned->plan;
    size_t most = layout_workspace(NULL, net, &plan, leads, NULL) +
                  (plan.threads - 1) * layout_workspace(NULL, net, &plan, 0, NULL);
    if (plan.needs && plan.regime == ONLINE_BLOCKS) { /* or these become short batches */
        plan.regime = SHORT_BATCHES;
        plan.reads_ahead = 1;
        const size_t bytes = layout_workspace(NULL, net, &plan, leads, NULL) +
                             (plan.threads - 1) * layout_workspace(NULL, net, &plan, 0, NULL);
        if (bytes > most) most = bytes;
    }
    return sample_bytes(net) + most + (purpose == LAYER_GRADIENT ? layer_bytes(net) : 0);
}

const fnn_kernels TABLE = {
    .arena_bytes = arena_bytes,
    .plan = plan_call,
    .train = train_thread,
    .outputs = outputs_thread,
    .loss_grad = loss_grad,
    .layer_grad = layer_grad,
    .pack_pixels = quantise_columns,
    .stored_bytes = stored_bytes,
    .store_block_csc = store_thread,
    .begin_search = begin_search,
    .search_thread = search_thread,
    .prepare_thread = prepare_thread,
    .encode_bytes = encode_bytes,
    .encode_thread = encode_thread,
    .activate = activate_array,
};

#endif
