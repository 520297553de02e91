// SPDX-License-Identifier: Apache-2.0
#include "convert/convert.h"

#include <assert.h>
#include <string.h>

#include "convert/align.h"
#include "convert/allocate.h"
#include "convert/copy.h"
#include "convert/import.h"
#include "convert/plan.h"
#include "convert/stream_order.h"
#include "convert/video.h"
#include "cuda/stream.h"
#include "frameworks/stream_life.h"
#include "frameworks/table.h"

// An Image that is made without stream= stays in the order of its source.
static inline bool keeps_source_stream(const pv_imported *in, const pv_options *options)
{
    return options->to->flags & PV_OURS && !options->has_stream &&
           pv_stream_lasts(in->image.stream, in->stream_object);
}

static int prepare_on_gpu(pv_state *st, pv_imported *in, const pv_options *options)
{
    pv_stream home = {in->image.stream, Py_XNewRef(in->stream_object)};
    int rc = keeps_source_stream(in, options) ? 0 : pv_order_view(st, in, options);
    if (rc == 0)
        rc = pv_imported_hold(st, in);
    home.handle = pv_stream_stored(home.handle, home.object);
    if (rc == 0 && home.handle != PIXVIEW_STREAM_LEGACY && in->image.owner &&
        !(in->from->flags & PV_OURS))
        rc = pv_owner_set_alloc_stream(in->image.owner, home.handle, home.object);
    Py_XDECREF(home.object);
    if (rc == 0 && options->to->flags & PV_OURS)
        rc = pv_order_for_storing(st, &in->image, &in->stream_object);
    return rc;
}

PIXVIEWI_HOT int pv_prepare_view(pv_state *st, pv_imported *in, const pv_options *options)
{
    return pixview_image_on_host(&in->image) ? pv_imported_hold(st, in)
                                             : prepare_on_gpu(st, in, options);
}

static PyObject *make_view(pv_state *st, pv_imported *in, const pv_options *options,
                           const pv_plan *plan)
{
    if (pv_prepare_view(st, in, options))
        return NULL;
    assert(in->image.owner || pixview_image_is_empty(&in->image) || in->from->flags & PV_OURS);
    pv_note_export(st, in->image.owner);
    return options->to->export_take(st, &in->image, plan, in->stream_object);
}

static PyObject *make_copy(pv_state *st, pv_imported *in, const pv_options *options,
                           const pv_plan *plan)
{
    pv_allocation made = {.object = NULL};
    pixviewi_stream_relation relation;
    PyObject *out = NULL;
    if (pv_align_source(st, in, options) == 0 && pv_allocate(st, options, in, plan, &made) == 0 &&
        pv_copy_imported(st, in, options, &made.image, made.consumer.handle, &relation) == 0 &&
        pv_owner_add_consumer(&made.image, &made.consumer, &relation, made.stream_object) == 0) {
        out = pv_allocation_export(st, options, plan, &made);
    }
    pv_allocation_clear(&made);
    return out;
}

static int import_and_plan(pv_state *st, PyObject *x, const pv_options *options, pv_imported *in,
                           pv_plan *plan)
{
    pv_imported_begin(in, x);
    return pv_framework_need(st, options->to) || pv_import(st, x, options, in) ||
                   pv_make_plan(st, in, options, plan)
               ? -1
               : 0;
}

PIXVIEWI_HOT PyObject *pv_convert(pv_state *st, PyObject *x, const pv_options *options)
{
    pv_imported in;
    pv_plan plan;
    PyObject *out = NULL;
    if (import_and_plan(st, x, options, &in, &plan) == 0) {
        if (plan.kind == PV_VIEW)
            out = make_view(st, &in, options, &plan);
        else if (plan.kind == PV_COPY)
            out = make_copy(st, &in, options, &plan);
        else
            out = Py_NewRef(x);
    }
    pv_imported_clear(&in);
    return out;
}

PyObject *pv_plan_object(pv_state *st, PyObject *x, const pv_options *options)
{
    pv_imported in;
    pv_plan plan;
    PyObject *out = NULL;
    if (import_and_plan(st, x, options, &in, &plan) == 0) {
        // First of all: a collection may run Python, which overwrites st->error.
        const char *why = st->error.message;
        PyObject *reason = PyUnicode_DecodeUTF8(why, (Py_ssize_t)strlen(why), "replace");
        PyObject *kind = PyUnicode_FromString(plan.kind == PV_COPY ? "copy" : "view");
        out = PyStructSequence_New(st->plan_type);
        if (out && kind && reason) {
            PyStructSequence_SetItem(out, 0, kind); // steals
            PyStructSequence_SetItem(out, 1, reason);
        } else {
            Py_CLEAR(out);
            Py_XDECREF(kind);
            Py_XDECREF(reason);
        }
    }
    pv_imported_clear(&in);
    return out;
}
