// SPDX-License-Identifier: Apache-2.0
// Events that several processes use.
#include <string.h>

#include "cuda/context.h"
#include "cuda/device.h"
#include "cuda/event.h"
#include "cuda/shared.h"
#include "cuda/stream.h"
#include "descriptor/stream.h"

void pixviewi_cuda_drop_event(pixviewi_shared_event *event)
{
    pixviewi_scope scope;
    if (event->event && !pixviewi_cuda_unusable() &&
        pixviewi_scope_enter(&scope, event->device, NULL) == PIXVIEW_OK) {
        (void)!pixviewi_scope_relax(&scope, NULL);
        if (pixviewi_scope_same(&scope, event->context))
            scope.driver->event_destroy(event->event);
        pixviewi_scope_leave(&scope);
    }
    event->event = NULL;
}

static bool is_usable(pixviewi_scope *scope, const pixviewi_shared_event *event)
{
    return event->event && event->device == scope->device &&
           pixviewi_scope_same(scope, event->context);
}

// False: this GPU has none that cross processes.
static bool make(pixviewi_scope *scope, pixviewi_shared_event *event)
{
    const pixviewi_driver *driver = scope->driver;
    int has = 0, handle;
    if (!driver->ipc_get_event || driver->device_get(&handle, scope->device) != CU_SUCCESS ||
        driver->device_attribute(&has, CU_DEVICE_HAS_IPC_EVENT, handle) != CU_SUCCESS || !has)
        return false;
    if (driver->event_create(&event->event, CU_EVENT_INTERPROCESS | CU_EVENT_WITHOUT_TIMING) !=
        CU_SUCCESS) {
        event->event = NULL;
        return false;
    }
    event->device = scope->device;
    event->context = pixviewi_scope_live_context(scope);
    if (driver->ipc_get_event(&event->handle, event->event) == CU_SUCCESS)
        return true;
    driver->event_destroy(event->event);
    event->event = NULL;
    return false;
}

static pixview_status record(pixviewi_scope *scope, pixview_stream stream,
                             pixviewi_shared_event *event, bool *waited, pixview_error *err)
{
    const pixviewi_driver *driver = scope->driver;
    pixview_status status = pixviewi_scope_relax(scope, err);
    if (status != PIXVIEW_OK)
        return status;
    *waited = !make(scope, event);
    int code = *waited ? driver->stream_synchronize(pixviewi_stream_handle(stream))
                       : driver->event_record(event->event, pixviewi_stream_handle(stream));
    return code == CU_SUCCESS
               ? PIXVIEW_OK
               : pixviewi_driver_fail(err, driver, code, "cannot note the work on a shared image");
}

