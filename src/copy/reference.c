// A copy operation in plain C, one element at a time: what every kernel and every fast host loop has to equal,
// bit by bit (a NaN: any NaN). Slow on purpose; nothing here is clever.
#include "copy/reference.h"

#include <math.h>
#include <string.h>

#include "descriptor/half.h"

static uint8_t u8_of_float(float value)
{
    if (isnan(value) || value <= 0)
        return 0;
    return value >= 255 ? 255 : (uint8_t)lrintf(value);
}

// ---- one element ------------------------------------------------------------------------------

#define LOAD(T)                             \
    {                                       \
        T value;                            \
        memcpy(&value, from, sizeof value); \
        return (float)value;                \
    }

static float load_element(pixview_dtype dtype, const char *from)
{
    uint16_t half;
    switch (dtype.code << 8 | dtype.bits) {
    case PIXVIEW_DTYPE_UINT << 8 | 8:
        LOAD(uint8_t)
    case PIXVIEW_DTYPE_INT << 8 | 8:
        LOAD(int8_t)
    case PIXVIEW_DTYPE_UINT << 8 | 16:
        LOAD(uint16_t)
    case PIXVIEW_DTYPE_INT << 8 | 16:
        LOAD(int16_t)
    case PIXVIEW_DTYPE_INT << 8 | 32:
        LOAD(int32_t)
    case PIXVIEW_DTYPE_FLOAT << 8 | 16:
        memcpy(&half, from, sizeof half);
        return pixviewi_f16_to_float(half);
    case PIXVIEW_DTYPE_BFLOAT << 8 | 16:
        memcpy(&half, from, sizeof half);
        return pixviewi_bf16_to_float(half);
    default:
        LOAD(float)
    }
}

static void store_element(pixview_dtype dtype, char *to, float value)
{
    uint16_t half;
    if (dtype.bits == 8) {
        *(uint8_t *)to = u8_of_float(value);
    } else if (dtype.bits == 16) {
        half = dtype.code == PIXVIEW_DTYPE_BFLOAT ? pixviewi_bf16_from_float(value)
                                                  : pixviewi_f16_from_float(value);
        memcpy(to, &half, sizeof half);
    } else {
        memcpy(to, &value, sizeof value);
    }
}

// Where element (at[0], at[1], at[2], channel) of an end lies; NULL beyond a smaller image.
static char *locate_element(const pixviewi_copy_op *op, const pixviewi_operand *end,
                            const int64_t at[4], int64_t channel)
{
    if (!end->images && (at[1] >= op->shape[PIXVIEW_AXIS_H] - end->pad_rows ||
                         at[2] >= op->shape[PIXVIEW_AXIS_W] - end->pad_cols))
        return NULL;
    if (!end->images)
        return end->data + at[0] * end->strides[0] + at[1] * end->strides[1] +
               at[2] * end->strides[2] + channel * end->strides[3];
    const pixview_image *image = &end->images[at[0]];
    if (at[1] >= image->shape[PIXVIEW_AXIS_H] || at[2] >= image->shape[PIXVIEW_AXIS_W])
        return NULL;
    return (char *)image->data + at[1] * image->strides[PIXVIEW_AXIS_H] +
           at[2] * image->strides[PIXVIEW_AXIS_W] + channel * image->strides[PIXVIEW_AXIS_C];
}

static void move_element(const pixviewi_copy_op *op, const int64_t at[4])
{
    const pixviewi_affine *affine = &op->affine;
    int64_t channel = at[3], partner = channel;
    if (affine->swap_rb && (channel == 0 || channel == 2))
        partner = 2 - channel;
    const char *from = locate_element(op, &op->src, at, partner);
    char *to = locate_element(op, &op->dst, at, channel);
    if (affine->is_identity) {
        memcpy(to, from ? from : (const char *)affine->pad_bits,
               (size_t)pixview_dtype_size(op->dst.dtype));
        return;
    }
    int64_t entry = affine->channels == 1 ? 0 : channel;
    float in = from ? load_element(op->src.dtype, from) : affine->pad;
    store_element(op->dst.dtype, to, fmaf(in, affine->scale[entry], affine->bias[entry]));
}

void pixviewi_run_reference(const pixviewi_copy_op *op)
{
    int64_t at[4];
    for (at[0] = 0; at[0] < op->shape[0]; at[0]++)
        for (at[1] = 0; at[1] < op->shape[1]; at[1]++)
            for (at[2] = 0; at[2] < op->shape[2]; at[2]++)
                for (at[3] = 0; at[3] < op->shape[3]; at[3]++)
                    move_element(op, at);
}
