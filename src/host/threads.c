// SPDX-License-Identifier: Apache-2.0
// Threads for large host copies: a pool that is made by the first one, none at load.
//
// The caller takes pieces like everybody else and waits only for workers that have begun: one that is
// slow to wake finds nothing left. Two copies at once: the second runs on its caller alone. A forked
// child has no workers and makes its own. At exit they simply end with the process: nothing is joined,
// so nothing can hang.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/host.h"

// SHARE: bytes read and written that are worth a thread. It comes some 40 us after it is called, and
// two cores overtake one between 3 and 6 MB (docs/performance.md).
enum { MOST_THREADS = 64, DEFAULT_MOST = 16, STACK = 2 << 20, SPINS = 1000, SHARE = 3 << 20 };

// ---- how many ---------------------------------------------------------------------------------

// 0: it is not set, or no number. OMP_NUM_THREADS may be a list.
static int from_environment(const char *name)
{
    const char *text = getenv(name);
    char *end = NULL;
    long value = text ? strtol(text, &end, 10) : 0;
    if (value < 1 || !strchr(", ", *end)) // which has its '\0' too
        return 0;
    return value < MOST_THREADS ? (int)value : MOST_THREADS;
}

static int affinity(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? (int)count : 1;
}

// Cores' worth of time that the container may use, rounded up; 0: no limit. "200000 100000" is 2.
static int quota(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    long long most, period;
    int cores = 0;
    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &most, &period) == 2 && most > 0 && period > 0)
        cores = (int)((most + period - 1) / period);
    fclose(file);
    return cores;
}

static int count_threads(void)
{
    int count = from_environment("PIXVIEW_NUM_THREADS");
    if (count == 0)
        count = from_environment("OMP_NUM_THREADS");
    if (count > 0)
        return count;
    int cores = affinity(), limit = quota();
    cores = limit > 0 && limit < cores ? limit : cores;
    return cores < DEFAULT_MOST ? cores : DEFAULT_MOST;
}

static int allowed(void)
{
    static atomic_int counted;
    int count = atomic_load_explicit(&pixviewi_host_hooks.threads, memory_order_relaxed);
    if (count > 0)
        return count < MOST_THREADS ? count : MOST_THREADS;
    count = atomic_load_explicit(&counted, memory_order_relaxed);
    if (count == 0) {
        count = count_threads();
        atomic_store_explicit(&counted, count, memory_order_relaxed);
    }
    return count;
}

int pixviewi_host_threads(int64_t bytes)
{
    int64_t share = atomic_load_explicit(&pixviewi_host_hooks.share, memory_order_relaxed);
    int64_t most = bytes / (share > 0 ? share : SHARE);
    if (most < 2)
        return 1;
    int count = allowed();
    return most < count ? (int)most : count;
}

// ---- the pool ---------------------------------------------------------------------------------

typedef struct pool_job {
    void (*work)(void *, int64_t);
    void *context;
    int64_t pieces;
    atomic_llong next;
} pool_job;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    int workers;
    pool_job *job;      // NULL: none
    int open;           // workers that may still join it
    atomic_int running; // workers that have joined and not left
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static void take_pieces(pool_job *job)
{
    for (;;) {
        int64_t piece = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (piece >= job->pieces)
            return;
        job->work(job->context, piece);
    }
}

static void *serve(void *unused)
{
    pthread_mutex_lock(&pool.lock);
    for (;;) {
        while (pool.open == 0)
            pthread_cond_wait(&pool.wake, &pool.lock);
        pool_job *job = pool.job;
        assert(pool.job && pool.running < pool.workers);
        pool.open--;
        pool.running++;
        pthread_mutex_unlock(&pool.lock);
        take_pieces(job);
        pthread_mutex_lock(&pool.lock);
        if (--pool.running == 0)
            pthread_cond_signal(&pool.done);
    }
    return unused;
}

// The child has this thread alone, and the lock as whoever held it left it.
static void forget_pool(void)
{
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.done, NULL);
    pool.workers = 0;
    pool.open = 0;
    pool.running = 0;
    pool.job = NULL;
}

// Threads run this library's code for good, so it must not be unloaded.
static void prepare(void)
{
    Dl_info info;
    pthread_atfork(NULL, NULL, forget_pool);
    if (dladdr(&pool, &info) && info.dli_fname)
        dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

// With the lock. Fewer than asked for is no error.
static void start_workers(int count)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pool.workers >= count || pthread_attr_init(&attributes) != 0)
        return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all); // signals are the program's own threads' business
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_t thread;
    while (pool.workers < count && pthread_create(&thread, &attributes, serve, NULL) == 0)
        pool.workers++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
}

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// The last piece of another is mostly done before a sleep and a wake would be.
static void wait_for_workers(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.open = 0;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < SPINS && atomic_load_explicit(&pool.running, memory_order_acquire); i++)
        relax();
    pthread_mutex_lock(&pool.lock);
    while (pool.running > 0)
        pthread_cond_wait(&pool.done, &pool.lock);
    pool.job = NULL;
    pthread_mutex_unlock(&pool.lock);
}

void pixviewi_host_parallel(int threads, int64_t pieces, void (*work)(void *, int64_t),
                            void *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pool_job job = {work, context, pieces, 0};
    int helpers = (int)(threads < pieces ? threads : pieces) - 1;
    if (helpers > 0) {
        pthread_once(&once, prepare);
        pthread_mutex_lock(&pool.lock);
        if (pool.job) {
            helpers = 0;
        } else {
            start_workers(helpers);
            pool.job = &job;
            pool.open = helpers < pool.workers ? helpers : pool.workers;
            pthread_cond_broadcast(&pool.wake);
        }
        pthread_mutex_unlock(&pool.lock);
    }
    take_pieces(&job);
    if (helpers > 0)
        wait_for_workers();
}
