// Docstrings. One literal a line of text, so that they read as they print.
#ifndef PV_DOCS_H
#define PV_DOCS_H

// clang-format off

#define PV_DOC_as_torch \
    "as_torch($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "         allow_readonly=False, stream=None)\n" \
    "--\n" \
    "\n" \
    "`x` as a torch.Tensor over the same memory, on the device it is on.\n" \
    "\n" \
    "x: GpuMat, torch tensor, CuPy or NumPy array, pixview.Image, or an object with __dlpack__,\n" \
    "   __cuda_array_interface__, __array_interface__ or the buffer protocol.\n" \
    "layout: axes of the result, 'HW' 'CHW' 'HWC' 'NCHW' 'NHWC'; by default those of torch (CHW)\n" \
    "   in the rank of x. src_layout: axes of x, by default those usual where it comes from.\n" \
    "copy: None copies only if no view is possible, False raises LayoutError then, True copies.\n" \
    "contiguous: copy if the result would not be dense in its layout.\n" \
    "allow_readonly: alias read-only memory (NumPy, JAX) instead of copying it.\n" \
    "stream: of the GpuMat end: None (legacy default), an int handle, -1 (no ordering) or a stream.\n" \
    "\n" \
    "The result keeps x's memory alive. Errors: LayoutError, DtypeError, DeviceError,\n" \
    "ReadOnlyError, CudaError, UnsupportedError."

#define PV_DOC_as_cupy \
    "as_cupy($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "        allow_readonly=False, stream=None)\n" \
    "--\n" \
    "\n" \
    "`x` as a cupy.ndarray over the same memory, axes H,W,C by default. Host memory is uploaded to\n" \
    "CuPy's current device, only with copy=True. Arguments and errors as for as_torch."

#define PV_DOC_as_numpy \
    "as_numpy($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "         allow_readonly=False, stream=None)\n" \
    "--\n" \
    "\n" \
    "`x` as a numpy.ndarray over the same memory, axes H,W,C by default. Device memory is\n" \
    "downloaded, only with copy=True, and the call then waits for the pixels. Read-only memory\n" \
    "stays read-only. Arguments and errors as for as_torch."

#define PV_DOC_as_gpumat \
    "as_gpumat($module, /, x, *, src_layout=None, copy=None, allow_readonly=False, stream=None)\n" \
    "--\n" \
    "\n" \
    "`x` as a cv2.cuda.GpuMat of H rows, W columns and C channels.\n" \
    "\n" \
    "A view if the pixels are interleaved in memory (a permuted H,W,C or channels_last tensor, H,W,\n" \
    "or C = 1) in rows of any pitch; one interleaving copy otherwise. N > 1, C above CV_CN_MAX and\n" \
    "H or W above INT_MAX are a LayoutError. Host memory is uploaded, only with copy=True.\n" \
    "stream: the stream that will use the GpuMat; None is the legacy default one, which cv2.cuda\n" \
    "functions take without a stream. Other arguments and errors as for as_torch."

#define PV_DOC_view \
    "view($module, /, x, *, layout=None, src_layout=None, copy=None, stream=None)\n" \
    "--\n" \
    "\n" \
    "`x` as a pixview.Image over the same memory, in x's own axis order unless layout= is given.\n" \
    "Imports no framework. Arguments and errors as for as_torch."

#define PV_DOC_plan \
    "plan($module, /, x, to, *, layout=None, src_layout=None, contiguous=False)\n" \
    "--\n" \
    "\n" \
    "What a conversion would do, without doing it: a Plan with .kind ('view' or 'copy') and\n" \
    ".reason (why a copy, '' for a view). to: 'torch', 'cupy', 'numpy', 'gpumat' or 'image'.\n" \
    "layout, src_layout, contiguous: as for as_torch. Raises what the conversion would raise."

#define PV_DOC_from_pointer \
    "from_pointer($module, /, ptr, shape, dtype, *, strides=None, layout=None, device=None, owner=None,\n" \
    "             stream=None, readonly=False)\n" \
    "--\n" \
    "\n" \
    "The memory at address `ptr` as a pixview.Image.\n" \
    "\n" \
    "shape: 2 to 4 extents, in the order `layout` (by default HW, HWC or NHWC). strides: bytes; None\n" \
    "is packed. dtype: NumPy, torch or CuPy dtype, or a string. device: None asks the driver which GPU\n" \
    "the pointer belongs to; an int ordinal, 'cpu', 'cuda', 'cuda:1' or ('cuda', 1) says it. owner: kept\n" \
    "alive by the Image and every view of it; None: the memory must outlive them. stream: in which the\n" \
    "memory was last used; None is the legacy default stream. readonly: no writable view is given out.\n" \
    "\n" \
    "Errors: LayoutError (rank, extents, strides, alignment, NULL), DtypeError, DeviceError (a pointer or\n" \
    "GPU that the driver does not know), CudaError (no driver to ask)."

#define PV_DOC_copy_into \
    "copy_into($module, /, dst, src, *, dst_layout=None, src_layout=None, stream=None)\n" \
    "--\n" \
    "\n" \
    "Copies the pixels of src into the memory of dst and returns dst. Equal extents and dtypes; any\n" \
    "layouts, strides and ROIs. Values are never converted: unequal dtypes are a DtypeError.\n" \
    "ReadOnlyError if dst may not be written (read-only memory, a tensor that requires grad). Between\n" \
    "host and GPU too. Work on a GPU is queued on dst's stream. A copy to the host waits until\n" \
    "the pixels are there, one from the host until src may be written; from pinned memory it\n" \
    "does not wait, and src must not be written before the stream has passed.\n" \
    "dst_layout, src_layout, stream: as for as_torch. Errors: LayoutError (extents, overlap),\n" \
    "DtypeError, DeviceError, ReadOnlyError, CudaError, UnsupportedError."

