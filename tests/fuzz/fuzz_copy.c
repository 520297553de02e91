// SPDX-License-Identifier: Apache-2.0
// Images of any layout, cropped, then copied, converted, stacked or unstacked, beside a slow reference.
//
// Both ends lie in arenas. The reference writes into a copy of the destination's arena, and afterwards the
// two are compared whole: every pixel, and every byte around them. The source's must not have changed.
// The address sanitizer watches what lies outside the images' reach.
#include <math.h>

#if __has_include(<sanitizer/asan_interface.h>)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

#include "descriptor/half.h"
#include "fuzz.h"
#include "host/host.h"
#include "images.h"

enum { ARENA = 8192, MOST = 4 }; // bytes; images of a list

typedef struct arena {
    char bytes[ARENA];
} arena;

static arena src_arena __attribute__((aligned(64))), dst_arena __attribute__((aligned(64)));
static arena src_before, wanted;

// ---- images of the input ------------------------------------------------------------------------

// Some order of the axes, with gaps, backwards and, in a source, repeated; false: it is too large.
static bool take_image(fuzz_input *in, char *memory, const int64_t *shape, pixview_dtype dtype,
                       bool source, int64_t *used, pixview_image *out)
{
    static const uint8_t orders[6][4] = {{0, 1, 2, 3}, {0, 3, 1, 2}, {0, 1, 3, 2},
                                         {3, 0, 1, 2}, {1, 2, 3, 0}, {2, 1, 3, 0}};
    const uint8_t *order = orders[take_choice(in, 6)];
    int64_t itemsize = pixview_dtype_size(dtype), align = itemsize > 8 ? 8 : itemsize;
    int64_t step = itemsize, low = 0, strides[4];
    uint8_t gaps = take_byte(in), back = take_byte(in), start = take_byte(in);
    for (int i = 3; i >= 0; i--) {
        int axis = order[i];
        if (gaps >> axis & 1)
            step += align * (1 + take_byte(in) % 67);
        strides[axis] = step;
        step *= shape[axis] > 1 ? shape[axis] : 1;
        if ((back >> axis & 1) && shape[axis] > 1) {
            low += (shape[axis] - 1) * strides[axis];
            strides[axis] = -strides[axis];
        }
        if (source && (back >> 4 & 7) == 7 && (start >> axis & 1))
            strides[axis] = 0;
    }
    int64_t at = (*used + 15) / 16 * 16 + low + align * (start % 17);
    *used = at - low + step;
    if (*used > ARENA - 64)
        return false;
    REQUIRE_OK(pixview_image_init(out, memory + at, 4, shape, strides, dtype, CPU,
                                  PIXVIEW_LAYOUT_NHWC, err));
    return true;
}

static void take_shape(fuzz_input *in, int64_t shape[4])
{
    static const int64_t channels[] = {1, 3, 4, 2, 3, 4, 5, 33};
    uint8_t bits = take_byte(in);
    shape[0] = 1 + bits % 3;
    shape[3] = channels[bits / 8 % 8];
    shape[1] = take_byte(in) % 24;
    shape[2] = take_byte(in) % 72;
}

// Half of the images are cropped; false: the rectangle lies outside, and was refused.
static bool take_crop(fuzz_input *in, pixview_image *image)
{
    if (take_byte(in) & 1)
        return true;
    int64_t y = (int8_t)take_byte(in), x = (int8_t)take_byte(in);
    int64_t h = (int8_t)take_byte(in), w = (int8_t)take_byte(in);
    pixview_image crop;
    pixview_error error;
    pixview_status status = pixview_image_crop(image, y, x, h, w, &crop, &error);
    bool inside = y >= 0 && x >= 0 && h >= 0 && w >= 0 && y + h <= image->shape[1] &&
                  x + w <= image->shape[2];
    REQUIRE_INT(status == PIXVIEW_OK, inside);
    if (!inside) {
        require_failed(status, &error);
        return false;
    }
    if (!pixview_image_is_empty(&crop))
        REQUIRE_PTR(crop.data, element(image, LIST(0, y, x, 0)));
    *image = crop;
    return true;
}

