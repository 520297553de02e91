// SPDX-License-Identifier: Apache-2.0
// The self-check: may the fields of this cv2's GpuMat be read and written in place?
//
// A GpuMat with known values is made through cv2's public calls and compared field by field with the
// struct we expect, read the careful way (a wrong guess must not crash). Then, in a build with CUDA,
// OpenCV's own count is seen to go up with a header copy, and one release to call our allocator.
// Nothing here makes a CUDA call: the memory behind the headers is made up.

#include <string.h>

#include "base/errors.h"
#include "base/probe_memory.h"
#include "frameworks/opencv/object.h"
#include "frameworks/opencv/opencv.h"

// Made-up values for the test header; the address is never followed.
enum { ROWS = 7, COLS = 5, STEP = 4096, CHANNELS = 3 };
#define FAKE_DATA ((uint8_t *)0x40000000)

static bool read_header(PyObject *object, pv_gpumat *out)
{
    pv_gpumat *header;
    // The pointer itself is read. NOLINTNEXTLINE(bugprone-sizeof-expression)
    return pv_probe_memory((char *)object + sizeof(PyObject), &header, sizeof header) && header &&
           pv_probe_memory(header, out, sizeof *out);
}

static int type_code(const pv_gpumat_abi *abi, int depth, int channels)
{
    return depth + ((channels - 1) << abi->cn_shift);
}

// The header over made-up memory, by public calls alone.
static PyObject *make_known(pv_state *st)
{
    return PyObject_CallMethod(pv_opencv_of(st)->cuda, "createGpuMatFromCudaMemory", "iiiKn", ROWS,
                               COLS, type_code(pv_gpumat_abi_of(st), 0, CHANNELS),
                               (unsigned long long)(uintptr_t)FAKE_DATA, (Py_ssize_t)STEP);
}

#define EXPECT(cond) \
    if (!(cond))     \
    return #cond

// Each check returns NULL, or the words of the condition that failed.
static const char *check_fresh(pv_state *st, pv_gpumat_allocator **allocator)
{
    PyObject *object = PyObject_CallNoArgs((PyObject *)st->framework_type[PV_GPUMAT]);
    pv_gpumat g;
    bool read = object && read_header(object, &g);
    Py_XDECREF(object);
    EXPECT(read);
    EXPECT(!g.data && !g.refcount && !g.datastart && !g.dataend);
    EXPECT(g.rows == 0 && g.cols == 0 && g.step == 0);
    *allocator = g.allocator;
    return NULL;
}

static const char *check_known(pv_state *st, PyObject *object)
{
    pv_gpumat g;
    EXPECT(object && read_header(object, &g));
    EXPECT((uint32_t)g.flags ==
           (uint32_t)(PV_GPUMAT_MAGIC | type_code(pv_gpumat_abi_of(st), 0, CHANNELS)));
    EXPECT(g.rows == ROWS && g.cols == COLS && g.step == STEP);
    EXPECT(g.data == FAKE_DATA && g.datastart == FAKE_DATA);
    EXPECT(g.dataend == FAKE_DATA + STEP * (ROWS - 1) + COLS * CHANNELS);
    EXPECT(g.refcount == NULL && g.allocator == pv_gpumat_abi_of(st)->default_allocator);
    return NULL;
}

static const char *check_roi(PyObject *object)
{
    PyObject *roi = PyObject_CallMethod(object, "rowRange", "ii", 2, 5);
    pv_gpumat g;
    bool read = roi && read_header(roi, &g);
    Py_XDECREF(roi);
    EXPECT(read);
    EXPECT(g.rows == 3 && g.cols == COLS && g.step == STEP);
    EXPECT(g.data == FAKE_DATA + 2 * STEP && g.datastart == FAKE_DATA);
    return NULL;
}

// Writes our own count and allocator into the header and watches OpenCV use them.
static const char *check_count(pv_state *st, PyObject *object)
{
    static int32_t count; // outlives a header that OpenCV might keep
    pv_gpumat *header = pv_gpumat_header(object);
    count = 1;
    pv_gpumat_probe_frees = 0;
    header->refcount = &count;
    header->allocator = &pv_gpumat_probe_allocator;
    PyObject *copy = PyObject_CallOneArg((PyObject *)st->framework_type[PV_GPUMAT], object);
    int with_copy = count;
    Py_XDECREF(copy);
    int without_copy = count, early = pv_gpumat_probe_frees;
    PyObject *result = PyObject_CallMethod(object, "release", NULL);
    int frees = pv_gpumat_probe_frees;
    bool cleared = header->data == NULL && header->refcount == NULL;
    header->refcount = NULL; // whatever happened, nobody must count on it again
    header->allocator = pv_gpumat_abi_of(st)->default_allocator;
    Py_XDECREF(result);
    EXPECT(copy && result);
    EXPECT(with_copy == 2 && without_copy == 1 && early == 0);
    EXPECT(frees == 1 && cleared);
    return NULL;
}

