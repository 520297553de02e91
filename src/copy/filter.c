// SPDX-License-Identifier: Apache-2.0
#include "copy/filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- Pillow's filters (Resample.c) ------------------------------------------------------------

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

static double sinc(double x)
{
    if (x == 0)
        return 1;
    x *= 3.14159265358979323846;
    return sin(x) / x;
}

static double lanczos(double x) { return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0; }

typedef struct kernel {
    double (*weight)(double x);
    double support;
} kernel;

static kernel kernel_of(int interpolation)
{
    if (interpolation == PIXVIEWI_PIL_BILINEAR)
        return (kernel){triangle, 1};
    return interpolation == PIXVIEWI_PIL_BICUBIC ? (kernel){cubic, 2} : (kernel){lanczos, 3};
}

// How an entry reaches into the source.
typedef struct reach {
    double scale, stretch, support, center;
    int64_t first, end;
} reach;

static reach reach_of(const kernel *k, const pixviewi_axis *axis, int64_t d)
{
    reach r = {.scale = (double)axis->source / (double)axis->resized};
    r.stretch = r.scale < 1 ? 1 : r.scale;
    r.support = k->support * r.stretch;
    r.center = ((double)d + 0.5) * r.scale;
    r.first = (int64_t)(r.center - r.support + 0.5);
    r.end = (int64_t)(r.center + r.support + 0.5);
    r.first = r.first < 0 ? 0 : r.first;
    r.end = r.end > axis->source ? axis->source : r.end;
    return r;
}

