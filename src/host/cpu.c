// Which loops this processor runs.
#include "host.h"

#ifdef PIXVIEWI_WIDE_LOOPS // x86-64, with a compiler that makes them
static const pixviewi_loops *find(void)
{
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("bmi2");
    if (avx2 && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi"))
        return &pixviewi_loops_avx512;
    return avx2 ? &pixviewi_loops_avx2 : &pixviewi_loops_base;
}
#else
static const pixviewi_loops *find(void) { return &pixviewi_loops_base; }
#endif

static const pixviewi_loops *_Atomic chosen;

void pixviewi_host_set_loops(const pixviewi_loops *loops)
{
    atomic_store_explicit(&chosen, loops, memory_order_relaxed);
}

const pixviewi_loops *pixviewi_host_loops(void)
{
    const pixviewi_loops *loops = atomic_load_explicit(&chosen, memory_order_relaxed);
    if (!loops) {
        loops = find();
        pixviewi_host_set_loops(loops);
    }
    return loops;
}
