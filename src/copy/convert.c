// pixview_convert and the batches: every check that the header promises, then one operation.
//
// A batch of 10 000 images should cost little more on the host than the reading of its list, so the
// loop over it does only what each image needs: extents, type and device, and whether its addresses
// come near the batch at all.
#include <stdlib.h>
#include <string.h>

#include "copy/operation.h"

static const pixview_convert_params defaults = {.struct_size = sizeof(pixview_convert_params)};

// ---- one image at a time ----------------------------------------------------------------------

static pixview_status check_convert_params(const pixview_convert_params *params, pixview_error *err)
{
    if (params->struct_size == sizeof *params)
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_INVALID,
                         "params->struct_size=%zu, but this library's is %zu", params->struct_size,
                         sizeof *params);
}

static pixview_status check_destination(const pixview_image *dst, pixview_error *err)
{
    if (dst->flags & PIXVIEW_FLAG_READ_ONLY)
        return pixviewi_fail(err, PIXVIEW_E_READONLY,
                             "the destination is read-only; write into other memory");
    return pixviewi_check_self_overlap(dst, err);
}

static pixview_status check_device_type(const pixview_image *image, pixview_error *err)
{
    if (pixviewi_on_device(image->device) || pixview_image_on_host(image))
        return PIXVIEW_OK;
    return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                         "device type %d is none of CPU (1), CUDA (2), pinned (3), managed (13)",
                         (int)image->device.type);
}

// Names the image of a list by its index; index -1: there is no list.
__attribute__((cold)) static pixview_status name_image(int64_t index, const char *list,
                                                       pixview_status status, pixview_error *err)
{
    if (index < 0 || !err)
        return status;
    pixview_error inner = *err;
    return pixviewi_fail(err, status, "%s[%lld]: %.200s", list, (long long)index, inner.message);
}

// ---- lists ------------------------------------------------------------------------------------

typedef struct list {
    const char *name;
    const pixview_image *images;
    int64_t count;
    bool checked; // whoever calls has validated each image
} list;

__attribute__((cold)) static pixview_status fail_size(const list *of, int64_t i,
                                                      const pixview_image *batch, bool pad,
                                                      pixview_error *err)
{
    const int64_t *got = of->images[i].shape, *want = batch->shape;
    return pixviewi_fail(
        err, PIXVIEW_E_LAYOUT,
        "%s[%lld] has N,H,W,C = %lld,%lld,%lld,%lld where the batch holds 1,%lld,%lld,%lld%s",
        of->name, (long long)i, (long long)got[0], (long long)got[1], (long long)got[2],
        (long long)got[3], (long long)want[1], (long long)want[2], (long long)want[3],
        pad ? "; padding makes no image smaller" : "; params->pad places smaller images");
}

__attribute__((cold)) static pixview_status fail_type(const list *of, int64_t i, pixview_error *err)
{
    return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                         "%s[%lld] is %s and %s[0] %s; a batch takes images of one type", of->name,
                         (long long)i, pixview_dtype_name(of->images[i].dtype), of->name,
                         pixview_dtype_name(of->images[0].dtype));
}

static const char *place_name(pixview_device device)
{
    return pixviewi_on_device(device) ? "on a GPU" : "in host memory";
}

__attribute__((cold)) static pixview_status fail_device(const list *of, int64_t i,
                                                        const pixview_image *batch,
                                                        pixview_error *err)
{
    pixview_device mine = of->images[i].device;
    if (pixviewi_on_device(mine) && pixviewi_on_device(batch->device))
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "%s[%lld] is on GPU %d and the batch on GPU %d; copy the image to the "
                             "other GPU through host memory",
                             of->name, (long long)i, (int)mine.id, (int)batch->device.id);
    return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                         "%s[%lld] is %s and the batch %s; copy it to where the batch is first",
                         of->name, (long long)i, place_name(mine), place_name(batch->device));
}

