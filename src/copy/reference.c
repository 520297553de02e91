// A move in plain C, one element at a time: what every kernel and every fast host loop has to equal,
// bit by bit (a NaN: any NaN). Slow on purpose; nothing here is clever.
#include <math.h>

#include "copy/operation.h"
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

static float load(pixview_dtype dtype, const char *from)
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

static void store(pixview_dtype dtype, char *to, float value)
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
static char *locate(const pixviewi_move *move, const pixviewi_end *end, const int64_t at[4],
                    int64_t channel)
{
    if (!end->images && (at[1] >= move->shape[PIXVIEW_AXIS_H] - end->missing[0] ||
                         at[2] >= move->shape[PIXVIEW_AXIS_W] - end->missing[1]))
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

static void move_element(const pixviewi_move *move, const int64_t at[4])
{
    const pixviewi_values *values = &move->values;
    int64_t channel = at[3], partner = channel;
    if (values->swap_rb && (channel == 0 || channel == 2))
        partner = 2 - channel;
    const char *from = locate(move, &move->src, at, partner);
    char *to = locate(move, &move->dst, at, channel);
    if (!values->changed) {
        memcpy(to, from ? from : (const char *)values->pad_bits,
               (size_t)pixview_dtype_size(move->dst.dtype));
        return;
    }
    int64_t entry = values->channels == 1 ? 0 : channel;
    float in = from ? load(move->src.dtype, from) : values->pad;
    store(move->dst.dtype, to, fmaf(in, values->a[entry], values->b[entry]));
}

void pixviewi_move_reference(const pixviewi_move *move)
{
    int64_t at[4];
    for (at[0] = 0; at[0] < move->shape[0]; at[0]++)
        for (at[1] = 0; at[1] < move->shape[1]; at[1]++)
            for (at[2] = 0; at[2] < move->shape[2]; at[2]++)
                for (at[3] = 0; at[3] < move->shape[3]; at[3]++)
                    move_element(move, at);
}
