// SPDX-License-Identifier: Apache-2.0
// as_torch, as_gpumat, as_cupy, as_numpy, view and plan: one conversion each.

#include "api/api.h"
#include "base/args.h"
#include "convert/convert.h"
#include "frameworks/stream_argument.h"

typedef struct conversion_arguments {
    PyObject *x, *to, *layout, *src_layout, *copy, *contiguous, *allow_readonly, *stream;
} conversion_arguments;

static int parse_conversion(pv_state *st, const conversion_arguments *a, pv_options *options)
{
    return pv_parse_layout(st, "layout", a->layout, &options->layout) ||
                   pv_parse_layout(st, "src_layout", a->src_layout, &options->src_layout) ||
                   pv_parse_copy(a->copy, &options->copy) ||
                   pv_parse_bool("contiguous", a->contiguous, &options->contiguous) ||
                   pv_parse_bool("allow_readonly", a->allow_readonly, &options->allow_readonly) ||
                   pv_parse_stream_option(st, a->stream, options)
               ? -1
               : 0;
}

// A GpuMat has one layout, and is always dense enough.
static PyObject *convert_to(PyObject *module, PyObject *const *args, Py_ssize_t nargs,
                            PyObject *kwnames, const pv_framework *to)
{
    pv_state *st = pv_get_state(module);
    pv_options options = {.to = to, .copy = -1};
    conversion_arguments a = {NULL};
    const pv_keyword keywords[] = {{"x", &a.x},
                                   {"src_layout", &a.src_layout},
                                   {"copy", &a.copy},
                                   {"stream", &a.stream},
                                   {"allow_readonly", &a.allow_readonly},
                                   {"layout", &a.layout},
                                   {"contiguous", &a.contiguous}};
    int known = to->flags & PV_OWN_AXES ? 5 : 7;
    if (pv_parse_args(to->call, args, nargs, kwnames, 1, keywords, known) ||
        parse_conversion(st, &a, &options))
        return NULL;
    return pv_convert(st, a.x, &options);
}

// Most calls have no argument but x.
#define X(name, NAME)                                                                \
    PV_CALL(as_##name)                                                               \
    {                                                                                \
        static const pv_options plain = {.to = &pv_framework_##name, .copy = -1};    \
        return nargs == 1 && !kwnames                                                \
                   ? pv_convert(pv_get_state(module), args[0], &plain)               \
                   : convert_to(module, args, nargs, kwnames, &pv_framework_##name); \
    }
PV_FRAMEWORKS(X)
#undef X

PV_CALL(view)
{
    pv_state *st = pv_get_state(module);
    pv_options options = {.to = &pv_framework_image, .copy = -1};
    conversion_arguments a = {NULL};
    const pv_keyword keywords[] = {
        {"x", &a.x},       {"layout", &a.layout},         {"src_layout", &a.src_layout},
        {"copy", &a.copy}, {"contiguous", &a.contiguous}, {"stream", &a.stream}};
    if (pv_parse_args("view", args, nargs, kwnames, 1, keywords, 6) ||
        parse_conversion(st, &a, &options))
        return NULL;
    return pv_convert(st, a.x, &options);
}

PV_CALL(plan)
{
    pv_state *st = pv_get_state(module);
    pv_options options = {.copy = -1, .planning = true};
    conversion_arguments a = {NULL};
    const pv_keyword keywords[] = {{"x", &a.x},
                                   {"to", &a.to},
                                   {"layout", &a.layout},
                                   {"src_layout", &a.src_layout},
                                   {"contiguous", &a.contiguous}};
    if (pv_parse_args("plan", args, nargs, kwnames, 2, keywords, 5) ||
        pv_parse_framework("to", a.to, &options.to) || parse_conversion(st, &a, &options)) {
        return NULL;
    }
    return pv_plan_object(st, a.x, &options);
}