// ---- the reference ------------------------------------------------------------------------------

static float load(pixview_dtype dtype, const char *from)
{
    uint16_t half;
    int32_t wide;
    float value;
    memcpy(&half, from, dtype.bits >= 16 ? 2 : 1);
    memcpy(&wide, from, dtype.bits >= 32 ? 4 : 1);
    memcpy(&value, from, dtype.bits >= 32 ? 4 : 1);
    switch (dtype.code) {
    case PIXVIEW_DTYPE_UINT:
        return dtype.bits == 8 ? (float)(uint8_t)*from : (float)half;
    case PIXVIEW_DTYPE_INT:
        return dtype.bits == 8    ? (float)(int8_t)*from
               : dtype.bits == 16 ? (float)(int16_t)half
                                  : (float)wide;
    case PIXVIEW_DTYPE_BFLOAT:
        return pixviewi_bf16_to_float(half);
    default:
        return dtype.bits == 16 ? pixviewi_f16_to_float(half) : value;
    }
}

static void store(pixview_dtype dtype, char *to, float value)
{
    uint16_t half = dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_from_float(value)
                                                       : pixviewi_f16_from_float(value);
    uint8_t byte = !(value > 0) ? 0 : value >= 255 ? 255 : (uint8_t)lrintf(value);
    memcpy(to,
           dtype.bits == 8    ? (void *)&byte
           : dtype.bits == 16 ? (void *)&half
                              : &value,
           dtype.bits / 8);
}

// Where an element of the destination lies in the arena that the reference writes.
static char *wanted_at(const pixview_image *dst, const int64_t *at)
{
    return wanted.bytes + (element(dst, at) - dst_arena.bytes);
}

static void pad_with(const pixview_image *src, const pixview_convert_params *p, char out[16])
{
    memset(out, 0, 16);
    uint64_t whole = (uint64_t)(int64_t)p->pad_value;
    double value = p->pad_value;
    float narrow = (float)value;
    uint8_t code = src->dtype.code, bits = src->dtype.bits;
    if (code == PIXVIEW_DTYPE_FLOAT && bits == 64)
        memcpy(out, &value, 8);
    else if (code == PIXVIEW_DTYPE_COMPLEX)
        memcpy(out, bits == 128 ? (void *)&value : &narrow, bits / 16);
    else if (code == PIXVIEW_DTYPE_FLOAT || code == PIXVIEW_DTYPE_BFLOAT)
        store(src->dtype, out, narrow);
    else
        memcpy(out, &whole, bits / 8);
}

// One image of the source onto one of the destination, of equal N.
static void reference(const pixview_image *src, const pixview_image *dst,
                      const pixview_convert_params *p)
{
    int64_t at[4], from[4];
    double scale = p->scale == 0 ? 1 : p->scale;
    bool same = pixview_dtype_equal(src->dtype, dst->dtype);
    FOR_EACH(at, dst)
    {
        char pad[16];
        int64_t c = at[3], entry = p->channels == 1 ? 0 : c;
        double mean = p->mean ? p->mean[entry] : 0, std = p->std ? p->std[entry] : 1;
        float a = (float)(scale / std), b = mean == 0 ? -0.0f : (float)(-mean / std);
        memcpy(from, at, sizeof from);
        if (p->swap_rb && c != 1 && c < 3)
            from[3] = 2 - c;
        bool inside = at[1] < src->shape[1] && at[2] < src->shape[2];
        const char *value = inside ? element(src, from) : pad;
        bool identity = same;
        for (int i = 0; i < (p->mean || p->std ? p->channels : 1); i++)
            identity &=
                (!p->mean || p->mean[i] == 0) && (float)(scale / (p->std ? p->std[i] : 1)) == 1;
        if (!inside)
            pad_with(src, p, pad);
        if (identity)
            memcpy(wanted_at(dst, at), value, (size_t)pixview_dtype_size(dst->dtype));
        else
            store(dst->dtype, wanted_at(dst, at),
                  fmaf(inside ? load(src->dtype, value) : (float)p->pad_value, a, b));
    }
}

