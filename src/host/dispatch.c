// Which loops this processor runs.
#include <stdatomic.h>
#include <stdio.h>

#include "host/host.h"

#ifdef PIXVIEWI_WIDE_LOOPS // x86-64, with a compiler that makes them
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("bmi2");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi");
}

const pixviewi_loops *pixviewi_host_known_loops(int index)
{
    const pixviewi_loops *known[4] = {NULL};
    int count = 0;
    __builtin_cpu_init();
    if (has_avx2() && has_avx512())
        known[count++] = &pixviewi_loops_avx512;
    if (has_avx2())
        known[count++] = &pixviewi_loops_avx2;
    known[count] = &pixviewi_loops_base;
    return known[index];
}
#else
const pixviewi_loops *pixviewi_host_known_loops(int index)
{
    return index == 0 ? &pixviewi_loops_base : NULL;
}
#endif

struct pixviewi_host_hooks pixviewi_host_hooks;

const pixviewi_loops *pixviewi_host_loops(void)
{
    static const pixviewi_loops *_Atomic widest;
    const pixviewi_loops *loops =
        atomic_load_explicit(&pixviewi_host_hooks.loops, memory_order_relaxed);
    if (!loops)
        loops = atomic_load_explicit(&widest, memory_order_relaxed);
    if (!loops) {
        loops = pixviewi_host_known_loops(0);
        atomic_store_explicit(&widest, loops, memory_order_relaxed);
    }
    return loops;
}

// Of what some cores share; sysconf gives the sum over the whole processor.
static int64_t last_level(void)
{
    long long kilobytes = 0;
    FILE *file = fopen("/sys/devices/system/cpu/cpu0/cache/index3/size", "re");
    if (file && fscanf(file, "%lldK", &kilobytes) != 1)
        kilobytes = 0;
    if (file)
        fclose(file);
    return (int64_t)(kilobytes > 0 && kilobytes < 1 << 30 ? kilobytes : 32 << 10) << 10;
}

int64_t pixviewi_host_cache(void)
{
    static _Atomic int64_t cache; // 0: not read yet
    int64_t bytes = atomic_load_explicit(&pixviewi_host_hooks.cache, memory_order_relaxed);
    if (bytes == 0)
        bytes = atomic_load_explicit(&cache, memory_order_relaxed);
    if (bytes == 0) {
        bytes = last_level();
        atomic_store_explicit(&cache, bytes, memory_order_relaxed);
    }
    return bytes;
}
