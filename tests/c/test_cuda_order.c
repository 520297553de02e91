// SPDX-License-Identifier: Apache-2.0
// Streams made to wait for each other, and the events that do it, with one (fake) GPU.
#include "fake.h"

#include <pthread.h>

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

enum { LEGACY = 1, PER_THREAD = 2 };

// ---- order ------------------------------------------------------------------------------------

static void test_order(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_order(0, 0, LEGACY, NULL, err));
    REQUIRE_OK(pixviewi_cuda_order(0, a, a, NULL, err));
    REQUIRE_OK(pixviewi_cuda_order(0, PIXVIEW_STREAM_NONE, a, NULL, err));
    REQUIRE_OK(pixviewi_cuda_order(0, a, PIXVIEW_STREAM_NONE, NULL, err));
    REQUIRE_CALLS("");
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, NULL, err));
    REQUIRE_WORK("record wait");
    REQUIRE(fake_waited(b, a) && !fake_waited(a, b));
    REQUIRE_INT(fake_live_events(), 1);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_order(0, b, 0, NULL, err));
    REQUIRE_OK(pixviewi_cuda_order(0, PER_THREAD, a, NULL, err));
    REQUIRE_WORK("record wait record wait");
    REQUIRE(fake_waited(LEGACY, b) && fake_waited(a, PER_THREAD));
    REQUIRE_INT(fake_live_events(), 1); // the same again
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "GPU 1 of 1", pixviewi_cuda_order(1, a, b, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "GPU -1", pixviewi_cuda_order(-1, a, b, NULL, err));
}

static pixviewi_stream_relation_kind join_of(pixview_stream a, pixview_stream b)
{
    pixviewi_stream_relation joint;
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, &joint, err));
    return joint.kind;
}

static void test_order_in_capture(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0), other = fake_stream(0);
    fake_reset();
    fake_set_capture(a, 1, 10);
    // One of the two captures: the graph is left alone.
    REQUIRE_INT(join_of(a, b), PIXVIEWI_CAPTURE_MISMATCH);
    REQUIRE_INT(join_of(b, a), PIXVIEWI_CAPTURE_MISMATCH);
    REQUIRE_INT(join_of(0, a), PIXVIEWI_CAPTURE_MISMATCH);
    REQUIRE_WORK("");
    // A legacy event would break it, whoever asks.
    REQUIRE_INT(join_of(0, b), PIXVIEWI_LEGACY_BLOCKED);
    REQUIRE_INT(join_of(b, 0), PIXVIEWI_LEGACY_BLOCKED);
    REQUIRE_WORK("");
    REQUIRE_INT(fake_capture_status(a), 1);
    // Both outside: as usual.
    REQUIRE_INT(join_of(b, other), PIXVIEWI_STREAMS_ORDERABLE);
    REQUIRE_WORK("record wait");
    // Both in the same one: as usual, too. In two: nothing.
    fake_reset();
    fake_set_capture(a, 1, 10);
    fake_set_capture(b, 1, 10);
    fake_set_capture(other, 1, 11);
    REQUIRE_INT(join_of(a, b), PIXVIEWI_STREAMS_ORDERABLE);
    REQUIRE_WORK("record wait");
    REQUIRE_INT(join_of(a, other), PIXVIEWI_CAPTURE_MISMATCH);
    REQUIRE_WORK("record wait");
    REQUIRE_INT(fake_capture_status(a), 1);
    REQUIRE_INT(fake_capture_status(other), 1);
    fake_reset();
}