static const char *check_object_size(PyTypeObject *type)
{
    EXPECT(!PyType_HasFeature(type, Py_TPFLAGS_HAVE_GC));
    EXPECT(type->tp_itemsize == 0);
    // PyObject, then std::shared_ptr<GpuMat>: the pointer and its control block.
    EXPECT(type->tp_basicsize == (Py_ssize_t)(sizeof(PyObject) + 2 * sizeof(void *)));
    return NULL;
}

static const char *check_struct(pv_state *st, PyObject *known)
{
    pv_gpumat_abi *abi = pv_gpumat_abi_of(st);
    const char *failed = check_object_size(st->framework_type[PV_GPUMAT]);
    if (!failed)
        failed = check_fresh(st, &abi->default_allocator);
    if (!failed)
        failed = check_known(st, known);
    if (!failed)
        failed = check_roi(known);
    return failed;
}

static void run_checks(pv_state *st, PyObject *known)
{
    pv_gpumat_abi *abi = pv_gpumat_abi_of(st);
#ifdef Py_GIL_DISABLED
    const char *failed = "a free-threaded Python: not measured";
#else
    const char *failed = check_struct(st, known);
#endif
    abi->read_struct = failed == NULL;
    abi->cuda = abi->default_allocator != NULL;
    if (abi->read_struct && abi->cuda) {
        failed = check_count(st, known);
        abi->own_native = failed == NULL;
    }
    if (!failed) {
        failed = pv_gpumat_object_check(st->framework_type[PV_GPUMAT], pv_probe_memory);
        abi->make_object = failed == NULL;
    }
    if (failed)
        PyOS_snprintf(abi->reason, sizeof abi->reason, "self-check: %s", failed);
    PyErr_Clear(); // of public calls that this cv2 does not have
}

static int read_cn_shift(pv_state *st)
{
    PyObject *cv2 = PyImport_ImportModule("cv2");
    PyObject *code = cv2 ? PyObject_GetAttrString(cv2, "CV_8UC2") : NULL;
    long two = code ? PyLong_AsLong(code) : -1;
    Py_XDECREF(code);
    Py_XDECREF(cv2);
    PyErr_Clear();
    if (two != 1 << 3 && two != 1 << 5) {
        pv_raisef(st, PIXVIEW_E_UNSUPPORTED,
                  "cv2.CV_8UC2 is %ld; pixview knows 8 (OpenCV 4) and 32 (OpenCV 5)", two);
        return -1;
    }
    pv_gpumat_abi_of(st)->cn_shift = two == 8 ? 3 : 5;
    pv_gpumat_abi_of(st)->cn_max = two == 8 ? 512 : 128;
    pv_gpumat_fill_depths(pv_gpumat_abi_of(st));
    return 0;
}

static int check_once(pv_state *st)
{
    pv_gpumat_abi *abi = pv_gpumat_abi_of(st);
    if (read_cn_shift(st))
        return -1;
    PyObject *known = make_known(st);
    if (!known) {
        pv_raise_from(st, PIXVIEW_E_UNSUPPORTED,
                      "this cv2 has no usable cuda.createGpuMatFromCudaMemory; OpenCV 4.8 or later "
                      "is needed");
        return -1;
    }
    run_checks(st, known);
    Py_DECREF(known);
    abi->checked = true;
    return 0;
}

// cv2 releases the GIL in its calls, so a second thread could come in and count along.
int pv_gpumat_check(pv_state *st)
{
    static PyThread_type_lock lock; // made under the GIL, once for the process
    if (pv_gpumat_abi_of(st)->checked)
        return 0;
    if (!lock && !(lock = PyThread_allocate_lock())) {
        PyErr_SetString(PyExc_MemoryError, "no memory for a lock");
        return -1;
    }
    Py_BEGIN_ALLOW_THREADS;
    PyThread_acquire_lock(lock, WAIT_LOCK);
    Py_END_ALLOW_THREADS;
    int rc = pv_gpumat_abi_of(st)->checked ? 0 : check_once(st);
    PyThread_release_lock(lock);
    return rc;
}
