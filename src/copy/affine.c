// SPDX-License-Identifier: Apache-2.0
// From pixview_convert_params to the numbers that the loops and kernels use. No CUDA, no allocation.
#include "copy/affine.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "copy/geometry.h"
#include "descriptor/half.h"

// Identity of the multiply-add: + 0.0 would turn -0.0 into 0.0.
static const float ONE = 1, NOTHING = -0.0f;

// ---- element types ----------------------------------------------------------------------------

static bool has_value(pixview_dtype dtype)
{
    if (dtype.code == PIXVIEW_DTYPE_UINT)
        return dtype.bits <= 16;
    bool wide = dtype.code == PIXVIEW_DTYPE_INT || dtype.code == PIXVIEW_DTYPE_FLOAT;
    return dtype.code == PIXVIEW_DTYPE_BFLOAT || (wide && dtype.bits <= 32);
}

static bool takes_value(pixview_dtype dtype)
{
    return dtype.code == PIXVIEW_DTYPE_UINT ? dtype.bits == 8
                                            : dtype.code != PIXVIEW_DTYPE_INT && has_value(dtype);
}

static pixview_status check_types(pixview_dtype from, pixview_dtype to, pixview_error *err)
{
    if (!has_value(from))
        return pixviewi_fail(
            err, PIXVIEW_E_DTYPE,
            "values of %s cannot be converted: the sources are uint8, int8, uint16, "
            "int16, int32, float16, bfloat16 or float32",
            pixview_dtype_name(from));
    if (!takes_value(to))
        return pixviewi_fail(err, PIXVIEW_E_DTYPE,
                             "%s values cannot become %s: the results are float16, bfloat16, "
                             "float32 or uint8",
                             pixview_dtype_name(from), pixview_dtype_name(to));
    return PIXVIEW_OK;
}

// ---- scale, mean, std -------------------------------------------------------------------------

static pixview_status check_entry(double scale, double mean, double std, int64_t channel,
                                  pixview_error *err)
{
    const char *what = !isfinite(mean) ? "mean" : "std";
    double value = !isfinite(mean) ? mean : std;
    if (!isfinite(mean) || !isfinite(std) || std == 0)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "%s[%lld]=%g is not allowed; pass a finite number%s", what,
                             (long long)channel, value, what[0] == 's' ? " other than 0" : "");
    if (fabs(scale / std) > (double)FLT_MAX || fabs(mean / std) > (double)FLT_MAX)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "scale=%g, mean[%lld]=%g, std[%lld]=%g: scale / std or mean / std "
                             "does not fit float32",
                             scale, (long long)channel, mean, (long long)channel, std);
    if ((float)(scale / std) == 0)
        return pixviewi_fail(err, PIXVIEW_E_INVALID,
                             "scale=%g, std[%lld]=%g: scale / std is 0 in float32, which would "
                             "make all pixels equal",
                             scale, (long long)channel, std);
    return PIXVIEW_OK;
}

static pixview_status check_counts(const pixview_convert_params *params, int64_t channels,
                                   pixview_error *err)
{
    if (params->swap_rb && channels != 3 && channels != 4)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "swap_rb needs 3 or 4 channels, and the images have %lld",
                             (long long)channels);
    if (!params->mean && !params->std)
        return PIXVIEW_OK;
    if (params->channels == 3 && channels == 4)
        return pixviewi_fail(err, PIXVIEW_E_LAYOUT,
                             "mean and std have 3 entries, but the images have 4 channels; pass 4, "
                             "or slices of 3 channels: array[..., :3], as_torch(x)[:3]");
    if (params->channels != 1 && params->channels != channels)
        return pixviewi_fail(
            err, PIXVIEW_E_LAYOUT,
            "mean and std have %d entries, but the images have %lld channels; pass one for each "
            "channel, or one for all",
            (int)params->channels, (long long)channels);
    if (params->channels > PIXVIEWI_MAX_CHANNELS)
        return pixviewi_fail(err, PIXVIEW_E_UNSUPPORTED,
                             "mean and std have %d entries; at most %d are supported",
                             (int)params->channels, PIXVIEWI_MAX_CHANNELS);
    return PIXVIEW_OK;
}

static pixview_status fill_factors(const pixview_convert_params *params, pixviewi_affine *out,
                                   pixview_error *err)
{
    double scale = params->scale == 0 ? 1 : params->scale;
    if (!isfinite(scale))
        return pixviewi_fail(err, PIXVIEW_E_INVALID, "scale=%g: a finite number is needed", scale);
    out->channels = params->mean || params->std ? params->channels : 1;
    for (int i = 0; i < out->channels; i++) {
        double mean = params->mean ? params->mean[i] : 0, std = params->std ? params->std[i] : 1;
        pixview_status status = check_entry(scale, mean, std, i, err);
        if (status != PIXVIEW_OK)
            return status;
        out->scale[i] = (float)(scale / std);
        out->bias[i] = mean == 0 ? NOTHING : (float)(-mean / std);
        out->is_identity &= out->scale[i] == ONE && mean == 0;
    }
    return PIXVIEW_OK;
}

// ---- padding ----------------------------------------------------------------------------------

static bool whole_in(double value, double low, double beyond)
{
    return value >= low && value < beyond && value == trunc(value);
}

