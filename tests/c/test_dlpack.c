// SPDX-License-Identifier: Apache-2.0
// DLPack: what is read from a tensor, what is written into one, and who frees what, how often.
#include "harness.h"

#include "cuda/device.h"
#include "cuda/memory.h"
#include "cuda/module.h"
#include "cuda/stream.h"

static float pixels[1024] __attribute__((aligned(64)));
static int deleted;

// ---- import -----------------------------------------------------------------------------------

static void count_versioned(DlManaged *self)
{
    (void)self;
    deleted++;
}

static void count_legacy(DlManagedLegacy *self)
{
    (void)self;
    deleted++;
}

static int64_t a_shape[4] = {3, 4, 5, 0}, a_strides[4] = {1, 16, 3, 0};

static DlManaged a_tensor(void)
{
    deleted = 0;
    return (DlManaged){
        .version = {1, 0},
        .deleter = count_versioned,
        .tensor = {.data = pixels,
                   .device = {PIXVIEW_DEVICE_CPU, 0},
                   .ndim = 3,
                   .dtype = {PIXVIEW_DTYPE_FLOAT, 32, 1},
                   .shape = a_shape,
                   .strides = a_strides},
    };
}

static void test_import(void)
{
    pixview_image image;
    DlManaged tensor = a_tensor();
    tensor.flags = DL_FLAG_READ_ONLY | DL_FLAG_IS_COPIED;
    tensor.tensor.byte_offset = 8;
    REQUIRE_OK(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err));
    REQUIRE_PTR(image.data, pixels + 2);
    REQUIRE_INT(image.shape[PIXVIEW_AXIS_C], 3);
    REQUIRE_INT(image.strides[PIXVIEW_AXIS_C], 4);
    REQUIRE_INT(image.strides[PIXVIEW_AXIS_H], 64);
    REQUIRE_INT(image.strides[PIXVIEW_AXIS_W], 12);
    REQUIRE_INT(image.flags, PIXVIEW_FLAG_READ_ONLY);
    pixview_owner_ref(image.owner);
    pixview_owner_unref(image.owner);
    REQUIRE_INT(deleted, 0);
    pixview_owner_unref(image.owner);
    REQUIRE_INT(deleted, 1);

    DlManagedLegacy legacy = {.tensor = a_tensor().tensor, .deleter = count_legacy};
    legacy.tensor.strides = NULL; // packed, before DLPack 1.2
    REQUIRE_OK(pixview_image_from_dlpack_legacy_take(&legacy, PIXVIEW_LAYOUT_CHW, &image, err));
    REQUIRE(pixview_image_is_packed(&image, PIXVIEW_LAYOUT_CHW));
    REQUIRE_INT(image.flags, 0);
    pixview_owner_unref(image.owner);
    REQUIRE_INT(deleted, 1);

    tensor = a_tensor();
    tensor.deleter = NULL; // allowed
    tensor.tensor.device = (DlDevice){PIXVIEW_DEVICE_CUDA_MANAGED, 3};
    REQUIRE_OK(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err));
    REQUIRE_INT(image.device.type, PIXVIEW_DEVICE_CUDA_MANAGED);
    REQUIRE_INT(image.device.id, 3);
    pixview_owner_unref(image.owner);
}

static void test_import_empty(void)
{
    pixview_image image;
    DlManaged tensor = a_tensor();
    int64_t shape[3] = {3, 0, 5}, strides[3] = {1, INT64_MAX, INT64_MIN};
    tensor.tensor.data = NULL;
    tensor.tensor.byte_offset = 64;
    tensor.tensor.shape = shape;
    tensor.tensor.strides = NULL;
    REQUIRE_OK(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err));
    REQUIRE(pixview_image_is_empty(&image));
    pixview_owner_unref(image.owner);
    // The stride of an axis of extent 1 may be anything.
    shape[1] = 1, shape[2] = 1;
    tensor = a_tensor();
    tensor.tensor.shape = shape, tensor.tensor.strides = strides;
    REQUIRE_OK(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err));
    pixview_owner_unref(image.owner);
}

#define TAKE(change)                \
    (tensor = a_tensor(), (change), \
     pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err))

