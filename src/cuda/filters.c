// SPDX-License-Identifier: Apache-2.0
#include "cuda/filters.h"

#include <pthread.h>
#include <stdlib.h>

#include "cuda/context.h"
#include "cuda/memory.h"
#include "cuda/stream.h"
#include "descriptor/owner.h"

// ---- Kept ---------------------------------------------------------------------------------------
//
// Tables stay where they are for later calls, as long as the context: nothing has to know which queues and graphs
// still read them. Beyond a limit they are the call's, or its graph's.

typedef struct kept_table {
    pixviewi_axis axis;
    int interpolation;
    bool down;
    pixviewi_filter_table table;
    struct kept_table *next; // in its bucket
} kept_table;

// Tables that came to the GPU together.
typedef struct kept_block {
    struct kept_block *next;
    pixview_owner *owner;
    kept_table tables[];
} kept_block;

enum { BUCKETS = 128 };

typedef struct kept_tables {
    uint64_t context; // its number
    int64_t bytes;
    kept_block *blocks;
    kept_table *buckets[BUCKETS];
} kept_tables;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static kept_tables kept[PIXVIEWI_MAX_DEVICES];
static int64_t most_kept = PIXVIEWI_KEPT_FILTERS;

static void forget(kept_tables *all)
{
    for (kept_block *block = all->blocks, *next; block; block = next) {
        next = block->next;
        pixview_owner_unref(block->owner);
        free(block);
    }
    *all = (kept_tables){.context = 0};
}

void pixviewi_cuda_keep_filters(int64_t most)
{
    pthread_mutex_lock(&lock);
    most_kept = most;
    for (int i = 0; i < PIXVIEWI_MAX_DEVICES; i++)
        forget(&kept[i]);
    pthread_mutex_unlock(&lock);
}

// Of the context that is there now.
static kept_tables *kept_of(const pixviewi_scope *scope, int device)
{
    kept_tables *all = &kept[device];
    uint64_t context = pixviewi_scope_context(scope);
    if (all->context != context)
        forget(all);
    all->context = context;
    return all;
}

static kept_table **bucket_of(kept_tables *all, const pixviewi_axis *axis)
{
    return &all->buckets[pixviewi_hash_axis(axis) % BUCKETS];
}

static const kept_table *find_kept(kept_tables *all, const pixviewi_axis *axis, int interpolation,
                                   bool down)
{
    const kept_table *at = *bucket_of(all, axis);
    while (at && !(at->interpolation == interpolation && at->down == down &&
                   pixviewi_same_axis(&at->axis, axis)))
        at = at->next;
    return at;
}

// ---- For a graph --------------------------------------------------------------------------------
//
// What is allocated or copied on a stream that captures becomes part of the graph: memory that allows one launch, and
// a copy of bytes that are gone by the replay. So both happen beside the capture, on the thread's own stream.

static pixview_status refuse(const char *why, pixview_error *err)
{
    pixviewi_fail(
        err, PIXVIEW_E_CUDA,
        "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED (900): the tables of interpolation 'area' "
        "and 'pil-*' cannot be kept for this graph capture: %s; use 'linear' or 'nearest' "
        "there, or resize before the capture",
        why);
    if (err)
        err->driver_code = CU_CAPTURE_UNSUPPORTED;
    return PIXVIEW_E_CUDA;
}

static pixview_status find_graph(const pixviewi_scope *scope, pixview_stream stream, void **graph,
                                 pixview_error *err)
{
    const pixviewi_driver *driver = scope->driver;
    pixview_status status = PIXVIEW_OK;
    *graph = NULL;
    if (driver->user_object_create && driver->user_object_release && driver->graph_retain)
        status = pixviewi_cuda_captured_graph(scope, stream, graph, err);
    if (status != PIXVIEW_OK)
        return status;
    return *graph ? PIXVIEW_OK
                  : refuse("the driver lets no graph own memory (CUDA 11.3 does)", err);
}

// The driver calls it when the last graph goes, where no driver call is allowed.
static void drop_owner(void *owner) { pixviewi_owner_defer_take(owner); }

