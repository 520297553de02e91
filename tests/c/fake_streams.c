// SPDX-License-Identifier: Apache-2.0
// The fake driver's streams, captures and events.
#include "fake_state.h"

enum { FIRST_STREAM = 0x1000, STREAM_STEP = 0x100 };

static struct stream *find_stream(uint64_t handle)
{
    if (handle == PER_THREAD)
        return &fake.own_stream;
    uint64_t index = (handle - FIRST_STREAM) / STREAM_STEP;
    if (handle < FIRST_STREAM || handle % STREAM_STEP || index >= (uint64_t)fake.stream_count)
        return NULL;
    if (fake.streams[index].dead) { // where the driver would crash
        fake.dead_uses++;
        return NULL;
    }
    return &fake.streams[index];
}

int check_stream(uint64_t handle)
{
    if (!thread.depth)
        return INVALID_CONTEXT;
    if (handle <= PER_THREAD)
        return OK;
    const struct stream *stream = find_stream(handle);
    return stream && stream->device == fake_current_device() ? OK : INVALID_HANDLE;
}

int capturing(void)
{
    for (int i = 0; i < fake.stream_count; i++)
        if (fake.streams[i].capture == ACTIVE)
            return 1;
    return 0;
}

void break_captures(void)
{
    for (int i = 0; i < fake.stream_count; i++)
        if (fake.streams[i].capture == ACTIVE)
            fake.streams[i].capture = BROKEN;
}

static int legacy_blocked(void)
{
    for (int i = 0; i < fake.stream_count; i++)
        if (fake.streams[i].capture == ACTIVE && !fake.streams[i].non_blocking)
            return 1;
    return 0;
}

int touch_legacy(uint64_t handle)
{
    if (handle > LEGACY || !legacy_blocked())
        return OK;
    break_captures();
    return CAPTURE_IMPLICIT;
}

uint64_t fake_stream(int device)
{
    if (fake.stream_count == MAX_STREAMS)
        give_up("too many streams");
    fake.streams[fake.stream_count].device = device;
    return FIRST_STREAM + STREAM_STEP * (uint64_t)fake.stream_count++;
}
uint64_t fake_stream_non_blocking(int device)
{
    uint64_t handle = fake_stream(device);
    find_stream(handle)->non_blocking = 1;
    return handle;
}
void fake_destroy_stream(uint64_t handle)
{
    struct stream *stream = find_stream(handle);
    if (stream)
        stream->dead = 1;
}
int fake_dead_uses(void) { return fake.dead_uses; }
void fake_set_capture(uint64_t handle, int status, uint64_t id)
{
    struct stream *stream = find_stream(handle);
    if (!stream)
        give_up("no such stream");
    stream->capture = status;
    stream->id = id;
}
int fake_capture_status(uint64_t handle)
{
    const struct stream *stream = find_stream(handle);
    return stream ? stream->capture : -1;
}
int fake_waited(uint64_t consumer, uint64_t producer)
{
    for (int i = 0; i < fake.wait_count; i++)
        if (fake.waits[i].consumer == (consumer ? consumer : LEGACY) &&
            fake.waits[i].producer == (producer ? producer : LEGACY))
            return 1;
    return 0;
}
int fake_wait_count(void) { return fake.wait_count; }
int fake_ipc_waits(void) { return fake.ipc_waits; }
int fake_live_events(void) { return fake.live_events; }
void fake_set_pending(int queries) { fake.pending_queries = queries; }

uint64_t capture_of(uint64_t handle)
{
    const struct stream *stream = find_stream(handle);
    return stream && stream->capture == ACTIVE ? stream->id : 0;
}