#define PV_DOC_stream_of \
    "stream_of($module, x, /)\n" \
    "--\n" \
    "\n" \
    "The handle of the stream that x's producer works on, as an int; 0 is the legacy default one.\n" \
    "\n" \
    "Of a tensor or a CuPy array: torch's or CuPy's current stream on its GPU. Of an Image: its own.\n" \
    "Of a GpuMat: the legacy one, or that of the using_stream block around the call. Of an object\n" \
    "with the CUDA array interface: the one it names; -1 if it names none (its data is ready).\n" \
    "DeviceError for host memory; else the errors of as_torch."

#define PV_DOC_used_on \
    "used_on($module, /, view, stream)\n" \
    "--\n" \
    "\n" \
    "Tells pixview of a further stream that works on a view.\n" \
    "\n" \
    "A conversion knows two streams, those of its ends. If a third one uses the result, its memory\n" \
    "has to wait for that one as well before it is used again: when the last view lets go, the stream\n" \
    "of the memory waits for everything that `stream` has queued by then. The host does not wait.\n" \
    "Nothing is ordered before: let `stream` wait for the producer yourself.\n" \
    "\n" \
    "view: a result of pixview on a GPU, a slice or header copy of one, or an Image. A tensor of\n" \
    "torch's own memory gets record_stream(). stream: as stream= elsewhere (None: legacy); an object\n" \
    "is kept alive, an int is yours to keep.\n" \
    "Errors: UnsupportedError for what is no view of pixview's, DeviceError for host memory,\n" \
    "CudaError if the driver does not know the stream, ValueError for -1."

#define PV_DOC_warm_up \
    "warm_up($module, /, device=0)\n" \
    "--\n" \
    "\n" \
    "Does now what the first calls on a GPU would do: makes its context and an event, loads the\n" \
    "kernels, checks how cv2's GpuMat is read (if cv2 is imported). Never necessary; it takes these\n" \
    "milliseconds out of the first frame. May be called again, and inside a graph capture.\n" \
    "\n" \
    "device: an ordinal, 'cuda:1' or ('cuda', 1). DeviceError if there is no such GPU, CudaError\n" \
    "without a driver or if no kernel fits it."

#define PV_DOC_stack \
    "stack($module, /, images, *, to='torch', layout='NCHW', src_layout=None, dtype=None,\n" \
    "      scale=None, mean=None, std=None, swap_rb=False, size=None, pad_value=0, out=None,\n" \
    "      stream=None)\n" \
    "--\n" \
    "\n" \
    "Many images as one batch, converted on the way: one kernel launch on a GPU.\n" \
    "\n" \
    "images: a sequence (or iterator) of images that as_torch takes, mixed as you like; or one batch\n" \
    "   of 4 axes. All of one element type, on one device, and of one size unless size= is given.\n" \
    "to: 'torch', 'cupy', 'numpy', 'image', or 'gpumat' for a single image. The result is where the\n" \
    "   images are, on their GPU or in host memory: there is no device=. layout: axes of the\n" \
    "   result, 'NCHW' or 'NHWC'. src_layout: axes of every image, by default those usual where it\n" \
    "   comes from.\n" \
    "scale, mean, std: the result is (pixel * scale - mean) / std; mean and std are one number, or one\n" \
    "   per channel of the result. swap_rb: channels 0 and 2 change places before that.\n" \
    "dtype: of the result: float16, bfloat16, float32, uint8 (rounded, saturated), or the images'\n" \
    "   own. None: the images' own, or float32 when scale, mean or std is given.\n" \
    "size: (H, W) of the result; smaller images lie top left on a canvas of pad_value, which is in\n" \
    "   units of the images and normalised like a pixel.\n" \
    "out: a batch to write into, and then what is returned; `to` is not looked at. layout= names its\n" \
    "   axes (an Image has its own).\n" \
    "stream: of GpuMats, raw pointers and Images among the ends; None is the legacy default stream.\n" \
    "\n" \
    "Errors are raised before anything is queued, out is untouched then: LayoutError (no image, sizes\n" \
    "that differ, mean or std of another length, zero or not finite, overlap), DtypeError, DeviceError,\n" \
    "ReadOnlyError, CudaError, UnsupportedError."

#define PV_DOC_unstack \
    "unstack($module, /, batch, *, to='gpumat', src_layout=None, copy=None, stream=None)\n" \
    "--\n" \
    "\n" \
    "The images of a batch, as a list of `to`: 'gpumat', 'torch' (C,H,W), 'cupy', 'numpy', 'image'\n" \
    "(H,W,C).\n" \
    "\n" \
    "batch: N,C,H,W or N,H,W,C as src_layout says, by default what is usual where it comes from; an\n" \
    "   image of fewer axes is a batch of one. N = 0 gives [].\n" \
    "copy: None copies only if no view is possible: then the whole batch, once, in one launch, and the\n" \
    "   list shares that memory. False raises LayoutError instead, True always copies.\n" \
    "Each element keeps the memory alive. stream and errors as for as_gpumat."

// clang-format on

#endif
