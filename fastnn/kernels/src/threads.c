/* Threads that live for one call, so that nothing is left behind for a fork, and the barrier they meet at. */
#include "fastnn.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#if defined(__x86_64__) || defined(__i386__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("isb") /* about as long as pause; yield does nothing on most cores */
#else
#define RELAX() ((void)0)
#endif

#define SPINS 2000 /* some tens of microseconds: longer than a step's imbalance, shorter than a time slice */

static int busy; /* threads at work in all calls of this process */

typedef struct {
    fnn_work *work;
    void *job;
    int *threads; /* the final count, 0 until it is known */
    int thread;
} member;

static void *enter(void *argument) {
    const member self = *(const member *)argument;
    int threads;
    while ((threads = __atomic_load_n(self.threads, __ATOMIC_ACQUIRE)) == 0) sched_yield();
    self.work(self.job, self.thread, threads);
    return NULL;
}

void fnn_parallel(fnn_work *work, void *job, int threads) {
    pthread_t ids[FNN_MAX_THREADS];
    member members[FNN_MAX_THREADS];
    int count = 1, ready = 0;
    /* Calls from several Python threads share the cores: what others use now is not taken a second time. */
    const int others = __atomic_load_n(&busy, __ATOMIC_RELAXED);
    threads -= others;
    if (threads > FNN_MAX_THREADS) threads = FNN_MAX_THREADS;
    for (; count < threads; count++) {
        members[count] = (member){work, job, &ready, count};
        if (pthread_create(&ids[count], NULL, enter, &members[count]) != 0) break; /* fewer threads will do */
    }
    __atomic_add_fetch(&busy, count, __ATOMIC_RELAXED);
    __atomic_store_n(&ready, count, __ATOMIC_RELEASE);
    work(job, 0, count);
    for (int i = 1; i < count; i++) pthread_join(ids[i], NULL);
    __atomic_sub_fetch(&busy, count, __ATOMIC_RELAXED);
}

double fnn_wait(fnn_barrier *barrier, int threads) {
    if (threads == 1) return 0;
    const int round = __atomic_load_n(&barrier->round, __ATOMIC_RELAXED);
    if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == threads) {
        __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&barrier->round, round + 1, __ATOMIC_RELEASE);
        return 0;
    }
    for (int spins = 0; spins < SPINS; spins++) {
        if (__atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE) != round) return 0;
        RELAX();
    }
    const double start = fnn_now();
    while (__atomic_load_n(&barrier->round, __ATOMIC_ACQUIRE) == round)
        sched_yield(); /* a core was taken away: let whoever has work run */
    return fnn_now() - start;
}

double fnn_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void fnn_rest(int64_t turn) {
    if (turn < SPINS)
        RELAX();
    else
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}
