// SPDX-License-Identifier: Apache-2.0
// The host's loops for video frames against their specification: the fuzz target's cases at random, by the loops of
// every instruction set and by threads; and frames wider than what is read at a time.
#include "host/host.h"
#include "video_input.h"

#ifdef __SANITIZE_THREAD__ // which has no use for one thread
enum { ROUNDS = 100, THREADED = 400 };
#else
enum { ROUNDS = 2500, THREADED = 1000 };
#endif

static void test_at_random(int rounds, uint64_t seed)
{
    uint8_t input[80];
    for (int round = 0; round < rounds; round++) {
        fill_random(input, sizeof input, next_random(&seed));
        run_video(input, sizeof input);
    }
}

int main(void)
{
    for (int i = 0; pixviewi_host_known_loops(i); i++) {
        pixviewi_host_hooks.loops = pixviewi_host_known_loops(i);
        test_at_random(ROUNDS, 20261129);
    }
    pixviewi_host_hooks.loops = NULL;
    pixviewi_host_hooks.threads = 3; // bands of a frame each
    pixviewi_host_hooks.share = 1;
    test_at_random(THREADED, 16);
    return 0;
}