static pixview_status give_to_graph_take(const pixviewi_driver *driver, void *graph,
                                         pixview_owner *owner, pixview_error *err)
{
    void *object = NULL;
    int code = driver->user_object_create(&object, owner, drop_owner, 1, CU_USER_OBJECT_NO_SYNC);
    if (code != CU_SUCCESS) {
        pixview_owner_unref(owner);
        return pixviewi_driver_fail(err, driver, code, "cannot make an owner for a graph");
    }
    code = driver->graph_retain(graph, object, 1, CU_GRAPH_TAKES_USER_OBJECT);
    if (code == CU_SUCCESS)
        return PIXVIEW_OK;
    driver->user_object_release(object, 1);
    return pixviewi_driver_fail(err, driver, code, "cannot give memory to a graph");
}

// ---- What is not there yet ------------------------------------------------------------------------

static pixview_status no_memory(const pixviewi_copy_op *op, pixview_error *err)
{
    return pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for the weights of %lld images",
                         (long long)op->shape[PIXVIEW_AXIS_N]);
}

typedef struct absent_filter {
    pixviewi_filter made; // with weights, if one of its tables is absent
    bool absent[2];       // across, down
} absent_filter;

typedef struct addition {
    absent_filter *filters; // of op->filters, each
    int64_t tables, bytes;
    char *bits;       // of the tables
    kept_block *kept; // NULL: they are not kept
    bool aside;       // they come on the thread's own stream, for which the host waits
    void *graph;      // that owns them; NULL: none
} addition;

static pixview_status make_absent(const pixviewi_copy_op *op, pixviewi_filter_table (*tables)[2],
                                  addition *new, pixview_error *err)
{
    int way = op->resize.interpolation;
    pixview_status status = PIXVIEW_OK;
    for (int64_t i = 0; i < op->filters->count && status == PIXVIEW_OK; i++) {
        absent_filter *f = &new->filters[i];
        f->made = op->filters->items[i];
        for (int down = 0; down < 2; down++)
            f->absent[down] = pixviewi_filter_needs(&f->made, down) && !tables[i][down].data;
        if (!f->absent[0] && !f->absent[1])
            continue;
        status = pixviewi_filter_make(&f->made, way, err);
        for (int down = 0; down < 2 && status == PIXVIEW_OK; down++)
            if (f->absent[down]) {
                new->tables++;
                new->bytes += pixviewi_filter_bytes(&f->made, way, down);
            }
    }
    return status;
}

static pixview_status choose_place(const pixviewi_scope *scope, const kept_tables *all,
                                   pixview_stream stream, addition *new, pixview_error *err)
{
    bool captures, own_captures;
    pixview_status status = pixviewi_cuda_captures(scope, stream, &captures, err);
    if (status == PIXVIEW_OK)
        status = pixviewi_cuda_captures(scope, PIXVIEWI_STREAM_CUDA_PER_THREAD, &own_captures, err);
    if (status != PIXVIEW_OK)
        return status;
    if (captures && own_captures)
        return refuse("the thread's default stream, which would copy them, captures too", err);
    bool stays = !own_captures && new->bytes <= most_kept - all->bytes;
    new->aside = captures || stays;
    if (captures && !stays && (status = find_graph(scope, stream, &new->graph, err)))
        return status;
    new->bits = malloc((size_t)new->bytes);
    if (stays)
        new->kept = malloc(sizeof *new->kept + (size_t)new->tables * sizeof *new->kept->tables);
    return new->bits && (new->kept || !stays)
               ? PIXVIEW_OK
               : pixviewi_fail(err, PIXVIEW_E_MEMORY, "no memory for %lld bytes of weights",
                               (long long)new->bytes);
}

static void fill_tables(const pixviewi_copy_op *op, const addition *new, const char *memory,
                        pixviewi_filter_table (*tables)[2])
{
    int way = op->resize.interpolation;
    int64_t at = 0, n = 0;
    for (int64_t i = 0; i < op->filters->count; i++)
        for (int down = 0; down < 2; down++) {
            const pixviewi_filter *f = &new->filters[i].made;
            if (!new->filters[i].absent[down])
                continue;
            tables[i][down] = pixviewi_filter_fill(f, way, down, new->bits + at, memory + at);
            at += pixviewi_filter_bytes(f, way, down);
            if (new->kept)
                new->kept->tables[n++] = (kept_table){f->axis, way, down, tables[i][down], NULL};
        }
}

