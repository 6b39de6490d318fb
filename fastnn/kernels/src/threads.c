/* Splits a forward pass over threads, row by row. Threads live for one call: nothing is left behind for a fork. */
#include "fastnn.h"

#include <pthread.h>

#define MAX_THREADS 256

typedef struct {
    const fnn_kernels *kernels;
    const fnn_net *net;
    const void *params;
    const fnn_data *data;
    int64_t first, count;
    void *out, *arena;
} part;

static void *run(void *argument) {
    const part *p = argument;
    p->kernels->forward(p->net, p->params, p->data, p->first, p->count, p->out, p->arena);
    return NULL;
}

void fnn_forward(const fnn_kernels *kernels, const fnn_net *net, const void *params, const fnn_data *data,
                 int64_t first, int64_t count, void *out, size_t item_bytes, void *arenas, size_t arena_bytes,
                 int threads) {
    part parts[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    int started[MAX_THREADS];
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    const int64_t outputs = net->sizes[net->layers];
    for (int i = 0; i < threads; i++) {
        const int64_t from = count * i / threads, to = count * (i + 1) / threads;
        parts[i] = (part){kernels, net, params, data, first + from, to - from,
                          (char *)out + from * outputs * item_bytes, (char *)arenas + i * arena_bytes};
    }
    for (int i = 1; i < threads; i++) started[i] = pthread_create(&ids[i], NULL, run, &parts[i]) == 0;
    run(&parts[0]);
    for (int i = 1; i < threads; i++) {
        if (started[i])
            pthread_join(ids[i], NULL);
        else
            run(&parts[i]); /* no thread to be had: do its part here */
    }
}