// ---- one run ------------------------------------------------------------------------------------

static void take_params(fuzz_input *in, int64_t channels, double *mean, double *std,
                        pixview_convert_params *p)
{
    static const double numbers[] = {0,     1,     255,  -1,   0.5, 1 / 255.0,
                                     0.485, 0.229, 1e-3, 1e30, 3,   128};
    uint8_t bits = take_byte(in);
    *p = (pixview_convert_params){.struct_size = sizeof *p};
    if (bits & 1)
        p->scale = numbers[take_choice(in, 12)];
    if (bits & 2)
        p->mean = mean;
    if (bits & 4)
        p->std = std;
    p->channels = bits & 8 ? 1 : (int32_t)channels;
    p->swap_rb = bits & 16;
    p->pad = bits & 32;
    if (bits & 64)
        p->pad_value = (double)(int8_t)take_byte(in);
    for (int i = 0; i < 33; i++) {
        mean[i] = bits & 2 ? numbers[take_choice(in, 12)] : 0;
        std[i] = bits & 4 ? numbers[1 + take_choice(in, 11)] : 1;
    }
}

// NaNs may differ in their bits: both become one.
static void merge_nans(const pixview_image *dst)
{
    bool is_float =
        dst->dtype.code == PIXVIEW_DTYPE_FLOAT || dst->dtype.code == PIXVIEW_DTYPE_BFLOAT;
    if (!is_float || dst->dtype.bits == 64)
        return;
    int64_t at[4];
    FOR_EACH(at, dst)
    {
        char *got = element(dst, at), *want = wanted_at(dst, at);
        if (isnan(load(dst->dtype, got)) && isnan(load(dst->dtype, want)))
            memcpy(got, want, dst->dtype.bits / 8);
    }
}

static void watch(arena *of, int64_t used)
{
    ASAN_POISON_MEMORY_REGION(of->bytes + used, (size_t)(ARENA - used));
}

static void unwatch(arena *of) { ASAN_UNPOISON_MEMORY_REGION(of->bytes, ARENA); }

typedef struct job {
    enum { COPY, CONVERT, STACK, UNSTACK } kind;
    pixview_image one, list[MOST]; // the batch, or the other end of a pair in list[0]
    int64_t count;
    pixview_convert_params params;
} job;

static pixview_status run(const job *j, pixview_error *error)
{
    switch (j->kind) {
    case COPY:
        return pixview_copy(&j->list[0], &j->one, NULL, error);
    case CONVERT:
        return pixview_convert(&j->list[0], &j->one, &j->params, error);
    case STACK:
        return pixview_stack(j->list, j->count, &j->one, &j->params, error);
    default:
        return pixview_unstack(&j->one, j->list, j->count, &j->params, error);
    }
}

static pixview_image nth(const pixview_image *batch, int64_t n)
{
    pixview_image image = *batch;
    image.data = (char *)image.data + (pixview_image_is_empty(batch) ? 0 : n * image.strides[0]);
    image.shape[0] = 1;
    return image;
}

static void run_reference(const job *j)
{
    static const pixview_convert_params plain = {.channels = 1};
    for (int64_t i = 0; i < j->count; i++) {
        pixview_image part = j->kind < STACK ? j->one : nth(&j->one, i);
        if (j->kind == UNSTACK)
            reference(&part, &j->list[i], &j->params);
        else
            reference(&j->list[i], &part, j->kind == COPY ? &plain : &j->params);
    }
}

// Copies of equal types and extents are never refused: the destination does not overlap itself.
static bool must_work(const job *j)
{
    const pixview_image *src = &j->list[0];
    for (int axis = 0; axis < 4; axis++)
        if (src->shape[axis] != j->one.shape[axis])
            return false;
    return j->kind == COPY && pixview_dtype_equal(src->dtype, j->one.dtype);
}