API cuStreamGetCtx(void *handle, void **context)
{
    ENTER(NULL);
    const struct stream *stream = find_stream((uintptr_t)handle);
    if (!stream)
        return INVALID_HANDLE;
    *context = &contexts[stream->device];
    return OK;
}
API cuThreadExchangeStreamCaptureMode(int *mode)
{
    ENTER(NULL);
    int before = thread.mode;
    thread.mode = *mode;
    *mode = before;
    return OK;
}
API cuStreamIsCapturing(void *handle, int *status)
{
    ENTER(NULL);
    const struct stream *stream = find_stream((uintptr_t)handle);
    if ((uintptr_t)handle <= LEGACY && legacy_blocked())
        return CAPTURE_IMPLICIT; // and harms nothing
    *status = stream ? stream->capture : 0;
    return OK;
}
API cuStreamGetCaptureInfo_v2(void *handle, int *status, uint64_t *id, void **graph,
                              const void ***dependencies, size_t *count)
{
    ENTER(NULL);
    if (dependencies || count)
        return INVALID_VALUE; // not made up here
    const struct stream *stream = find_stream((uintptr_t)handle);
    *status = stream ? stream->capture : 0;
    if (stream)
        *id = stream->id;
    if (graph && stream && stream->capture == ACTIVE)
        *graph = graph_of(stream->id);
    return OK;
}
API cuStreamSynchronize(void *handle)
{
    ENTER("sync");
    struct stream *stream = find_stream((uintptr_t)handle);
    if (stream && stream->capture) {
        stream->capture = BROKEN; // in relaxed mode as well
        return CAPTURE_UNSUPPORTED;
    }
    int code = check_stream((uintptr_t)handle);
    return code ? code : touch_legacy((uintptr_t)handle);
}
API cuCtxSynchronize(void)
{
    ENTER("sync");
    return OK;
}
static fake_event *unused_event(void)
{
    static fake_event events[1024];
    for (int i = 0; i < 1024; i++)
        if (!__atomic_exchange_n(&events[i].used, 1, __ATOMIC_SEQ_CST))
            return &events[i];
    give_up("too many events");
}
fake_event *new_event(void)
{
    fake_event *made = unused_event();
    made->device = fake_current_device();
    made->resets = fake.resets[made->device];
    __atomic_add_fetch(&fake.live_events, 1, __ATOMIC_SEQ_CST);
    return made;
}
static void forget_event(fake_event *event)
{
    drop_shared_event(event);
    memset(event, 0, sizeof(fake_event));
    __atomic_sub_fetch(&fake.live_events, 1, __ATOMIC_SEQ_CST);
}
API cuEventCreate(void **event, unsigned flags)
{
    ENTER(NULL);
    if (!thread.depth)
        return INVALID_CONTEXT;
    if (flags == CU_EVENT_INTERPROCESS)
        return INVALID_VALUE; // it cannot have timing
    if ((flags & ~(unsigned)CU_EVENT_INTERPROCESS) != CU_EVENT_WITHOUT_TIMING)
        give_up("an event with timing: it costs time on the GPU");
    if (flags & CU_EVENT_INTERPROCESS && !is_shareable(FAKE_IPC_EVENT))
        return NOT_SUPPORTED;
    fake_event *made = new_event();
    if (flags & CU_EVENT_INTERPROCESS && !share_event(made)) {
        forget_event(made);
        return OUT_OF_MEMORY;
    }
    *event = made;
    return OK;
}
static void check_event(const fake_event *event)
{
    if (event->resets != fake.resets[event->device])
        give_up("an event of a context that was reset");
}
API cuEventDestroy_v2(void *event)
{
    ENTER(NULL);
    check_event(event);
    forget_event(event);
    return OK;
}
API cuEventQuery(void *event)
{
    ENTER("query");
    check_event(event);
    if (thread.mode != RELAXED && capturing()) {
        break_captures();
        return CAPTURE_UNSUPPORTED;
    }
    if (fake.pending_queries == 0)
        return OK;
    fake.pending_queries--;
    return NOT_READY;
}
// When it returns nothing is pending any more.
API cuEventSynchronize(void *event)
{
    ENTER("sync");
    check_event(event);
    if (thread.mode != RELAXED && capturing()) {
        break_captures();
        return CAPTURE_UNSUPPORTED;
    }
    fake.pending_queries = 0;
    return OK;
}
API cuEventRecord(void *handle, void *on)
{
    ENTER("record");
    fake_event *event = handle;
    check_event(event);
    int code = check_stream((uintptr_t)on);
    if (code)
        return code;
    if (event->device != fake_current_device())
        return INVALID_HANDLE;
    code = touch_legacy((uintptr_t)on);
    if (code)
        return code;
    const struct stream *stream = find_stream((uintptr_t)on);
    event->recorded = (uintptr_t)on ? (uintptr_t)on : LEGACY;
    event->id = stream && stream->capture ? stream->id : 0;
    if (event->shared)
        note_shared_record(event, event->recorded);
    return OK;
}
static void note_wait(uint64_t consumer, uint64_t producer)
{
    pthread_mutex_lock(&fake.lock);
    fake.ipc_waits += producer == FAKE_IPC_STREAM;
    if (producer && fake.wait_count < MAX_WAITS) {
        fake.waits[fake.wait_count].consumer = consumer;
        fake.waits[fake.wait_count++].producer = producer;
    }
    pthread_mutex_unlock(&fake.lock);
}
API cuStreamWaitEvent(void *consumer, void *handle, unsigned flags)
{
    ENTER("wait");
    const fake_event *event = handle;
    int code = touch_legacy((uintptr_t)consumer);
    if (code || flags)
        return code ? code : INVALID_VALUE;
    const struct stream *stream = find_stream((uintptr_t)consumer);
    uint64_t id = stream && stream->capture ? stream->id : 0;
    if (id != event->id) { // a wait on what another capture, or none, recorded
        break_captures();
        return CAPTURE_ISOLATION;
    }
    note_wait(consumer ? (uintptr_t)consumer : LEGACY,
              event->shared ? shared_producer(event) : event->recorded);
    return OK;
}
