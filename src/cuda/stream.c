// SPDX-License-Identifier: Apache-2.0
// One stream waits for another, without the host, and without disturbing a graph capture.
//
// Where exactly one of two streams captures, an event would pull the other into the graph or break
// the capture; and an event on the legacy stream breaks the capture of every blocking stream (the
// driver answers 906 when asked about it, which harms nothing). So the streams are asked first.
#include "cuda/stream.h"

#include <assert.h>

#include "cuda/device.h"
#include "cuda/event.h"

// ---- Asking -------------------------------------------------------------------------------------

typedef struct capture_state {
    bool blocked; // the legacy stream, and somebody captures a blocking one
    bool active;  // captures itself
    uint64_t id;  // of the capture; 0 if unknown
} capture_state;

static pixview_status query_capture(const pixviewi_driver *driver, pixview_stream stream,
                                    capture_state *out, pixview_error *err)
{
    int status = 0;
    void *handle = pixviewi_stream_handle(stream);
    *out = (capture_state){.id = 0};
    int code = driver->stream_is_capturing(handle, &status);
    out->blocked = code == CU_CAPTURE_IMPLICIT;
    if (code != CU_SUCCESS && !out->blocked)
        return pixviewi_driver_fail(err, driver, code, "cannot ask a stream for its capture");
    out->active = status != 0; // also one that was broken and not yet ended
    if (status == CU_CAPTURE_ACTIVE && driver->capture_info &&
        driver->capture_info(handle, &status, &out->id, NULL, NULL, NULL) != CU_SUCCESS)
        out->id = 0;
    return PIXVIEW_OK;
}

static pixviewi_stream_relation relate(const capture_state *a, const capture_state *b)
{
    if (a->active && b->active && a->id && a->id == b->id)
        return (pixviewi_stream_relation){PIXVIEWI_STREAMS_ORDERABLE, a->id, true, true};
    if (a->active || b->active)
        return (pixviewi_stream_relation){PIXVIEWI_CAPTURE_MISMATCH, 0, b->active, a->active};
    return (pixviewi_stream_relation){a->blocked || b->blocked ? PIXVIEWI_LEGACY_BLOCKED
                                                               : PIXVIEWI_STREAMS_ORDERABLE,
                                      0, false, false};
}

// Of a stream of another GPU an event could be waited for, but none be recorded at the release.
static pixview_status check_gpu(const pixviewi_scope *scope, pixview_stream stream,
                                pixview_error *err)
{
    const pixviewi_driver *driver = scope->driver;
    void *context = NULL, *popped;
    int device = scope->device;
    if (stream <= PIXVIEWI_STREAM_CUDA_PER_THREAD)
        return PIXVIEW_OK;
    int code = driver->stream_context(pixviewi_stream_handle(stream), &context);
    if (code == CU_SUCCESS && context != scope->context) { // there may be several of one GPU
        code = driver->context_push(context);
        if (code == CU_SUCCESS) {
            code = driver->context_device(&device);
            driver->context_pop(&popped);
        }
    }
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot ask which GPU a stream belongs to");
    if (device == scope->device)
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                         "the stream %#llx belongs to GPU %d, and the memory to GPU %d; pass a "
                         "stream of the memory's GPU",
                         (unsigned long long)stream, device, scope->device);
}

static pixview_status relation_of(const pixviewi_scope *scope, pixview_stream producer,
                                  pixview_stream consumer, pixviewi_stream_relation *relation,
                                  pixview_error *err)
{
    capture_state a, b;
    pixview_status status = check_gpu(scope, producer, err);
    if (status == PIXVIEW_OK)
        status = check_gpu(scope, consumer, err);
    if (status == PIXVIEW_OK)
        status = query_capture(scope->driver, producer, &a, err);
    if (status == PIXVIEW_OK)
        status = query_capture(scope->driver, consumer, &b, err);
    if (status == PIXVIEW_OK)
        *relation = relate(&a, &b);
    return status;
}

