// SPDX-License-Identifier: Apache-2.0
// Devices: which there are, whose a pointer or stream is, and what goes on in their contexts.
#include "cuda/device.h"

#include "cuda/context.h"
#include "cuda/event.h"
#include "cuda/module.h"
#include "descriptor/owner.h"

pixview_status pixviewi_cuda_describe(int device, char name[128], int *major, int *minor,
                                      int *driver_version, pixview_error *err)
{
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    int handle = 0, version = 0, capability[2] = {0, 0};
    char text[128] = "";
    int code = driver->device_get(&handle, device);
    if (code == CU_SUCCESS)
        code = driver->device_name(text, sizeof text, handle);
    if (code == CU_SUCCESS)
        code = driver->device_attribute(&capability[0], CU_COMPUTE_MAJOR, handle);
    if (code == CU_SUCCESS)
        code = driver->device_attribute(&capability[1], CU_COMPUTE_MINOR, handle);
    if (code == CU_SUCCESS)
        code = driver->driver_version(&version);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot describe the GPU");
    if (name)
        __builtin_memcpy(name, text, sizeof text);
    if (major)
        *major = capability[0];
    if (minor)
        *minor = capability[1];
    if (driver_version)
        *driver_version = version;
    return PIXVIEW_OK;
}

bool pixviewi_cuda_unusable(void) { return pixviewi_exiting() || pixviewi_driver_forked(); }

pixview_status pixviewi_cuda_device_count(int *count, pixview_error *err)
{
    *count = 0;
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    *count = driver->count;
    return PIXVIEW_OK;
}

// ---- Whose ------------------------------------------------------------------------------------

// Both in one question where a context is current, which only that one needs. What is not the
// driver's is of type 0 there, and an error otherwise.
static int ask_type_and_device(const pixviewi_driver *driver, uint64_t address, unsigned *type,
                               int *device)
{
    int attributes[] = {CU_POINTER_MEMORY_TYPE, CU_POINTER_DEVICE_ORDINAL};
    void *values[] = {type, device};
    int code = driver->pointer_attributes(2, attributes, values, address);
    if (code != CU_INVALID_CONTEXT)
        return code;
    code = driver->pointer_attribute(type, CU_POINTER_MEMORY_TYPE, address);
    return code == CU_SUCCESS
               ? driver->pointer_attribute(device, CU_POINTER_DEVICE_ORDINAL, address)
               : code;
}

static pixview_status ask_pointer(const pixviewi_driver *driver, const void *ptr, int *device,
                                  pixview_error *err)
{
    uint64_t address = (uint64_t)(uintptr_t)ptr;
    unsigned type = 0, managed = 0;
    int found = 0;
    int code = ask_type_and_device(driver, address, &type, &found);
    if (code == CU_SUCCESS && type == CU_MEMORY_HOST) // managed memory may say so too
        code = driver->pointer_attribute(&managed, CU_POINTER_IS_MANAGED, address);
    if (code == CU_INVALID_VALUE || (code == CU_SUCCESS && type != CU_MEMORY_DEVICE && !managed))
        return pixviewi_fail(err, PIXVIEW_E_DEVICE, "%p is not GPU memory", ptr);
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot ask which GPU a pointer belongs to");
    *device = found;
    return PIXVIEW_OK;
}

pixview_status pixviewi_cuda_query_pointer(const void *ptr, int *device, pixview_error *err)
{
    *device = 0;
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    return driver->count == 1 ? PIXVIEW_OK : ask_pointer(driver, ptr, device, err);
}

pixview_status pixviewi_cuda_stream_device(pixview_stream stream, int *device, pixview_error *err)
{
    void *context = NULL, *popped;
    *device = 0;
    const pixviewi_driver *driver = pixviewi_driver_get(err);
    if (!driver)
        return PIXVIEW_E_CUDA;
    int code = driver->stream_context(pixviewi_stream_handle(stream), &context);
    if (code == CU_SUCCESS)
        code = driver->context_push(context);
    if (code == CU_SUCCESS) {
        code = driver->context_device(device);
        driver->context_pop(&popped);
    }
    if (code != CU_SUCCESS)
        return pixviewi_driver_fail(err, driver, code, "cannot ask which GPU a stream belongs to");
    return PIXVIEW_OK;
}

int pixviewi_cuda_current_device(void)
{
    const pixviewi_driver *driver = pixviewi_driver_get(NULL);
    int device;
    return driver && driver->context_device(&device) == CU_SUCCESS ? device : 0;
}

// ---- Contexts ---------------------------------------------------------------------------------

uint64_t pixviewi_cuda_context(int device)
{
    pixviewi_scope scope;
    if (device < 0 || device >= PIXVIEWI_MAX_DEVICES)
        return 0;
    uint64_t id = pixviewi_context_seen(device);
    if (id != 0 || !pixviewi_driver_get(NULL) ||
        pixviewi_scope_enter(&scope, device, NULL) != PIXVIEW_OK)
        return id;
    id = pixviewi_scope_live_context(&scope);
    pixviewi_scope_leave(&scope);
    return id;
}

bool pixviewi_cuda_same_context(int device, uint64_t before)
{
    pixviewi_scope scope;
    if (!before || pixviewi_scope_enter(&scope, device, NULL) != PIXVIEW_OK)
        return true;
    bool same = pixviewi_scope_same(&scope, before);
    pixviewi_scope_leave(&scope);
    return same;
}

void pixviewi_cuda_with_device(int device, void (*call)(void *arg), void *arg)
{
    pixviewi_scope scope;
    bool entered = pixviewi_scope_enter(&scope, device, NULL) == PIXVIEW_OK;
    if (entered)
        (void)!pixviewi_scope_relax(&scope, NULL);
    call(arg);
    if (entered)
        pixviewi_scope_leave(&scope);
}

pixview_status pixviewi_cuda_warm_up(int device, pixview_error *err)
{
    pixviewi_scope scope;
    pixviewi_event *event;
    pixview_status status = pixviewi_scope_enter(&scope, device, err);
    if (status != PIXVIEW_OK)
        return status;
    status = pixviewi_event_take(&scope, device, &event, err);
    if (status == PIXVIEW_OK)
        pixviewi_event_give(&scope, device, event);
    pixviewi_scope_leave(&scope);
    if (status == PIXVIEW_OK && pixviewi_cuda_has_kernels())
        status = pixviewi_cuda_load_kernels(device, err);
    return status;
}