static void check(const job *j, int64_t src_used, int64_t dst_used)
{
    pixview_error error;
    watch(&src_arena, src_used);
    watch(&dst_arena, dst_used);
    pixview_status status = run(j, &error);
    unwatch(&src_arena);
    unwatch(&dst_arena);
    if (status == PIXVIEW_OK) {
        run_reference(j);
        for (int64_t i = 0; i < (j->kind == UNSTACK ? j->count : j->kind != COPY); i++)
            merge_nans(j->kind == UNSTACK ? &j->list[i] : &j->one);
    } else {
        require_failed(status, &error);
        REQUIRE(!must_work(j));
    }
    REQUIRE(memcmp(&src_arena, &src_before, ARENA) == 0);
    REQUIRE(memcmp(&dst_arena, &wanted, ARENA) == 0);
}

static pixview_dtype take_source_dtype(fuzz_input *in)
{
    pixview_dtype dtype = take_dtype(in);
    return pixview_dtype_size(dtype) ? dtype : U8;
}

static void set_hooks(fuzz_input *in)
{
    uint8_t bits = take_byte(in);
    int known = 0;
    while (pixviewi_host_known_loops(known))
        known++;
    pixviewi_host_hooks.loops = pixviewi_host_known_loops(bits % known);
    pixviewi_host_hooks.cache = bits & 64; // from there on past the cache
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = {data, data + size};
    job j = {.kind = take_choice(&in, 4), .count = 1};
    double mean[33], std[33];
    int64_t shape[4], other[4], src_used = 0, dst_used = 0;
    if (src_before.bytes[1] == 0) { // once: values, among them NaNs and infinities
        fill_random(src_before.bytes, ARENA, 1);
        for (int i = 0; i < ARENA; i += 64)
            memcpy(src_before.bytes + i, (uint32_t[]){0x7fc07fc0, 0x7f800000, 0xff80fc00}, 12);
        src_before.bytes[1] = 1;
        memcpy(&src_arena, &src_before, ARENA);
    }
    memset(&dst_arena, 0xa5, ARENA);
    memset(&wanted, 0xa5, ARENA);
    set_hooks(&in);
    take_shape(&in, shape);
    take_params(&in, shape[3], mean, std, &j.params);
    pixview_dtype from = take_source_dtype(&in);
    pixview_dtype to = take_byte(&in) & 1 ? from : take_source_dtype(&in);
    bool batch_is_source = j.kind == UNSTACK, list = j.kind >= STACK;
    int64_t *one_used = batch_is_source ? &src_used : &dst_used;
    int64_t *list_used = batch_is_source ? &dst_used : &src_used;
    char *one_memory = batch_is_source ? src_arena.bytes : dst_arena.bytes;
    char *list_memory = batch_is_source ? dst_arena.bytes : src_arena.bytes;
    if (!take_image(&in, one_memory, shape, batch_is_source ? from : to, batch_is_source, one_used,
                    &j.one) ||
        !take_crop(&in, &j.one))
        return 0;
    j.count = list ? shape[0] : 1;
    for (int64_t i = 0; i < j.count; i++) {
        memcpy(other, j.one.shape, sizeof other);
        if (list)
            other[0] = 1;
        uint8_t odd =
            take_byte(&in); // now and then smaller, as padding wants it, or of no fitting size
        if (j.params.pad || odd == 0xff) {
            other[1] = take_byte(&in) % (other[1] + 1 + (odd == 0xff));
            other[2] = take_byte(&in) % (other[2] + 1 + (odd == 0xff));
        }
        if (!take_image(&in, list_memory, other, batch_is_source ? to : from, !batch_is_source,
                        list_used, &j.list[i]))
            return 0;
    }
    check(&j, src_used, dst_used);
    return 0;
}