static bool nothing_to_order(pixview_stream a, pixview_stream b)
{
    return a == PIXVIEW_STREAM_NONE || b == PIXVIEW_STREAM_NONE || pixviewi_stream_same(a, b);
}

pixview_status pixviewi_cuda_stream_relation(int device, pixview_stream producer,
                                             pixview_stream consumer,
                                             pixviewi_stream_relation *relation, pixview_error *err)
{
    pixviewi_scope scope;
    *relation = (pixviewi_stream_relation){.kind = PIXVIEWI_STREAMS_SAME};
    if (nothing_to_order(producer, consumer))
        return PIXVIEW_OK;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status == PIXVIEW_OK)
        status = relation_of(&scope, producer, consumer, relation, err);
    pixviewi_scope_leave(&scope);
    return status;
}

pixview_status pixviewi_cuda_fail_relation(pixviewi_stream_relation_kind kind,
                                           pixview_stream producer, pixview_stream consumer,
                                           pixview_error *err)
{
    bool apart = kind == PIXVIEWI_CAPTURE_MISMATCH;
    if (apart)
        pixviewi_fail(err, PIXVIEW_E_CUDA,
                      "CUDA_ERROR_STREAM_CAPTURE_ISOLATION (905): one of the streams %#llx and "
                      "%#llx is in a graph capture and the other is not; pass stream= of the "
                      "same capture, or omit stream= to order nothing",
                      (unsigned long long)producer, (unsigned long long)consumer);
    else
        pixviewi_fail(err, PIXVIEW_E_CUDA,
                      "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT (906): the legacy stream cannot be "
                      "ordered while a blocking stream is captured; wait for the capture's end, "
                      "pass stream= of another stream, or -1 for no ordering");
    if (err)
        err->driver_code = apart ? CU_CAPTURE_ISOLATION : CU_CAPTURE_IMPLICIT;
    return PIXVIEW_E_CUDA;
}

static pixview_status refuse_legacy(pixview_error *err)
{
    pixviewi_fail(err, PIXVIEW_E_CUDA,
                  "CUDA_ERROR_STREAM_CAPTURE_IMPLICIT (906): work on the legacy stream would break "
                  "the graph capture of a blocking stream; wait for the capture's end, or pass "
                  "stream= of another stream");
    if (err)
        err->driver_code = CU_CAPTURE_IMPLICIT;
    return PIXVIEW_E_CUDA;
}

static pixview_status refuse_wait(pixview_error *err)
{
    pixviewi_fail(err, PIXVIEW_E_CUDA,
                  "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900): a copy between host and GPU "
                  "waits, which a graph capture does not allow; copy before the capture, or copy "
                  "rows from pinned memory that has an owner");
    if (err)
        err->driver_code = CU_CAPTURE_UNSUPPORTED;
    return PIXVIEW_E_CUDA;
}

pixview_status pixviewi_cuda_check_work(const pixviewi_scope *scope, pixview_stream stream,
                                        pixview_error *err)
{
    capture_state found = {.id = 0};
    pixview_status status = PIXVIEW_OK;
    if (pixviewi_stream_is_legacy(stream))
        status = query_capture(scope->driver, stream, &found, err);
    if (status != PIXVIEW_OK || !found.blocked)
        return status;
    return refuse_legacy(err);
}

pixview_status pixviewi_cuda_captures(const pixviewi_scope *scope, pixview_stream stream,
                                      bool *captures, pixview_error *err)
{
    capture_state found = {.id = 0};
    pixview_status status = query_capture(scope->driver, stream, &found, err);
    *captures = found.active;
    return status;
}

pixview_status pixviewi_cuda_captured_graph(const pixviewi_scope *scope, pixview_stream stream,
                                            void **graph, pixview_error *err)
{
    int status = 0, code;
    uint64_t id;
    const pixviewi_driver *driver = scope->driver;
    *graph = NULL;
    if (!driver->capture_info)
        return PIXVIEW_OK;
    code = driver->capture_info(pixviewi_stream_handle(stream), &status, &id, graph, NULL, NULL);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot ask a capture for its graph");
    if (status != CU_CAPTURE_ACTIVE)
        *graph = NULL;
    return PIXVIEW_OK;
}