static void fill_fixed(const kernel *k, const reach *r, int32_t *out)
{
    double sum = 0, inverse = 1 / r->stretch;
    for (int64_t x = r->first; x < r->end; x++)
        sum += k->weight(((double)x - r->center + 0.5) * inverse);
    for (int64_t x = r->first; x < r->end; x++) {
        double weight = k->weight(((double)x - r->center + 0.5) * inverse);
        weight = (sum != 0 ? weight / sum : weight) * (1 << 22);
        *out++ = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
}

// ---- area -------------------------------------------------------------------------------------

static reach area_of(const pixviewi_axis *axis, int64_t d)
{
    reach r = {.scale = (double)axis->source / (double)axis->resized};
    r.first = (int64_t)floor((double)d * r.scale);
    r.end = (int64_t)ceil((double)(d + 1) * r.scale);
    r.end = r.end > axis->source ? axis->source : r.end;
    r.first = r.first < axis->source ? r.first : axis->source - 1;
    r.end = r.end > r.first ? r.end : r.first + 1;
    return r;
}

static void fill_area(const reach *r, int64_t d, float *out)
{
    double from = (double)d * r->scale, to = (double)(d + 1) * r->scale;
    for (int64_t x = r->first; x < r->end; x++) {
        double low = fmax(from, (double)x), high = fmin(to, (double)(x + 1));
        *out++ = (float)(high > low ? (high - low) / r->scale : 0);
    }
}

// ---- tables -----------------------------------------------------------------------------------

static reach entry_reach(const kernel *k, const pixviewi_axis *axis, int64_t d)
{
    return k->weight ? reach_of(k, axis, d) : area_of(axis, d);
}

static pixview_status no_memory(const pixviewi_axis *axis, pixview_error *err)
{
    return pixviewi_fail(err, PIXVIEW_E_MEMORY,
                         "no memory for the weights of a resize from %lld to %lld pixels",
                         (long long)axis->source, (long long)axis->resized);
}

pixview_status pixviewi_filter_make(pixviewi_filter *f, int interpolation, pixview_error *err)
{
    if (f->first)
        return PIXVIEW_OK;
    kernel k = interpolation == PIXVIEWI_AREA ? (kernel){NULL, 0} : kernel_of(interpolation);
    int64_t skip = f->axis.skip > 0 ? f->axis.skip : 0, most = 1;
    for (int64_t i = 0; i < f->length; i++) {
        reach r = entry_reach(&k, &f->axis, skip + i);
        most = r.end - r.first > most ? r.end - r.first : most;
    }
    size_t entries = (size_t)f->length * (size_t)(most + 2), bytes;
    if (most > INT32_MAX || __builtin_mul_overflow(entries, sizeof(int32_t), &bytes) ||
        !(f->first = malloc(bytes)))
        return no_memory(&f->axis, err);
    f->most = (int32_t)most;
    f->count = f->first + f->length;
    f->weights.fixed = f->count + f->length;
    for (int64_t i = 0; i < f->length; i++) {
        reach r = entry_reach(&k, &f->axis, skip + i);
        f->first[i] = (int32_t)r.first;
        f->count[i] = (int32_t)(r.end - r.first);
        if (k.weight)
            fill_fixed(&k, &r, f->weights.fixed + i * most);
        else
            fill_area(&r, skip + i, f->weights.floats + i * most);
    }
    return PIXVIEW_OK;
}

// ---- Which there are ----------------------------------------------------------------------------

uint64_t pixviewi_hash_axis(const pixviewi_axis *axis)
{
    const int64_t numbers[] = {axis->source, axis->resized, axis->skip, axis->canvas};
    uint64_t hash = 0;
    for (int i = 0; i < 4; i++) {
        hash = (hash ^ (uint64_t)numbers[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
    }
    return hash;
}

// Indices of filters, at the hash of their axis or behind; -1: none. At least half of the slots are empty.
typedef struct slots {
    int64_t *index;
    uint64_t mask;
} slots;

static slots make_slots(size_t most)
{
    uint64_t count = 1;
    while (count < 2 * most)
        count *= 2;
    slots s = {malloc(count * sizeof *s.index), count - 1};
    for (uint64_t i = 0; s.index && i < count; i++)
        s.index[i] = -1;
    return s;
}

// The number of the one of that axis, which is added if it is not there.
static int64_t find_filter(pixviewi_filters *filters, const slots *s, const pixviewi_axis *axis)
{
    uint64_t slot = pixviewi_hash_axis(axis) & s->mask;
    for (; s->index[slot] >= 0; slot = (slot + 1) & s->mask) {
        filters->compared++;
        if (pixviewi_same_axis(&filters->items[s->index[slot]].axis, axis))
            return s->index[slot];
    }
    s->index[slot] = filters->count;
    filters->items[filters->count] =
        (pixviewi_filter){.axis = *axis, .length = pixviewi_axis_length(axis)};
    return filters->count++;
}

static void note_passes(const pixviewi_copy_op *op, pixviewi_filters *filters, int64_t n)
{
    bool turned = pixviewi_filters_turned(op, filters, n);
    filters->items[filters->of_image[n][!turned]].first_pass = true;
    filters->items[filters->of_image[n][turned]].second_pass = true;
}

static void find_filters(const pixviewi_copy_op *op, pixviewi_filters *out, const slots *s,
                         int64_t n)
{
    const int64_t *shape = op->src.images[n].shape, *before = shape;
    int64_t *of = out->of_image[n];
    if (n > 0)
        before = op->src.images[n - 1].shape;
    // Images after one another are often of one size.
    if (n > 0 && shape[PIXVIEW_AXIS_H] == before[PIXVIEW_AXIS_H] &&
        shape[PIXVIEW_AXIS_W] == before[PIXVIEW_AXIS_W]) {
        memcpy(of, out->of_image[n - 1], sizeof out->of_image[n]);
        return;
    }
    pixviewi_axis rows, columns;
    pixviewi_place_source(op, n, &rows, &columns);
    of[0] = find_filter(out, s, &rows);
    of[1] = find_filter(out, s, &columns);
    note_passes(op, out, n);
}

pixview_status pixviewi_filters_find(const pixviewi_copy_op *op, pixviewi_filters *out,
                                     pixview_error *err)
{
    size_t images = (size_t)op->shape[PIXVIEW_AXIS_N];
    slots s = make_slots(2 * images);
    *out = (pixviewi_filters){.items = malloc(2 * images * sizeof *out->items),
                              .of_image = malloc(images * sizeof *out->of_image)};
    bool whole = out->items && out->of_image && s.index;
    for (size_t n = 0; n < images && whole; n++)
        find_filters(op, out, &s, (int64_t)n);
    free(s.index);
    if (whole)
        return PIXVIEW_OK;
    pixviewi_filters_free(out);
    return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for the weights of %zu images", images);
}

pixview_status pixviewi_filters_make(const pixviewi_copy_op *op, pixviewi_filters *out,
                                     pixview_error *err)
{
    pixview_status status = pixviewi_filters_find(op, out, err);
    for (int64_t i = 0; i < out->count && status == PIXVIEW_OK; i++)
        status = pixviewi_filter_make(&out->items[i], op->resize.interpolation, err);
    if (status != PIXVIEW_OK)
        pixviewi_filters_free(out);
    return status;
}

void pixviewi_filters_free(pixviewi_filters *filters)
{
    for (int64_t i = 0; i < filters->count; i++)
        free(filters->items[i].first);
    free(filters->items);
    free(filters->of_image);
    *filters = (pixviewi_filters){.count = 0};
}