// The bytes of one element with that value; false when the type does not hold it.
static bool write_element(pixview_dtype dtype, double value, uint8_t out[16])
{
    float narrow = (float)value;
    uint64_t bits = 0;
    double parts[2] = {value, 0};
    float narrow_parts[2] = {narrow, 0};
    bool small = !isfinite(value) || fabs(value) <= (double)FLT_MAX;
    switch (dtype.code) {
    case PIXVIEW_DTYPE_BOOL:
        bits = value != 0;
        small = value == 0 || value == 1;
        break;
    case PIXVIEW_DTYPE_UINT:
        if (!whole_in(value, 0, ldexp(1, dtype.bits)))
            return false;
        bits = (uint64_t)value;
        break;
    case PIXVIEW_DTYPE_INT:
        if (!whole_in(value, -ldexp(1, dtype.bits - 1), ldexp(1, dtype.bits - 1)))
            return false;
        bits = (uint64_t)(int64_t)value;
        break;
    case PIXVIEW_DTYPE_BFLOAT:
        bits = pixviewi_bf16_from_float(narrow);
        small = small && (isfinite(pixviewi_bf16_to_float((uint16_t)bits)) || !isfinite(value));
        break;
    case PIXVIEW_DTYPE_COMPLEX:
        memcpy(out, dtype.bits == 128 ? (void *)parts : narrow_parts, dtype.bits / 8);
        return dtype.bits == 128 || small;
    default:
        if (dtype.bits == 64) {
            memcpy(out, &value, sizeof value);
            return true;
        }
        bits = dtype.bits == 16 ? pixviewi_f16_from_float(narrow) : pixviewi_float_to_bits(narrow);
        if (dtype.bits == 16)
            small = small && (isfinite(pixviewi_f16_to_float((uint16_t)bits)) || !isfinite(value));
    }
    for (int i = 0; i < dtype.bits / 8; i++)
        out[i] = (uint8_t)(bits >> (8 * i));
    return small;
}

// Which values that type holds, in words. A pad_value is a double, which has not every integer of 64 bits.
static void describe_limits(pixview_dtype dtype, char *out, size_t n)
{
    int unused = 64 - dtype.bits;
    uint64_t beyond = dtype.bits == 64 ? (uint64_t)1 << 11 : 1; // from the last double to 2^bits
    if (dtype.code == PIXVIEW_DTYPE_BOOL)
        snprintf(out, n, "0 or 1");
    else if (dtype.code == PIXVIEW_DTYPE_UINT)
        snprintf(out, n, "whole numbers from 0 to %llu",
                 (unsigned long long)((UINT64_MAX >> unused) - beyond + 1));
    else if (dtype.code == PIXVIEW_DTYPE_INT)
        snprintf(out, n, "whole numbers from %lld to %lld", -(long long)(INT64_MAX >> unused) - 1,
                 (long long)((INT64_MAX >> unused) - (int64_t)((beyond + 1) / 2) + 1));
    else if (dtype.code == PIXVIEW_DTYPE_FLOAT && dtype.bits == 16)
        snprintf(out, n, "up to 65504");
    else
        snprintf(out, n, "up to 3.4e38");
}

// Where values change, a pad_value between two pixels is as good as any: mean / scale pads with 0.
static pixview_status fill_padding(double value, pixview_dtype dtype, pixviewi_affine *out,
                                   pixview_error *err)
{
    bool fits = write_element(dtype, value, out->pad_bits);
    bool fits_float = !isfinite(value) || fabs(value) <= (double)FLT_MAX;
    if (!out->is_identity)
        fits = fits_float;
    out->pad = (float)value;
    if (fits)
        return PIXVIEW_OK;
    char limits[80];
    pixview_dtype holder = out->is_identity ? dtype : (pixview_dtype){PIXVIEW_DTYPE_FLOAT, 32, 1};
    bool converts = out->is_identity && has_value(dtype) && fits_float;
    describe_limits(holder, limits, sizeof limits);
    return pixviewi_fail(
        err, PIXVIEW_E_DTYPE, "pad_value=%g does not fit %s (allowed: %s)%s", value,
        pixview_dtype_name(holder), limits,
        converts ? "; for other values make the destination float32 (dtype='float32')" : "");
}

pixview_status pixviewi_op_finish(pixviewi_copy_op *op, const pixview_image *batch,
                                  const pixview_convert_params *params, pixview_error *err)
{
    pixview_dtype from = op->src.dtype, to = op->dst.dtype;
    pixviewi_affine *out = &op->affine;
    memcpy(op->shape, batch->shape, sizeof op->shape);
    op->plan = NULL;
    op->filters = NULL;
    op->targets = NULL;
    op->resizes = params->geometry || op->src.videos;
    if (params->geometry)
        op->resize = pixviewi_resize_of(params->geometry);
    else if (op->resizes) // frames have no other way
        op->resize = (pixviewi_resize){{PIXVIEWI_FIT_NONE, 0, 0}, PIXVIEWI_NEAREST};
    out->is_identity = pixview_dtype_equal(from, to);
    out->swap_rb = params->swap_rb;
    out->pad = 0;
    memset(out->pad_bits, 0, sizeof out->pad_bits);
    pixview_status status;
    if ((status = check_counts(params, batch->shape[PIXVIEW_AXIS_C], err)) ||
        (status = fill_factors(params, out, err)) ||
        (!out->is_identity && (status = check_types(from, to, err))) ||
        !(params->pad || params->geometry))
        return status;
    return fill_padding(params->pad_value, from, out, err);
}
