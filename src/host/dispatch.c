// Which loops this processor runs.
#include <stdatomic.h>

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
