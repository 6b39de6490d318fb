/* Threads that work for one call, so that a fork after it finds none that holds a lock or memory of ours; the barrier
   between them; and when to do without them. */
#define _GNU_SOURCE /* for the affinities */
#include "api.h"

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

static int all_cores = 1; /* that this process may use */
static int busy;          /* threads at work in all its calls */
static int most_busy;     /* the most of them at a time since somebody asked */

void fnn_set_cores(int count) { __atomic_store_n(&all_cores, count, __ATOMIC_RELAXED); }

int fnn_most_threads(void) { return __atomic_exchange_n(&most_busy, 0, __ATOMIC_RELAXED); }

/* Calls from several Python threads share the cores: what others use now is not taken a second time, except that the
   caller runs in any case. */
static int take_cores(int threads) {
    const int known = __atomic_load_n(&all_cores, __ATOMIC_RELAXED), all = known > threads ? known : threads;
    int others = __atomic_load_n(&busy, __ATOMIC_RELAXED), taken;
    do {
        taken = all - others < threads ? all - others : threads;
        if (taken < 1) taken = 1;
    } while (!__atomic_compare_exchange_n(&busy, &others, others + taken, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    const int now = others + taken;
    int most = __atomic_load_n(&most_busy, __ATOMIC_RELAXED);
    do {
        if (most >= now) break;
    } while (!__atomic_compare_exchange_n(&most_busy, &most, now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return taken;
}

static void give_cores(int count) { __atomic_sub_fetch(&busy, count, __ATOMIC_RELAXED); }

/* Linux may start a thread on the core of the one that makes it while another is idle, and leave both there for
   milliseconds, in which they wait for one another. So a new thread is kept off that core until it runs. */
#ifdef __linux__
typedef struct {
    cpu_set_t all, others; /* of the cores that the process may use: but this thread's */
    int known;
} cores;

static cores find_cores(void) {
    cores found = {.known = 0};
    const int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof found.all, &found.all) != 0) return found;
    found.others = found.all;
    CPU_CLR(here, &found.others);
    found.known = CPU_COUNT(&found.others) > 0;
    return found;
}

static void keep_off(const cores *cores, pthread_t id) {
    if (cores->known) pthread_setaffinity_np(id, sizeof cores->others, &cores->others);
}

static void let_go(const cores *cores) {
    if (cores->known) pthread_setaffinity_np(pthread_self(), sizeof cores->all, &cores->all);
}
#else
typedef int cores;
static cores find_cores(void) { return 0; }
static void keep_off(const cores *cores, pthread_t id) { (void)cores, (void)id; }
static void let_go(const cores *cores) { (void)cores; }
#endif

typedef struct {
    fnn_work *work;
    void *job;
    const cores *cores;
    int *threads; /* the final count, 0 until it is known */
    int thread, has_finished;
} member;

static void *enter(void *argument) {
    member *self = argument;
    int threads;
    while ((threads = __atomic_load_n(self->threads, __ATOMIC_ACQUIRE)) == 0) sched_yield();
    let_go(self->cores);
    self->work(self->job, self->thread, threads);
    /* From here on the caller may return, and its stack with *self is gone. */
    __atomic_store_n(&self->has_finished, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* Returns when a thread has done its work. One that finishes soon is left to end by itself: for the system to end it, and
   to wake who waits for that, takes longer than the threads of most calls differ. */
static void await_work(pthread_t id, const member *thread) {
    for (int spins = 0; spins < SPINS; spins++) {
        if (__atomic_load_n(&thread->has_finished, __ATOMIC_ACQUIRE)) {
            pthread_detach(id);
            return;
        }
        RELAX();
    }
    pthread_join(id, NULL);
}

void fnn_parallel(fnn_work *work, void *job, int threads) {
    pthread_t ids[FNN_MAX_THREADS];
    member members[FNN_MAX_THREADS];
    int count = 1, ready = 0;
    const int taken = take_cores(threads < FNN_MAX_THREADS ? threads : FNN_MAX_THREADS);
    cores places;
    if (taken > 1) places = find_cores();
    for (; count < taken; count++) {
        members[count] = (member){work, job, &places, &ready, count, 0};
        if (pthread_create(&ids[count], NULL, enter, &members[count]) != 0) break; /* fewer threads will do */
        keep_off(&places, ids[count]);
    }
    if (count < taken) give_cores(taken - count);
    __atomic_store_n(&ready, count, __ATOMIC_RELEASE);
    work(job, 0, count);
    for (int i = 1; i < count; i++) await_work(ids[i], &members[i]);
    give_cores(count);
}

void fnn_arrive(fnn_barrier *barrier, int thread) {
    __atomic_store_n(&barrier->of[thread].arrivals, barrier->of[thread].arrivals + 1, __ATOMIC_RELEASE);
}

double fnn_wait(const fnn_barrier *barrier, int thread, int threads) {
    const unsigned mine = barrier->of[thread].arrivals;
    double start = 0;
    for (int other = 0, spins = 0; other < threads; other++)        /* one that is ahead has come once more at most */
        while (__atomic_load_n(&barrier->of[other].arrivals, __ATOMIC_ACQUIRE) == mine - 1)
            if (spins++ < SPINS) {
                RELAX();
            } else { /* a core was taken away: let whoever has work run */
                if (start == 0) start = fnn_now();
                sched_yield();
            }
    return start > 0 ? fnn_now() - start : 0;
}

double fnn_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

#define POLL_SECONDS 0.05

fnn_interrupt fnn_new_interrupt(int (*check)(fnn_interrupt *interrupt), void *owner) {
    return (fnn_interrupt){check, owner, fnn_now() + POLL_SECONDS, 0};
}

int fnn_interrupted(fnn_interrupt *interrupt) {
    if (!interrupt->stopped && fnn_now() > interrupt->next_check) {
        interrupt->stopped = interrupt->check(interrupt);
        interrupt->next_check = fnn_now() + POLL_SECONDS;
    }
    return interrupt->stopped;
}

/* Short calls are judged together: each may lose as much as the scheduler's time slice. */
#define RECENT 0.02        /* seconds */
#define LEAST_STALLED 0.003 /* seconds: a core may well be taken away once */
#define MOST_STALLED 0.25   /* share of the time */
#define FIRST_BACKOFF 0.02 /* seconds of going alone: a BLAS lets its threads spin about so long after its last call */
#define LAST_BACKOFF 0.64 /* seconds, after doubling */

static _Thread_local fnn_oversubscription of_thread;

static int is_oversubscribed(const fnn_oversubscription *cores, double seconds, double stalled) {
    stalled += cores->stalled;
    return stalled > LEAST_STALLED && stalled > MOST_STALLED * (cores->shared + seconds);
}

int fnn_is_oversubscribed(const fnn_slice *slice, double now, double stalled) {
    return is_oversubscribed(slice->cores, now - slice->start, stalled);
}

fnn_slice fnn_begin_slice(double seconds, int threads) {
    const double start = fnn_now();
    fnn_slice slice = {.start = start, .end = start + seconds, .threads = threads, .cores = &of_thread};
    if (start < of_thread.alone_until) {
        slice.threads = 1;
        if (slice.end > of_thread.alone_until) slice.end = of_thread.alone_until;
    }
    return slice;
}

void fnn_end_slice(const fnn_slice *slice) {
    if (slice->threads == 1) return;
    fnn_oversubscription *cores = slice->cores;
    const double end = fnn_now(), seconds = end - slice->start, stalled = slice->stalled + (end - slice->done);
    if (is_oversubscribed(cores, seconds, stalled)) {
        cores->backoff = cores->backoff > 0 ? 2 * cores->backoff : FIRST_BACKOFF;
        if (cores->backoff > LAST_BACKOFF) cores->backoff = LAST_BACKOFF;
        cores->alone_until = fnn_now() + cores->backoff;
        cores->shared = cores->stalled = 0;
        return;
    }
    cores->shared += seconds;
    cores->stalled += stalled;
    if (cores->shared > RECENT) { /* long enough to be sure: the cores are free, and what is past counts less */
        cores->stalled *= RECENT / cores->shared;
        cores->shared = RECENT;
        cores->backoff = 0;
    }
}

void fnn_back_off(int64_t turn) {
    if (turn < SPINS)
        RELAX();
    else
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}
