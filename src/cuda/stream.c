// One stream waits for another, without the host.
//
// Events are kept per thread and device: recording one again is right as soon as the wait for it
// was queued, and no lock is needed. A thread's events go when it ends.
#include <pthread.h>
#include <stdlib.h>

#include "driver.h"

typedef struct thread_events {
    void *events[PIXVIEWI_MAX_DEVICES];
} thread_events;

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static int key_failed;

static void drop_events(void *value)
{
    thread_events *mine = value;
    const pixviewi_driver *driver = pixviewi_cuda_gone() ? NULL : pixviewi_driver_get(NULL);
    for (int device = 0; driver && device < driver->count && device < PIXVIEWI_MAX_DEVICES;
         device++) {
        pixviewi_scope scope;
        if (mine->events[device] && pixviewi_scope_enter(&scope, device, NULL) == PIXVIEW_OK) {
            (void)!pixviewi_scope_relax(&scope, NULL);
            driver->event_destroy(mine->events[device]);
            pixviewi_scope_leave(&scope);
        }
    }
    free(mine);
}

static void make_key(void) { key_failed = pthread_key_create(&key, drop_events); }

// This thread's event for `device`, whose context is current.
static pixview_status thread_event(pixviewi_scope *scope, int device, void **event,
                                   pixview_error *err)
{
    pthread_once(&key_once, make_key);
    thread_events *mine = key_failed ? NULL : pthread_getspecific(key);
    if (!mine && !key_failed) {
        mine = calloc(1, sizeof *mine);
        if (mine && pthread_setspecific(key, mine) != 0) {
            free(mine);
            mine = NULL;
        }
    }
    if (!mine)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for this thread's events");
    if (!mine->events[device]) {
        pixview_status status = pixviewi_scope_relax(scope, err);
        if (status != PIXVIEW_OK)
            return status;
        const pixviewi_driver *driver = scope->driver;
        int code = driver->event_create(&mine->events[device], CU_EVENT_WITHOUT_TIMING);
        if (code != CU_SUCCESS) {
            mine->events[device] = NULL;
            return pixviewi_driver_fail(err, driver, code, "cannot create an event");
        }
    }
    *event = mine->events[device];
    return PIXVIEW_OK;
}

// May an event join the two streams now? Outside of any capture, and inside one that both belong
// to, yes. Where exactly one of the two captures, an event would pull the other stream into the
// graph or break the capture; and an event on the legacy stream breaks the capture of every
// blocking stream (the driver answers 906 when asked about it, which harms nothing). There nothing
// is ordered: what a graph reads has to be ready before it is replayed.
static pixview_status may_order(const pixviewi_driver *driver, void *producer, void *consumer,
                                bool *may, pixview_error *err)
{
    void *streams[2] = {producer, consumer};
    int status[2] = {0, 0};
    *may = false;
    for (int i = 0; i < 2; i++) {
        int code = driver->stream_is_capturing(streams[i], &status[i]);
        if (code == CU_CAPTURE_IMPLICIT)
            return PIXVIEW_OK;
        if (code != CU_SUCCESS)
            return pixviewi_driver_fail(err, driver, code,
                                        i ? "cannot ask the consumer's stream for its capture"
                                          : "cannot ask the producer's stream for its capture");
    }
    *may = status[0] == 0 && status[1] == 0;
    if (status[0] != CU_CAPTURE_ACTIVE || status[1] != CU_CAPTURE_ACTIVE || !driver->capture_info)
        return PIXVIEW_OK;
    uint64_t ids[2] = {0, 0};
    for (int i = 0; i < 2; i++)
        if (driver->capture_info(streams[i], &status[i], &ids[i], NULL, NULL, NULL) != CU_SUCCESS)
            return PIXVIEW_OK;
    *may = ids[0] == ids[1];
    return PIXVIEW_OK;
}

pixview_status pixviewi_cuda_order(int device, pixview_stream producer, pixview_stream consumer,
                                   pixview_error *err)
{
    if (producer == PIXVIEW_STREAM_NONE || consumer == PIXVIEW_STREAM_NONE ||
        pixviewi_stream_normal(producer) == pixviewi_stream_normal(consumer))
        return PIXVIEW_OK;
    pixviewi_scope scope;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    const pixviewi_driver *driver = scope.driver;
    void *from = pixviewi_stream_handle(producer), *to = pixviewi_stream_handle(consumer);
    void *event = NULL;
    bool may;
    status = may_order(driver, from, to, &may, err);
    if (status != PIXVIEW_OK || !may)
        goto end;
    status = thread_event(&scope, device, &event, err);
    if (status != PIXVIEW_OK)
        goto end;
    int code = driver->event_record(event, from);
    if (code != CU_SUCCESS) {
        status = pixviewi_driver_fail(err, driver, code, "cannot record an event");
        goto end;
    }
    code = driver->stream_wait(to, event, 0);
    if (code != CU_SUCCESS)
        status = pixviewi_driver_fail(err, driver, code, "cannot make the consumer's stream wait");
end:
    pixviewi_scope_leave(&scope);
    return status;
}