pixview_status pixviewi_cuda_record_shared(int device, pixview_stream stream,
                                           pixviewi_shared_event *event, bool *waited,
                                           pixview_error *err)
{
    pixviewi_scope scope;
    *waited = stream == PIXVIEW_STREAM_NONE;
    if (*waited)
        return PIXVIEW_OK;
    // In a capture the work is done by no launch yet, and a replay would tell nobody.
    pixview_status status = pixviewi_cuda_check_rows(device, stream, true, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    if (is_usable(&scope, event)) {
        void *handle = pixviewi_stream_handle(stream);
        bool same = pixviewi_stream_same(stream, event->stream) &&
                    stream != PIXVIEWI_STREAM_CUDA_PER_THREAD; // one for each thread
        int code = same ? CU_SUCCESS : scope.driver->stream_wait(handle, event->event, 0);
        if (code == CU_SUCCESS)
            code = scope.driver->event_record(event->event, handle);
        if (code != CU_SUCCESS)
            status = pixviewi_driver_fail(err, scope.driver, code,
                                          "cannot note the work on a shared image");
    } else {
        pixviewi_scope_leave(&scope);
        pixviewi_cuda_drop_event(event);
        status = pixviewi_scope_enter(&scope, device, err);
        if (status == PIXVIEW_OK)
            status = record(&scope, stream, event, waited, err);
    }
    pixviewi_scope_leave(&scope);
    if (status == PIXVIEW_OK)
        event->stream = stream;
    return status;
}

pixview_status pixviewi_cuda_open_event(int device, const pixviewi_ipc_handle *handle,
                                        pixviewi_shared_event *event, pixview_error *err)
{
    pixviewi_scope scope;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    bool same = is_usable(&scope, event) && memcmp(&event->handle, handle, sizeof *handle) == 0;
    pixviewi_scope_leave(&scope);
    if (same)
        return PIXVIEW_OK;
    pixviewi_cuda_drop_event(event);
    status = pixviewi_scope_enter(&scope, device, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_scope_relax(&scope, err);
    if (status == PIXVIEW_OK) {
        int code = scope.driver->ipc_open_event
                       ? scope.driver->ipc_open_event(&event->event, *handle)
                       : CU_INVALID_VALUE;
        if (code == CU_SUCCESS) {
            event->device = device;
            event->context = pixviewi_scope_live_context(&scope);
            event->handle = *handle;
        } else {
            event->event = NULL;
            status = pixviewi_driver_fail(
                err, scope.driver, code,
                "cannot open the event of the process that sent the image; is it gone?");
        }
    }
    pixviewi_scope_leave(&scope);
    return status;
}

// Through a stream of the event's own GPU: the driver crashes on a wait of another GPU's stream for an event that
// another process made.
static pixview_status wait_across(int device, pixview_stream stream,
                                  const pixviewi_shared_event *event, pixview_error *err)
{
    pixviewi_scope scope;
    pixviewi_event *between = NULL;
    void *own = pixviewi_stream_handle(PIXVIEWI_STREAM_CUDA_PER_THREAD);
    int code = CU_SUCCESS;
    pixview_status status = pixviewi_scope_enter(&scope, event->device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixviewi_event_take(&scope, event->device, &between, err);
    if (status == PIXVIEW_OK)
        code = scope.driver->stream_wait(own, event->event, 0);
    if (status == PIXVIEW_OK && code == CU_SUCCESS)
        code = scope.driver->event_record(between->handle, own);
    pixviewi_scope_leave(&scope);
    pixviewi_scope other;
    if (status == PIXVIEW_OK && code == CU_SUCCESS)
        status = pixviewi_scope_enter(&other, device, err);
    if (status == PIXVIEW_OK && code == CU_SUCCESS) {
        code = other.driver->stream_wait(pixviewi_stream_handle(stream), between->handle, 0);
        pixviewi_scope_leave(&other);
    }
    if (status == PIXVIEW_OK && code != CU_SUCCESS)
        status = pixviewi_driver_fail(err, pixviewi_driver_get(NULL), code,
                                      "cannot wait for the work of another process");
    if (between && pixviewi_scope_enter(&scope, event->device, NULL) == PIXVIEW_OK) {
        pixviewi_event_give(&scope, event->device, between);
        pixviewi_scope_leave(&scope);
    }
    return status;
}

pixview_status pixviewi_cuda_wait_shared(int device, pixview_stream stream,
                                         const pixviewi_shared_event *event, pixview_error *err)
{
    pixviewi_scope scope;
    if (stream == PIXVIEW_STREAM_NONE || !event->event)
        return PIXVIEW_OK;
    // A captured wait would be for what was recorded then, at every replay.
    pixview_status status = pixviewi_cuda_check_rows(device, stream, true, err);
    if (status == PIXVIEW_OK && device != event->device)
        return wait_across(device, stream, event, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    int code = scope.driver->stream_wait(pixviewi_stream_handle(stream), event->event, 0);
    if (code != CU_SUCCESS)
        status = pixviewi_driver_fail(err, scope.driver, code,
                                      "cannot wait for the work of another process");
    pixviewi_scope_leave(&scope);
    return status;
}