static void test_ask(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    pixviewi_stream_relation joint;
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_stream_relation(0, 0, LEGACY, &joint, err));
    REQUIRE_INT(joint.kind, PIXVIEWI_STREAMS_SAME);
    REQUIRE_OK(pixviewi_cuda_stream_relation(0, a, b, &joint, err));
    REQUIRE_INT(joint.kind, PIXVIEWI_STREAMS_ORDERABLE);
    REQUIRE_INT(joint.capture, 0);
    fake_set_capture(a, 1, 10);
    REQUIRE_OK(pixviewi_cuda_stream_relation(0, a, b, &joint, err));
    REQUIRE(joint.kind == PIXVIEWI_CAPTURE_MISMATCH && !joint.consumer_captures);
    REQUIRE_OK(pixviewi_cuda_stream_relation(0, b, a, &joint, err));
    REQUIRE(joint.kind == PIXVIEWI_CAPTURE_MISMATCH && joint.consumer_captures);
    REQUIRE_WORK("");
    for (int wait = 0; wait < 2; wait++) {
        REQUIRE_OK(pixviewi_cuda_check_rows(0, b, wait, err));
        if (!wait)
            REQUIRE_OK(pixviewi_cuda_check_rows(0, a, wait, err)); // becomes part of the graph
        else
            REQUIRE_FAILS(PIXVIEW_E_CUDA, "(900)", pixviewi_cuda_check_rows(0, a, wait, err));
        REQUIRE_FAILS(PIXVIEW_E_CUDA, wait ? "(900)" : "(906)", // it would break the other's
                      pixviewi_cuda_check_rows(0, 0, wait, err));
    }
    fake_reset();
    pixview_error error;
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "ISOLATION (905)",
                  pixviewi_cuda_fail_relation(PIXVIEWI_CAPTURE_MISMATCH, a, b, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "IMPLICIT (906)",
                  pixviewi_cuda_fail_relation(PIXVIEWI_LEGACY_BLOCKED, a, 0, err));
    (void)!pixviewi_cuda_fail_relation(PIXVIEWI_CAPTURE_MISMATCH, a, b, &error);
    REQUIRE_INT(error.driver_code, 905);
    fake_fail_call("cuStreamIsCapturing", 400);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "400", pixviewi_cuda_stream_relation(0, a, b, &joint, err));
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "400", pixviewi_cuda_check_rows(0, a, true, err));
    fake_reset();
}

static void test_stream_device(void)
{
    int device = 7;
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_stream_device(fake_stream(0), &device, err));
    REQUIRE_INT(device, 0);
    REQUIRE_INT(fake_context_depth(), 0);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "400", pixviewi_cuda_stream_device(0xdead00, &device, err));
}

// ---- events -------------------------------------------------------------------------------------

static void test_reset_forgets_events(void)
{
    uint64_t a = fake_stream(0), b = fake_stream(0);
    fake_reset();
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, NULL, err));
    REQUIRE_CALLS("cuCtxGetCurrent cuCtxPushCurrent_v2 cuStreamGetCtx cuStreamGetCtx "
                  "cuStreamIsCapturing cuStreamIsCapturing "
                  "cuCtxGetId cuEventRecord cuStreamWaitEvent cuCtxPopCurrent_v2");
    int before = fake_live_events();
    fake_reset_device(0); // the fake driver ends the test at the first use of a dead event
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, NULL, err));
    REQUIRE_INT(fake_live_events(), before + 1);
    fake_fail_call("cuCtxGetId", 1); // as where the driver has no such function
    REQUIRE_OK(pixviewi_cuda_order(0, a, b, NULL, err));
    fake_reset();
}

static void *order_once(void *streams)
{
    const uint64_t *pair = streams;
    REQUIRE_OK(pixviewi_cuda_order(0, pair[0], pair[1], NULL, err));
    REQUIRE_INT(fake_context_depth(), 0);
    return NULL;
}

// A few events serve all threads, also those that are gone.
static void test_threads(void)
{
    pthread_t threads[4];
    uint64_t pair[2] = {fake_stream(0), fake_stream(0)};
    for (int i = 0; i < 4; i++)
        REQUIRE_INT(pthread_create(&threads[i], NULL, order_once, pair), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    int after = fake_live_events();
    REQUIRE(after <= 8);
    for (int i = 0; i < 100; i++)
        order_once(pair);
    REQUIRE_INT(fake_live_events(), after);
}

static void release_nothing(pixview_owner *self) { (void)self; }

// 0 and 1 are one stream, and so is what stands in for the per-thread one.
static void test_release_between_names_of_one_stream(void)
{
    pixview_owner *owner = pixviewi_owner_new(release_nothing);
    pixviewi_stream_dep dep = {.consumer = PER_THREAD, .home = LEGACY};
    REQUIRE(pixviewi_cuda_add_dep_take(owner, &dep));
    fake_reset();
    pixview_owner_unref(owner);
    REQUIRE_WORK("");
}

int main(void)
{
    use_fake_driver(1);
    test_release_between_names_of_one_stream();
    test_order();
    test_order_in_capture();
    test_ask();
    test_stream_device();
    test_threads();
    test_reset_forgets_events();
    return 0;
}