static void keep_take(kept_tables *all, addition *new, pixview_owner *owner)
{
    for (int64_t i = 0; i < new->tables; i++) {
        kept_table *table = &new->kept->tables[i], **bucket = bucket_of(all, &table->axis);
        table->next = *bucket;
        *bucket = table;
    }
    new->kept->owner = owner;
    new->kept->next = all->blocks;
    all->blocks = new->kept;
    all->bytes += new->bytes;
    new->kept = NULL;
}

// From memory that is not pinned: the driver has taken it when the copy returns.
static pixview_status upload(const pixviewi_scope *scope, int device, const pixviewi_copy_op *op,
                             pixview_stream stream, kept_tables *all, addition *new,
                             pixviewi_gpu_filters *out, pixview_error *err)
{
    void *memory;
    pixview_owner *owner;
    stream = new->aside ? PIXVIEWI_STREAM_CUDA_PER_THREAD : stream;
    pixview_status status = pixviewi_cuda_alloc(device, new->bytes, stream, &memory, &owner, err);
    if (status != PIXVIEW_OK)
        return status;
    fill_tables(op, new, memory, out->tables);
    status = pixviewi_cuda_copy_rows(device, memory, 0, new->bits, 0, new->bytes, 1, false,
                                     new->aside, stream, err);
    if (status != PIXVIEW_OK)
        pixview_owner_unref(owner);
    else if (new->kept)
        keep_take(all, new, owner);
    else if (new->graph)
        status = give_to_graph_take(scope->driver, new->graph, owner, err);
    else
        out->owner = owner;
    return status;
}

static pixview_status add_absent(const pixviewi_scope *scope, int device,
                                 const pixviewi_copy_op *op, pixview_stream stream,
                                 kept_tables *all, pixviewi_gpu_filters *out, pixview_error *err)
{
    int64_t count = op->filters->count;
    addition new = {.filters = calloc((size_t)count, sizeof *new.filters)};
    if (!new.filters)
        return no_memory(op, err);
    pixview_status status = make_absent(op, out->tables, &new, err);
    if (status == PIXVIEW_OK)
        status = choose_place(scope, all, stream, &new, err);
    if (status == PIXVIEW_OK)
        status = upload(scope, device, op, stream, all, &new, out, err);
    for (int64_t i = 0; i < count; i++)
        if (new.filters[i].made.first != op->filters->items[i].first)
            free(new.filters[i].made.first);
    free(new.filters);
    free(new.bits);
    free(new.kept);
    return status;
}

// ---- All ----------------------------------------------------------------------------------------

// Are all there?
static bool find_tables(const pixviewi_copy_op *op, kept_tables *all,
                        pixviewi_filter_table (*tables)[2])
{
    bool whole = true;
    for (int64_t i = 0; i < op->filters->count; i++)
        for (int down = 0; down < 2; down++) {
            const pixviewi_filter *f = &op->filters->items[i];
            if (!pixviewi_filter_needs(f, down))
                continue;
            const kept_table *found = find_kept(all, &f->axis, op->resize.interpolation, down);
            if (found)
                tables[i][down] = found->table;
            whole = whole && found;
        }
    return whole;
}

pixview_status pixviewi_cuda_put_filters(const pixviewi_scope *scope, int device,
                                         const pixviewi_copy_op *op, pixview_stream stream,
                                         pixviewi_gpu_filters *out, pixview_error *err)
{
    pixview_status status = PIXVIEW_OK;
    *out = (pixviewi_gpu_filters){calloc((size_t)op->filters->count, sizeof *out->tables), NULL};
    if (!out->tables)
        return no_memory(op, err);
    pthread_mutex_lock(&lock);
    kept_tables *all = kept_of(scope, device);
    if (!find_tables(op, all, out->tables))
        status = add_absent(scope, device, op, stream, all, out, err);
    pthread_mutex_unlock(&lock);
    return status;
}

void pixviewi_cuda_let_go_of_filters(pixviewi_gpu_filters *filters)
{
    free(filters->tables);
    pixview_owner_unref(filters->owner);
}
