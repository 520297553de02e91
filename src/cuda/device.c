// What a GPU is called and can.
#include "cuda/driver.h"

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