static inline bool size_fits(const pixview_image *image, const pixview_image *batch, bool pad)
{
    const int64_t *got = image->shape, *want = batch->shape;
    if (PIXVIEWI_UNLIKELY(got[PIXVIEW_AXIS_N] != 1 || got[PIXVIEW_AXIS_C] != want[PIXVIEW_AXIS_C]))
        return false;
    if (PIXVIEWI_LIKELY(got[PIXVIEW_AXIS_H] == want[PIXVIEW_AXIS_H] &&
                        got[PIXVIEW_AXIS_W] == want[PIXVIEW_AXIS_W]))
        return true;
    return pad && got[PIXVIEW_AXIS_H] <= want[PIXVIEW_AXIS_H] &&
           got[PIXVIEW_AXIS_W] <= want[PIXVIEW_AXIS_W];
}

// Another GPU, or host and GPU. Pinned, managed and plain memory are no difference.
static inline bool same_place(pixview_device a, pixview_device b)
{
    bool gpu = pixviewi_on_device(a);
    return gpu == pixviewi_on_device(b) && (!gpu || a.id == b.id);
}

static pixview_status check_list(const list *of, const pixview_image *batch, bool pad,
                                 pixview_error *err)
{
    pixviewi_range whole = pixviewi_image_range(batch);
    for (int64_t i = 0; i < of->count; i++) {
        const pixview_image *image = &of->images[i];
        pixview_status status = of->checked ? PIXVIEW_OK : pixview_image_validate(image, err);
        if (PIXVIEWI_UNLIKELY(status == PIXVIEW_OK && !of->checked))
            status = check_device_type(image, err);
        if (PIXVIEWI_UNLIKELY(status != PIXVIEW_OK))
            return name_image(i, of->name, status, err);
        if (PIXVIEWI_UNLIKELY(!pixview_dtype_equal(image->dtype, of->images[0].dtype)))
            return fail_type(of, i, err);
        if (PIXVIEWI_UNLIKELY(!size_fits(image, batch, pad)))
            return fail_size(of, i, batch, pad, err);
        if (PIXVIEWI_UNLIKELY(!same_place(image->device, batch->device)))
            return fail_device(of, i, batch, err);
        if (PIXVIEWI_UNLIKELY(pixviewi_ranges_meet(pixviewi_image_range(image), whole)) &&
            pixview_image_overlaps(image, batch))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "%s[%lld] and the batch share memory; use memory of its own",
                                 of->name, (long long)i);
    }
    return PIXVIEW_OK;
}

static pixview_status check_batch(const pixview_image *batch, const char *name, int64_t count,
                                  pixview_error *err)
{
    if (count < 1)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "count=%lld images; at least 1 is needed",
                             (long long)count);
    pixview_status status = pixview_image_validate(batch, err);
    if (status == PIXVIEW_OK)
        status = check_device_type(batch, err);
    if (status != PIXVIEW_OK)
        return status;
    if (batch->shape[PIXVIEW_AXIS_N] != count)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT, "%s has N = %lld, but there are %lld images",
                             name, (long long)batch->shape[PIXVIEW_AXIS_N], (long long)count);
    return PIXVIEW_OK;
}

// ---- destinations that are many ---------------------------------------------------------------

typedef struct placed {
    pixviewi_range range;
    int64_t index;
} placed;

static int by_address(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    return x->range.low < y->range.low ? -1 : x->range.low > y->range.low;
}

// Sorted by address, only neighbours whose ranges meet have to be looked at.
static pixview_status check_list_self_overlap(const pixview_image *dsts, int64_t count,
                                              pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    placed *order = malloc((size_t)count * sizeof *order);
    if (!order)
        return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory to compare %lld images",
                             (long long)count);
    for (int64_t i = 0; i < count && status == PIXVIEW_OK; i++) {
        order[i] = (placed){pixviewi_image_range(&dsts[i]), i};
        status = check_destination(&dsts[i], err);
        if (status != PIXVIEW_OK)
            status = name_image(i, "dsts", status, err);
    }
    qsort(order, status == PIXVIEW_OK ? (size_t)count : 0, sizeof *order, by_address);
    for (int64_t i = 0; i < count && status == PIXVIEW_OK; i++)
        for (int64_t k = i + 1; k < count && order[k].range.low < order[i].range.beyond; k++)
            if (pixview_image_overlaps(&dsts[order[i].index], &dsts[order[k].index])) {
                status =
                    pixviewi_fail(err, PIXVIEW_E_LAYOUT, "dsts[%lld] and dsts[%lld] share memory",
                                  (long long)order[i].index, (long long)order[k].index);
                break;
            }
    free(order);
    return status;
}

