// SPDX-License-Identifier: Apache-2.0
// Which loops this processor runs.
#include "host/host.h"

struct pixviewi_host_hooks pixviewi_host_hooks;

const pixviewi_loops *pixviewi_host_known_loops(int index)
{
#ifdef PIXVIEWI_WIDE_LOOPS // x86-64, with a compiler that makes them
    static const pixviewi_loops *const all[] = {&pixviewi_loops_avx512, &pixviewi_loops_avx2,
                                                &pixviewi_loops_base, NULL};
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                __builtin_cpu_supports("bmi2");
    bool avx512 = avx2 && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vbmi");
    return all[index + !avx2 + !avx512];
#else
    return index == 0 ? &pixviewi_loops_base : NULL;
#endif
}

const pixviewi_loops *pixviewi_host_loops(void)
{
    const pixviewi_loops *loops =
        atomic_load_explicit(&pixviewi_host_hooks.loops, memory_order_relaxed);
    return loops ? loops : pixviewi_host_known_loops(0);
}