pixview_status pixviewi_cuda_check_rows(int device, pixview_stream stream, bool wait,
                                        pixview_error *err)
{
    pixviewi_scope scope;
    capture_state found = {.id = 0};
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status == PIXVIEW_OK)
        status = query_capture(scope.driver, stream, &found, err);
    pixviewi_scope_leave(&scope);
    if (status != PIXVIEW_OK)
        return status;
    if (wait && (found.active || found.blocked))
        return refuse_wait(err);
    return found.blocked ? refuse_legacy(err) : PIXVIEW_OK;
}

// ---- Waiting ------------------------------------------------------------------------------------

static pixview_status wait_for(pixviewi_scope *scope, int device, pixview_stream producer,
                               pixview_stream consumer, pixview_error *err)
{
    const pixviewi_driver *driver = scope->driver;
    pixviewi_event *event;
    assert(!pixviewi_stream_same(producer, consumer));
    pixview_status status = pixviewi_event_take(scope, device, &event, err);
    if (status != PIXVIEW_OK)
        return status;
    int code = driver->event_record(event->handle, pixviewi_stream_handle(producer));
    if (code != CU_SUCCESS) {
        status = pixviewi_driver_fail(err, driver, code, "cannot record an event");
    } else {
        code = driver->stream_wait(pixviewi_stream_handle(consumer), event->handle, 0);
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, driver, code, "cannot make a stream wait");
    }
    pixviewi_event_give(scope, device, event);
    return status;
}

pixview_status pixviewi_cuda_wait(int device, pixview_stream producer, pixview_stream consumer,
                                  pixview_error *err)
{
    pixviewi_scope scope;
    if (nothing_to_order(producer, consumer))
        return PIXVIEW_OK;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status == PIXVIEW_OK)
        status = wait_for(&scope, device, producer, consumer, err);
    pixviewi_scope_leave(&scope);
    return status;
}

pixview_status pixviewi_cuda_order(int device, pixview_stream producer, pixview_stream consumer,
                                   pixviewi_stream_relation *relation, pixview_error *err)
{
    pixviewi_scope scope;
    pixviewi_stream_relation unused;
    if (!relation)
        relation = &unused;
    *relation = (pixviewi_stream_relation){.kind = PIXVIEWI_STREAMS_SAME};
    if (nothing_to_order(producer, consumer))
        return PIXVIEW_OK;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status == PIXVIEW_OK)
        status = relation_of(&scope, producer, consumer, relation, err);
    if (status == PIXVIEW_OK && relation->kind == PIXVIEWI_STREAMS_ORDERABLE)
        status = wait_for(&scope, device, producer, consumer, err);
    pixviewi_scope_leave(&scope);
    return status;
}

// ---- Dependencies of owners ----------------------------------------------------------------------

static bool event_passed(pixviewi_scope *scope, pixviewi_stream_dep *dep)
{
    (void)!pixviewi_scope_relax(scope, NULL); // a query breaks a capture, too
    if (scope->driver->event_query(dep->event->handle) == CU_NOT_READY)
        return false;
    pixviewi_event_give(scope, dep->device, dep->event);
    dep->event = NULL;
    return true;
}