// ---- entry ------------------------------------------------------------------------------------

// A list of one is a batch, whose launch takes an eighth of the parameters.
static pixviewi_operand list_end(const pixview_image *images, int64_t count)
{
    if (count == 1)
        return pixviewi_operand_of(images);
    return (pixviewi_operand){.dtype = images[0].dtype, .images = images};
}

// How much smaller a batch is than its place.
static void set_padding(const pixview_image *src, const pixview_image *dst, pixviewi_operand *end)
{
    end->pad_rows = dst->shape[PIXVIEW_AXIS_H] - src->shape[PIXVIEW_AXIS_H];
    end->pad_cols = dst->shape[PIXVIEW_AXIS_W] - src->shape[PIXVIEW_AXIS_W];
}

static pixview_status make_op(pixviewi_copy_op *op, const pixview_image *batch,
                              const pixview_convert_params *params, pixview_error *err)
{
    memcpy(op->shape, batch->shape, sizeof op->shape);
    return pixviewi_affine_of(params, op->src.dtype, op->dst.dtype, batch->shape[PIXVIEW_AXIS_C],
                              &op->affine, err);
}

static pixview_status run_unless_empty(const pixviewi_copy_op *op, const pixview_image *batch,
                                       const pixview_convert_params *params, pixview_error *err)
{
    if (pixview_image_is_empty(batch))
        return PIXVIEW_OK;
    return pixviewi_run(op, batch->device, params->stream, err);
}

pixview_status pixviewi_stack_op(const pixview_image *srcs, int64_t count, const pixview_image *dst,
                                 const pixview_convert_params *params, const char *name,
                                 pixviewi_copy_op *op, pixview_error *err)
{
    list sources = {name ? name : "srcs", srcs, count, name != NULL};
    if (!srcs || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "srcs or dst is NULL");
    pixview_status status = check_convert_params(params, err);
    if (status == PIXVIEW_OK)
        status = check_batch(dst, "dst", count, err);
    if (status == PIXVIEW_OK)
        status = check_destination(dst, err);
    if (status == PIXVIEW_OK)
        status = check_list(&sources, dst, params->pad, err);
    if (status != PIXVIEW_OK)
        return status;
    op->src = list_end(srcs, count);
    if (count == 1)
        set_padding(srcs, dst, &op->src);
    op->dst = pixviewi_operand_of(dst);
    return make_op(op, dst, params, err);
}

pixview_status pixview_stack(const pixview_image *srcs, int64_t count, const pixview_image *dst,
                             const pixview_convert_params *params, pixview_error *err)
{
    pixviewi_copy_op op;
    if (!params)
        params = &defaults;
    pixview_status status = pixviewi_stack_op(srcs, count, dst, params, NULL, &op, err);
    return status == PIXVIEW_OK ? run_unless_empty(&op, dst, params, err) : status;
}

pixview_status pixview_unstack(const pixview_image *src, const pixview_image *dsts, int64_t count,
                               const pixview_convert_params *params, pixview_error *err)
{
    pixviewi_copy_op op;
    list results = {"dsts", dsts, count, false};
    if (!src || !dsts)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "src or dsts is NULL");
    if (!params)
        params = &defaults;
    pixview_status status = check_convert_params(params, err);
    if (status == PIXVIEW_OK && params->pad)
        status = pixviewi_fail(err, PIXVIEW_E_INVALID, "params->pad: a split has nothing to pad");
    if (status == PIXVIEW_OK)
        status = check_batch(src, "src", count, err);
    if (status == PIXVIEW_OK)
        status = check_list(&results, src, false, err);
    if (status == PIXVIEW_OK)
        status = check_list_self_overlap(dsts, count, err);
    if (status != PIXVIEW_OK)
        return status;
    op.src = pixviewi_operand_of(src);
    op.dst = list_end(dsts, count);
    status = make_op(&op, src, params, err);
    return status == PIXVIEW_OK ? run_unless_empty(&op, src, params, err) : status;
}