static void test_import_refused(void)
{
    pixview_image image;
    DlManaged tensor = a_tensor();
    int64_t far[3] = {INT64_MAX / 2, 16, 3};
    REQUIRE_FAILS(PIXVIEW_E_DEVICE, "type 10", TAKE(tensor.tensor.device.type = 10));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "rank 2", TAKE(tensor.tensor.ndim = 2));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "5 axes", TAKE(tensor.tensor.ndim = 5));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "-1 axes", TAKE(tensor.tensor.ndim = -1));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "shape is NULL", TAKE(tensor.tensor.shape = NULL));
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "2 lanes", TAKE(tensor.tensor.dtype.lanes = 2));
    REQUIRE_FAILS(PIXVIEW_E_DTYPE, "code 12", TAKE(tensor.tensor.dtype.code = 12));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "alignment 4", TAKE(tensor.tensor.byte_offset = 2));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "NULL", TAKE(tensor.tensor.data = NULL));
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "address space", TAKE(tensor.tensor.strides = far));
    REQUIRE_INT(deleted, 0); // still the caller's
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL",
                  pixview_image_from_dlpack_take(NULL, PIXVIEW_LAYOUT_CHW, &image, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "NULL",
                  pixview_image_from_dlpack_legacy_take(NULL, PIXVIEW_LAYOUT_CHW, &image, err));

    // Another major version: only the deleter may be touched, and has to be called.
    REQUIRE_FAILS(PIXVIEW_E_UNSUPPORTED, "2.1", TAKE(tensor.version = ((DlVersion){2, 1})));
    REQUIRE_INT(deleted, 1);
}

// ---- export -----------------------------------------------------------------------------------

static int released;

static void release(void *ctx)
{
    (void)ctx;
    released++;
}

static pixview_image owned_image(void)
{
    pixview_image image =
        make_image(pixels, PIXVIEW_LAYOUT_HWC, LIST(4, 5, 3), LIST(64, 12, 4), F32, CPU);
    released = 0;
    REQUIRE_OK(pixview_owner_create(NULL, release, &image.owner, err));
    return image;
}

static void test_export(void)
{
    pixview_image image = owned_image();
    DlManaged *tensor = NULL;
    image.flags = PIXVIEW_FLAG_READ_ONLY;
    REQUIRE_OK(pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_NCHW, &tensor, err));
    pixview_owner_unref(image.owner);
    REQUIRE_INT(released, 0); // the tensor counts
    REQUIRE_INT(tensor->version.major, 1);
    REQUIRE_INT(tensor->flags, DL_FLAG_READ_ONLY);
    REQUIRE_PTR(tensor->tensor.data, pixels);
    REQUIRE_INT(tensor->tensor.byte_offset, 0);
    REQUIRE_INT(tensor->tensor.ndim, 4);
    const int64_t shape[4] = {1, 3, 4, 5}, strides[4] = {3, 1, 16, 3}; // elements
    for (int i = 0; i < 4; i++) {
        REQUIRE_INT(tensor->tensor.shape[i], shape[i]);
        REQUIRE_INT(tensor->tensor.strides[i], strides[i]);
    }
    DlManaged copy = *tensor; // as CV-CUDA does
    memset(tensor, 0, offsetof(DlManaged, tensor));
    copy.deleter(&copy);
    REQUIRE_INT(released, 1);
}

static void test_export_legacy(void)
{
    pixview_image image = owned_image();
    DlManagedLegacy *tensor = NULL;
    REQUIRE_OK(pixview_image_to_dlpack_legacy(&image, PIXVIEW_LAYOUT_HWC, &tensor, err));
    REQUIRE_INT(tensor->tensor.ndim, 3);
    REQUIRE_INT(tensor->tensor.strides[0], 16);
    DlManagedLegacy copy = *tensor;
    memset(tensor, 0, sizeof *tensor);
    copy.deleter(&copy);
    REQUIRE_INT(released, 0);
    image.flags = PIXVIEW_FLAG_READ_ONLY;
    tensor = &copy;
    REQUIRE_FAILS(PIXVIEW_E_READONLY, "read-only",
                  pixview_image_to_dlpack_legacy(&image, PIXVIEW_LAYOUT_HWC, &tensor, err));
    REQUIRE(tensor == NULL);
    image.flags = 0;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "no axis C",
                  pixview_image_to_dlpack_legacy(&image, PIXVIEW_LAYOUT_HW, &tensor, err));
    pixview_owner_unref(image.owner);
    REQUIRE_INT(released, 1);
}

