// SPDX-License-Identifier: Apache-2.0
// Every status code has a call that gives it, and a name.
#include "fake.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

// Fails the next allocation: the test is linked with --wrap=malloc.
static bool no_memory;
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_malloc(size_t size) { return no_memory ? NULL : __real_malloc(size); }

static void release_nothing(void *ctx) { (void)ctx; }

int main(void)
{
    static uint8_t pixels[64];
    pixview_image image = make_image(pixels, PIXVIEW_LAYOUT_HW, LIST(4, 4), NULL, U8, CPU),
                  other = image;
    pixview_image far = image;
    far.device = (pixview_device){99, 0};
    pixview_owner *owner;
    struct DLManagedTensorVersioned tensor = {.version = {2, 0}};
    other.flags = PIXVIEW_FLAG_READ_ONLY;
    use_fake_driver(1);

    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL", pixview_copy(NULL, &image, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "not inside the image",
                  pixview_image_crop(&image, 0, 0, 5, 5, &other, err));
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "big-endian", pixview_typestr_parse(">f4", &image.dtype, err));
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "99", pixview_copy(&image, &far, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_READONLY, "read-only", pixview_copy(&image, &other, NULL, err));
    REQUIRE_FAILS(PIXVIEW_E_UNSUPPORTED, "2.0",
                  pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_HW, &other, err));
    fake_fail_call("cuInit", 999);
    REQUIRE_FAILS(PIXVIEW_E_CUDA, "999",
                  pixview_copy(&image,
                               &(pixview_image){.data = pixels + 32,
                                                .shape = {1, 4, 4, 1},
                                                .strides = {16, 4, 1, 1},
                                                .dtype = U8,
                                                .device = GPU0},
                               NULL, err));
    no_memory = true;
    REQUIRE_FAILS(PIXVIEW_E_MEMORY, "memory",
                  pixview_owner_create(NULL, release_nothing, &owner, err));
    REQUIRE(owner == NULL);

    REQUIRE_INT(pixview_version(), PIXVIEW_VERSION_MAJOR * 10000 + PIXVIEW_VERSION_MINOR * 100 +
                                       PIXVIEW_VERSION_PATCH);
    REQUIRE_TEXT(pixview_status_name(PIXVIEW_OK), "PIXVIEW_OK");
    REQUIRE_TEXT(pixview_status_name(PIXVIEW_E_MEMORY), "PIXVIEW_E_MEMORY");
    REQUIRE_TEXT(pixview_status_name(1), "PIXVIEW_E_?");
    // Another code after the last: add a call for it above, then count it here.
    REQUIRE_TEXT(pixview_status_name(PIXVIEW_E_TIMEOUT - 1), "PIXVIEW_E_?");
    return 0;
}
