// SPDX-License-Identifier: Apache-2.0
// DLPack structs with any numbers, legacy and versioned: read into an image, written and read again. The
// deleter runs once, whoever owns the struct.
#include "dlpack_input.h"

static int deleted;

static void delete_versioned(DlManaged *self)
{
    deleted++;
    free_tensor(&self->tensor);
    free(self);
}

static void delete_legacy(DlManagedLegacy *self)
{
    deleted++;
    free_tensor(&self->tensor);
    free(self);
}

static void require_same(const pixview_image *a, const pixview_image *b)
{
    REQUIRE(memcmp(a->shape, b->shape, sizeof a->shape) == 0);
    REQUIRE(pixview_dtype_equal(a->dtype, b->dtype) && a->flags == b->flags);
    if (pixview_image_is_empty(a))
        return;
    REQUIRE(memcmp(a->strides, b->strides, sizeof a->strides) == 0);
    REQUIRE_PTR(a->data, b->data);
}

static void check_export(const pixview_image *image, pixview_layout layout)
{
    DlManaged *versioned;
    DlManagedLegacy *legacy;
    pixview_image again;
    pixview_error error;
    pixview_status status = pixview_image_to_dlpack(image, layout, &versioned, &error);
    if (status == PIXVIEW_OK) {
        REQUIRE_OK(pixview_image_from_dlpack_take(versioned, layout, &again, err));
        require_same(image, &again);
        pixview_owner_unref(again.owner);
    } else {
        require_failed(status, &error);
        REQUIRE(!versioned);
    }
    status = pixview_image_to_dlpack_legacy(image, layout, &legacy, &error);
    if (status == PIXVIEW_OK) {
        REQUIRE_OK(pixview_image_from_dlpack_legacy_take(legacy, layout, &again, err));
        require_same(image, &again);
        pixview_owner_unref(again.owner);
    } else {
        require_failed(status, &error);
        REQUIRE(!legacy);
    }
}

static pixview_status read_versioned(fuzz_input *in, pixview_layout layout, pixview_image *image,
                                     pixview_error *error)
{
    DlManaged *managed = calloc(1, sizeof *managed);
    REQUIRE(managed);
    take_managed(in, managed);
    managed->deleter = delete_versioned;
    bool known = managed->version.major == DL_MAJOR, readonly = managed->flags & DL_FLAG_READ_ONLY;
    pixview_status status = pixview_image_from_dlpack_take(managed, layout, image, error);
    if (status == PIXVIEW_OK) {
        REQUIRE(known);
        REQUIRE_INT(image->flags, readonly ? PIXVIEW_FLAG_READ_ONLY : 0);
    } else {
        REQUIRE_INT(deleted, known ? 0 : 1); // of another version it is released
        if (known)
            delete_versioned(managed);
    }
    return status;
}

static pixview_status read_legacy(fuzz_input *in, pixview_layout layout, pixview_image *image,
                                  pixview_error *error)
{
    DlManagedLegacy *managed = calloc(1, sizeof *managed);
    REQUIRE(managed);
    take_tensor(in, &managed->tensor);
    managed->deleter = delete_legacy;
    pixview_status status = pixview_image_from_dlpack_legacy_take(managed, layout, image, error);
    if (status != PIXVIEW_OK) {
        REQUIRE_INT(deleted, 0);
        delete_legacy(managed);
    }
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, data + size};
    pixview_image image;
    pixview_error error;
    uint8_t way = take_byte(&in);
    pixview_layout layout = way % 32 == 31 ? (pixview_layout)take_number(&in) : take_layout(&in);
    deleted = 0;
    pixview_status status = way & 128 ? read_legacy(&in, layout, &image, &error)
                                      : read_versioned(&in, layout, &image, &error);
    if (status != PIXVIEW_OK) {
        require_failed(status, &error);
    } else {
        REQUIRE_INT(deleted, 0);
        REQUIRE_OK(pixview_image_validate(&image, err));
        for (int i = PIXVIEW_LAYOUT_HW; i <= PIXVIEW_LAYOUT_NHWC; i++)
            check_export(&image, (pixview_layout)i);
        pixview_owner_unref(image.owner);
    }
    REQUIRE_INT(deleted, 1);
    return 0;
}
