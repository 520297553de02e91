// SPDX-License-Identifier: Apache-2.0
// placement: where an image goes on a canvas, in numbers. _placement.py makes the object of them.

#include "api/api.h"
#include "api/geometry.h"
#include "base/args.h"
#include "base/errors.h"

static int parse_extents(pv_state *st, const char *what, PyObject *value, int64_t out[2])
{
    int count = 0;
    int64_t extents[4];
    if (!PySequence_Check(value)) {
        pv_raise_python(PyExc_TypeError, "%s=%R is not (H, W), two integers", what, value);
        return -1;
    }
    if (pv_parse_dims_argument(st, what, value, 4, &count, extents))
        return -1;
    if (count != 2 || extents[0] < 0 || extents[1] < 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT, "%s=%R is not (H, W), two integers of 0 or more", what,
                  value);
        return -1;
    }
    out[0] = extents[0];
    out[1] = extents[1];
    return 0;
}

static int parse_stride(pv_state *st, PyObject *value, int64_t *out)
{
    if (!pv_given(value))
        return 0;
    PyObject *index = pv_index(value);
    if (!index)
        return -1;
    int overflow;
    *out = PyLong_AsLongLongAndOverflow(index, &overflow);
    Py_DECREF(index);
    if (!overflow && *out > 0)
        return 0;
    pv_raisef(st, PIXVIEW_E_LAYOUT, "stride=%R is not above 0 and below 2^63", value);
    return -1;
}

static const char *const fits[] = {"stretch", "letterbox", "cover"};

const char *pv_fit_name(pixview_fit fit) { return fit == PIXVIEW_FIT_NONE ? "" : fits[fit - 1]; }

int pv_parse_geometry(pv_state *st, const pv_geometry_arguments *a, pixview_placement_params *out)
{
    static const char *const aligns[] = {"center", "top-left"};
    int fit = -1, align = 0;
    int64_t size[2] = {0, 0};
    bool scaleup = true;
    *out = (pixview_placement_params){.struct_size = sizeof *out};
    if ((pv_given(a->size) && parse_extents(st, "size", a->size, size)) ||
        pv_parse_word(st, "fit", a->fit, fits, 3, &fit) ||
        pv_parse_word(st, "align", a->align, aligns, 2, &align) ||
        pv_parse_bool("scaleup", a->scaleup, &scaleup) || parse_stride(st, a->stride, &out->stride))
        return -1;
    out->canvas_h = size[0];
    out->canvas_w = size[1];
    out->fit = (pixview_fit)(fit + 1);
    out->align = (pixview_align)align;
    out->no_scaleup = !scaleup;
    return 0;
}

PyObject *pv_placement_tuple(const pixview_placement *p, int64_t y, int64_t x)
{
    return Py_BuildValue("LLLL(dddd)dd(LL)", (long long)p->y, (long long)p->x, (long long)p->h,
                         (long long)p->w, (double)y + p->source_y, (double)x + p->source_x,
                         p->source_h, p->source_w, p->scale_y, p->scale_x, (long long)p->canvas_h,
                         (long long)p->canvas_w);
}

PyObject *pv_placement(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    pv_state *st = pv_get_state(module);
    int64_t source[2];
    pixview_placement_params params;
    pixview_placement placed;
    if (nargs != 6)
        return PyErr_Format(PyExc_TypeError, "_placement takes 6 arguments, got %zd", nargs);
    const pv_geometry_arguments a = {args[1], args[2], args[3], args[4], args[5]};
    if (parse_extents(st, "source_hw", args[0], source) || pv_parse_geometry(st, &a, &params))
        return NULL;
    if (pixview_placement_fit(source[0], source[1], &params, &placed, &st->error)) {
        pv_fail(st);
        return NULL;
    }
    return pv_placement_tuple(&placed, 0, 0);
}