// The order is that of the capture in which the use was noted, or of none. In another capture it
// would miss the work that was queued before.
static bool end_order(pixviewi_scope *scope, const pixviewi_stream_dep *dep)
{
    pixviewi_stream_relation relation;
    assert(!dep->ended && dep->consumer != PIXVIEWI_STREAM_CUDA_PER_THREAD);
    if (relation_of(scope, dep->consumer, dep->home, &relation, NULL) != PIXVIEW_OK) {
        (void)!pixviewi_scope_relax(scope, NULL);
        scope->driver->context_synchronize(); // the stream is gone: its work among all others'
        return true;
    }
    if (relation.kind != PIXVIEWI_STREAMS_ORDERABLE ||
        (relation.capture && relation.capture != dep->capture))
        return false;
    if (pixviewi_stream_same(dep->consumer, dep->home) || // 0 and 1 are one stream
        wait_for(scope, dep->device, dep->consumer, dep->home, NULL) == PIXVIEW_OK)
        return true;
    if (relation.capture) // where the host may not wait
        return false;
    scope->driver->stream_synchronize(pixviewi_stream_handle(dep->consumer));
    return true;
}

static bool end_dep(pixviewi_stream_dep *dep)
{
    pixviewi_scope scope;
    bool ended = true;
    if (!pixviewi_cuda_unusable() &&
        pixviewi_scope_enter(&scope, dep->device, NULL) == PIXVIEW_OK) {
        ended = !pixviewi_scope_same(&scope, dep->context) || // the streams are gone
                (dep->event ? event_passed(&scope, dep) : end_order(&scope, dep));
        pixviewi_scope_leave(&scope);
    }
    if (ended)
        pixviewi_event_forget(dep->event);
    return ended;
}

bool pixviewi_cuda_add_dep_take(pixview_owner *owner, const pixviewi_stream_dep *dep)
{
    pixviewi_stream_dep own = *dep;
    bool ends =
        dep->event || (dep->consumer != PIXVIEW_STREAM_NONE && dep->home != PIXVIEW_STREAM_NONE);
    own.end = ends ? end_dep : NULL;
    own.consumer = pixviewi_stream_on_any_thread(dep->consumer);
    own.home = pixviewi_stream_on_any_thread(dep->home);
    own.context = ends ? pixviewi_cuda_context(dep->device) : 0;
    return pixviewi_owner_add_dep_take(owner, &own);
}

// ---- Holding until an upload is done --------------------------------------------------------------

static void release_waiting(pixview_owner *self)
{
    pixview_owner_unref(*(pixview_owner **)pixviewi_owner_held(self));
}

static pixview_status record_for(pixviewi_scope *scope, int device, pixview_stream stream,
                                 pixview_owner *waiting, pixview_error *err)
{
    pixviewi_stream_dep dep = {
        .consumer = PIXVIEW_STREAM_NONE, .home = PIXVIEW_STREAM_NONE, .device = device};
    pixview_status status = pixviewi_event_take(scope, device, &dep.event, err);
    if (status != PIXVIEW_OK)
        return status;
    int code = scope->driver->event_record(dep.event->handle, pixviewi_stream_handle(stream));
    if (code == CU_SUCCESS && pixviewi_cuda_add_dep_take(waiting, &dep))
        return PIXVIEW_OK;
    pixviewi_event_give(scope, device, dep.event);
    return code == CU_SUCCESS
               ? pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to hold the source of an upload")
               : pixviewi_driver_fail(err, scope->driver, code, "cannot record an event");
}

pixview_status pixviewi_cuda_hold_until(int device, pixview_stream stream, pixview_owner *owner,
                                        pixview_error *err)
{
    pixviewi_scope scope;
    capture_state found;
    pixview_owner *waiting = pixviewi_owner_new(release_waiting);
    if (waiting) {
        pixview_owner_ref(owner);
        *(pixview_owner **)pixviewi_owner_held(waiting) = owner;
    }
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status == PIXVIEW_OK && !waiting)
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to hold the source of an upload");
    if (status == PIXVIEW_OK)
        status = query_capture(scope.driver, stream, &found, err);
    if (status == PIXVIEW_OK && !found.active && !found.blocked)
        status = record_for(&scope, device, stream, waiting, err);
    if (status != PIXVIEW_OK && scope.driver) // the copy is under way all the same
        scope.driver->stream_synchronize(pixviewi_stream_handle(stream));
    pixviewi_scope_leave(&scope);
    pixview_owner_unref(waiting); // which waits for the event
    return status;
}