static pixview_status check_smaller(const pixview_image *src, const pixview_image *dst,
                                    pixview_error *err)
{
    static const char *const name[] = {"images", "rows", "columns", "channels"};
    for (int axis = 0; axis < 4; axis++) {
        bool fixed = axis == PIXVIEW_AXIS_N || axis == PIXVIEW_AXIS_C;
        int64_t got = src->shape[axis], want = dst->shape[axis];
        if (got > want || (fixed && got != want))
            return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                                 "the source has %lld %s and the destination %lld; padding adds "
                                 "rows and columns, and makes no image smaller",
                                 (long long)got, name[axis], (long long)want);
    }
    return PIXVIEW_OK;
}

static pixview_status check_converted_pair(const pixview_image *src, const pixview_image *dst,
                                           bool pad, pixview_error *err)
{
    pixview_status status = pixview_image_validate(src, err);
    if (status == PIXVIEW_OK)
        status = check_device_type(src, err);
    if (status == PIXVIEW_OK)
        status = pixview_image_validate(dst, err);
    if (status == PIXVIEW_OK)
        status = check_device_type(dst, err);
    if (status == PIXVIEW_OK)
        status = pad ? check_smaller(src, dst, err) : pixviewi_check_extents(src, dst, err);
    if (status == PIXVIEW_OK)
        status = check_destination(dst, err);
    if (status == PIXVIEW_OK && pixview_image_overlaps(src, dst))
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "source and destination share memory; convert into a third image");
    return status;
}

__attribute__((cold)) static pixview_status fail_places(pixview_device src, pixview_device dst,
                                                        pixview_error *err)
{
    if (pixviewi_on_device(src) && pixviewi_on_device(dst))
        return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                             "the source is on GPU %d and the destination on GPU %d; copy to the "
                             "other GPU through host memory",
                             (int)src.id, (int)dst.id);
    return pixviewi_fail(err, PIXVIEW_E_DEVICE,
                         "the source is %s and the destination %s; pixview_copy it first, and "
                         "convert where it is then",
                         place_name(src), place_name(dst));
}

// All checks but whether both are in one place.
static pixview_status make_pair_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err)
{
    if (!src || !dst)
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "src or dst is NULL");
    pixview_status status = check_convert_params(params, err);
    if (status == PIXVIEW_OK)
        status = check_converted_pair(src, dst, params->pad, err);
    if (status != PIXVIEW_OK)
        return status;
    op->src = pixviewi_operand_of(src);
    op->dst = pixviewi_operand_of(dst);
    set_padding(src, dst, &op->src);
    return make_op(op, dst, params, err);
}

pixview_status pixviewi_convert_op(const pixview_image *src, const pixview_image *dst,
                                   const pixview_convert_params *params, pixviewi_copy_op *op,
                                   pixview_error *err)
{
    pixview_status status = make_pair_op(src, dst, params, op, err);
    if (status == PIXVIEW_OK && !same_place(src->device, dst->device))
        status = fail_places(src->device, dst->device, err);
    return status;
}

// What pixview_copy can do, between host and GPU too, it does.
pixview_status pixview_convert(const pixview_image *src, const pixview_image *dst,
                               const pixview_convert_params *params, pixview_error *err)
{
    pixviewi_copy_op op;
    if (!params)
        params = &defaults;
    pixview_status status = make_pair_op(src, dst, params, &op, err);
    if (status != PIXVIEW_OK || pixview_image_is_empty(dst))
        return status;
    if (!same_place(src->device, dst->device)) {
        pixview_copy_params plain = {sizeof plain, params->stream};
        if (op.affine.is_identity && !op.affine.swap_rb && !pixviewi_is_padded(&op))
            return pixview_copy(src, dst, &plain, err);
        return fail_places(src->device, dst->device, err);
    }
    return run_unless_empty(&op, dst, params, err);
}