// The owner has room for one struct; more at once, or without an owner, come from malloc. All of
// them count.
static void test_slots(void)
{
    pixview_image image = owned_image();
    pixviewi_dlpack *first, *second, *third;
    REQUIRE_OK(pixviewi_dlpack_new(&image, PIXVIEW_LAYOUT_HWC, &first, err));
    REQUIRE_OK(pixviewi_dlpack_new(&image, PIXVIEW_LAYOUT_CHW, &second, err));
    REQUIRE(first->embedded && !second->embedded);
    REQUIRE(first->embedded);
    pixviewi_dlpack_unref(first);
    REQUIRE_OK(pixviewi_dlpack_new(&image, PIXVIEW_LAYOUT_HWC, &third, err));
    REQUIRE_PTR(third, first); // free again
    pixview_owner_unref(image.owner);
    // A consumer that may fail after its deleter ran: two counts.
    atomic_fetch_add(&third->count, 1);
    third->managed.deleter(&third->managed);
    REQUIRE_INT(atomic_load(&third->count), 1);
    pixviewi_dlpack_unref(third);
    REQUIRE_INT(released, 0);
    pixviewi_dlpack_unref(second);
    REQUIRE_INT(released, 1);
    pixviewi_dlpack_unref(NULL);

    image.owner = NULL; // borrowed memory
    REQUIRE_OK(pixviewi_dlpack_new(&image, PIXVIEW_LAYOUT_HWC, &first, err));
    pixviewi_dlpack_unref(first);
}

static void test_export_refused(void)
{
    pixview_image image = owned_image();
    DlManaged *tensor = NULL;
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "no axis C",
                  pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HW, &tensor, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "image",
                  pixview_image_to_dlpack(NULL, PIXVIEW_LAYOUT_HW, &tensor, err));
    REQUIRE_FAILS(PIXVIEW_E_INVALID, "out",
                  pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HWC, NULL, err));
    REQUIRE_INT(pixviewi_owner_count(image.owner), 1); // nothing kept, and the slot is free
    REQUIRE(pixviewi_owner_lend_dlpack(image.owner, false) != NULL);
    pixviewi_owner_return_dlpack(image.owner);
    pixview_owner_unref(image.owner);
    // Half elements have no stride in elements.
    image = make_image(pixels, PIXVIEW_LAYOUT_HW, LIST(2, 3), LIST(72, 24), C128, CPU);
    REQUIRE_FAILS(PIXVIEW_E_LAYOUT, "strides[0]=72",
                  pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HW, &tensor, err));
    REQUIRE(tensor == NULL);
}

// Negative strides stay exact, empty tensors have no address.
static void test_export_strides(void)
{
    pixview_image image =
        make_image(pixels + 100, PIXVIEW_LAYOUT_HW, LIST(4, 5), LIST(-80, -4), F32, CPU);
    DlManaged *tensor = NULL;
    REQUIRE_OK(pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HW, &tensor, err));
    REQUIRE_INT(tensor->tensor.strides[0], -20);
    REQUIRE_INT(tensor->tensor.strides[1], -1);
    tensor->deleter(tensor);
    image = make_image(pixels, PIXVIEW_LAYOUT_HW, LIST(4, 0), NULL, F32, CPU);
    REQUIRE_OK(pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_HW, &tensor, err));
    REQUIRE_PTR(tensor->tensor.data, NULL);
    tensor->deleter(tensor);
}

// Out and in again: the same image, and one release.
static void test_round_trip(void)
{
    pixview_image image = owned_image(), back;
    DlManaged *tensor = NULL;
    REQUIRE_OK(pixview_image_to_dlpack(&image, PIXVIEW_LAYOUT_CHW, &tensor, err));
    pixview_owner_unref(image.owner);
    REQUIRE_OK(pixview_image_from_dlpack_take(tensor, PIXVIEW_LAYOUT_CHW, &back, err));
    REQUIRE(memcmp(back.shape, image.shape, sizeof back.shape) == 0);
    REQUIRE(memcmp(back.strides, image.strides, sizeof back.strides) == 0);
    REQUIRE_INT(released, 0);
    pixview_owner_unref(back.owner);
    REQUIRE_INT(released, 1);
}

// Once the process is going down, only plain memory is freed.
static void test_exit(void)
{
    pixview_image image;
    DlManaged tensor = a_tensor();
    pixviewi_set_exiting();
    REQUIRE_OK(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err));
    pixview_owner_unref(image.owner);
    REQUIRE_INT(deleted, 1);
    tensor = a_tensor();
    tensor.tensor.device.type = PIXVIEW_DEVICE_CUDA;
    REQUIRE_OK(pixview_image_from_dlpack_take(&tensor, PIXVIEW_LAYOUT_CHW, &image, err));
    pixview_owner_unref(image.owner);
    REQUIRE_INT(deleted, 0);
}

int main(void)
{
    test_import();
    test_import_empty();
    test_import_refused();
    test_export();
    test_export_legacy();
    test_slots();
    test_export_refused();
    test_export_strides();
    test_round_trip();
    test_exit();
    return 0;
}
