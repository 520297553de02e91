#include "cuda/filters.h"

#include <stdlib.h>
#include <string.h>

#include "cuda/driver.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "kernels/args.h"

static int64_t entries_of(const pixviewi_filter *f) { return f->length * (2 + (int64_t)f->most); }

static int64_t bytes_of(const pixviewi_filters *filters, int64_t images)
{
    int64_t bytes = images * (int64_t)sizeof(pixviewi_filter_lines);
    for (int64_t i = 0; i < filters->count; i++)
        bytes += 4 * entries_of(&filters->items[i]);
    return bytes;
}

// The arrays of a filter lie in one block: first, count, weights.
static pixviewi_filter_table table_at(const pixviewi_filter *f, int64_t at)
{
    return (pixviewi_filter_table){at, at + 4 * f->length, at + 8 * f->length, f->most, 0};
}

static void fill(char *block, const pixviewi_filters *filters, pixviewi_filter_table *tables,
                 int64_t images)
{
    int64_t at = images * (int64_t)sizeof(pixviewi_filter_lines);
    for (int64_t i = 0; i < filters->count; i++) {
        const pixviewi_filter *f = &filters->items[i];
        memcpy(block + at, f->first, 4 * (size_t)entries_of(f));
        tables[i] = table_at(f, at);
        at += 4 * entries_of(f);
    }
    for (int64_t n = 0; n < images; n++) {
        int64_t rows = filters->of_image[n][0], columns = filters->of_image[n][1];
        const pixviewi_filter_lines lines = {
            tables[rows], tables[columns],
            pixviewi_pil_rows_first(&filters->items[rows].axis, &filters->items[columns].axis), 0};
        memcpy(block + n * (int64_t)sizeof lines, &lines, sizeof lines);
    }
}

static pixview_status fail_capture(pixview_error *err)
{
    pixviewi_fail(err, PIXVIEW_E_CUDA,
                  "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900): the tables of interpolation 'area' "
                  "and 'pil-*' are copied to the GPU, which a graph capture does not allow; use "
                  "'linear' or 'nearest' there, or resize before the capture");
    if (err)
        err->driver_code = CU_CAPTURE_UNSUPPORTED;
    return PIXVIEW_E_CUDA;
}

pixview_status pixviewi_cuda_put_filters(const struct pixviewi_scope *scope, int device,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         const char **address, pixview_owner **owner,
                                         pixview_error *err)
{
    bool captures;
    void *memory = NULL;
    int64_t images = op->shape[0], bytes = bytes_of(op->filters, images);
    pixview_status status = pixviewi_cuda_captures(scope, stream, &captures, err);
    *owner = NULL;
    if (status != PIXVIEW_OK || captures)
        return status != PIXVIEW_OK ? status : fail_capture(err);
    char *block = malloc((size_t)bytes);
    pixviewi_filter_table *tables = malloc((size_t)op->filters->count * sizeof *tables);
    if (!block || !tables) {
        status = pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld bytes of weights",
                               (long long)bytes);
    } else {
        fill(block, op->filters, tables, images);
        status = pixviewi_cuda_alloc(device, bytes, stream, &memory, owner, err);
    }
    // From memory that is not pinned: the driver has taken it when the call returns.
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_copy_rows(device, memory, 0, block, 0, bytes, 1, false, false,
                                         stream, err);
    free(block);
    free(tables);
    *address = memory;
    if (status != PIXVIEW_OK) {
        pixview_owner_unref(*owner);
        *owner = NULL;
    }
    return status;
}
