// SPDX-License-Identifier: Apache-2.0
// scale=, mean= and std=, as numbers for each channel.

#include "api/values.h"

#include "base/args.h"
#include "base/errors.h"

// What can be iterated over, but is no list of numbers in the order of the channels.
static bool is_no_list(PyObject *value)
{
    return PyAnySet_Check(value) || PyDict_Check(value) || PyBytes_Check(value) ||
           PyByteArray_Check(value);
}

// One number or a sequence of them, into out[0 .. *count - 1]. 0 entries: not given.
static int parse_entries(pv_state *st, const char *what, PyObject *value, double *out, int *count)
{
    *count = 0;
    if (!pv_given(value))
        return 0;
    if (is_no_list(value)) {
        pv_raise_python(PyExc_TypeError, "%s=%R is not a number, or a sequence of numbers", what,
                        value);
        return -1;
    }
    Py_ssize_t n = 0;
    bool number = PyFloat_Check(value) || PyLong_Check(value);
    PyObject *items = number ? NULL : pv_first_entries(value, PIXVIEWI_MAX_CHANNELS, &n);
    if (!items) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError))
            return -1;
        PyErr_Clear();
        *count = 1;
        return pv_parse_number(st, what, value, false, out);
    }
    int rc = 0;
    if (n < 1 || n > PIXVIEWI_MAX_CHANNELS) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "%s has %zd entries; pass one number, or one for each channel, at most %d", what,
                  n, PIXVIEWI_MAX_CHANNELS);
        rc = -1;
    }
    for (Py_ssize_t i = 0; i < n && rc == 0; i++)
        rc = pv_parse_number(st, what, PyTuple_GET_ITEM(items, i), false, &out[i]);
    *count = (int)n;
    Py_DECREF(items);
    return rc;
}

static void repeat_first(double *entries, int count, int channels)
{
    for (int i = 1; i < channels && count == 1; i++)
        entries[i] = entries[0];
}

int pv_parse_values(pv_state *st, PyObject *scale, PyObject *mean, PyObject *std, pv_values *values,
                    pixview_convert_params *params)
{
    int means, stds;
    params->struct_size = sizeof *params;
    values->given = pv_given(scale) || pv_given(mean) || pv_given(std);
    if ((pv_given(scale) && pv_parse_number(st, "scale", scale, false, &params->scale)) ||
        parse_entries(st, "mean", mean, values->mean, &means) ||
        parse_entries(st, "std", std, values->std, &stds))
        return -1;
    if (pv_given(scale) && params->scale == 0) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "scale=0 would make all pixels equal; omit scale to keep their values");
        return -1;
    }
    if (means > 1 && stds > 1 && means != stds) {
        pv_raisef(st, PIXVIEW_E_LAYOUT,
                  "mean has %d entries, but std has %d; both need one for "
                  "each channel",
                  means, stds);
        return -1;
    }
    params->channels = means > stds ? means : stds;
    repeat_first(values->mean, means, params->channels);
    repeat_first(values->std, stds, params->channels);
    params->mean = means ? values->mean : NULL;
    params->std = stds ? values->std : NULL;
    return 0;
}
