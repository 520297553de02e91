// SPDX-License-Identifier: Apache-2.0
// Docstrings. A literal holds a line of text, so that they read as they print.
#ifndef PV_DOCS_H
#define PV_DOCS_H

// clang-format off

#define PV_DOC_as_torch \
    "as_torch($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "         allow_readonly=False, stream=None)\n--\n\n" \
    "`x` as a torch.Tensor over the same memory, on the device it is on.\n\n" \
    "x: GpuMat, torch tensor, CuPy or NumPy array, pixview.Image, or an object with __dlpack__,\n" \
    "   __cuda_array_interface__, __array_interface__ or the buffer protocol. Of a VideoFrame R, G and B are\n" \
    "   computed: always a copy, of uint8.\n" \
    "layout: axis order of the result: 'HW', 'CHW', 'HWC', 'NCHW' or 'NHWC'; by default HW, CHW or NCHW.\n" \
    "src_layout: axis order of x; by default HW, CHW or NCHW for a tensor, otherwise HW, HWC or NHWC.\n" \
    "copy: None copies only if no view is possible. False raises instead. True always copies.\n" \
    "contiguous: copy if the result would not be dense in its layout.\n" \
    "allow_readonly: return a writable alias of read-only memory (NumPy, JAX) instead of a copy.\n" \
    "stream: the stream of a GpuMat, Image or raw pointer: None (legacy default; for an Image its own),\n" \
    "   an int handle, a stream object, or -1 (no ordering).\n\n" \
    "The result keeps x's memory alive. Errors: LayoutError, DtypeError, DeviceError,\n" \
    "ReadOnlyError, CudaError, UnsupportedError."

#define PV_DOC_as_cupy \
    "as_cupy($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "        allow_readonly=False, stream=None)\n--\n\n" \
    "`x` as a cupy.ndarray over the same memory, axes H,W,C by default. copy=True uploads\n" \
    "host memory to CuPy's current device. Arguments and errors as for as_torch."

#define PV_DOC_as_numpy \
    "as_numpy($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "         allow_readonly=False, stream=None)\n--\n\n" \
    "`x` as a numpy.ndarray over the same memory, axes H,W,C by default. copy=True\n" \
    "downloads GPU memory and waits for the pixels. Read-only memory stays read-only. Arguments and\n" \
    "errors as for as_torch."

#define PV_DOC_as_gpumat \
    "as_gpumat($module, /, x, *, src_layout=None, copy=None, allow_readonly=False, stream=None)\n--\n\n" \
    "`x` as a cv2.cuda.GpuMat of H rows, W columns and C channels.\n\n" \
    "A view if the pixels are interleaved in memory (a permuted H,W,C or channels_last tensor, H,W,\n" \
    "or C = 1) in rows of any pitch. Otherwise one interleaving copy. N > 1, C above CV_CN_MAX, and H or\n" \
    "W above INT_MAX raise LayoutError. copy=True uploads host memory.\n" \
    "stream: the stream that will use the GpuMat. None is the legacy default stream, which cv2.cuda\n" \
    "functions use without a stream. Other arguments and errors as for as_torch."

#define PV_DOC_view \
    "view($module, /, x, *, layout=None, src_layout=None, copy=None, contiguous=False,\n" \
    "     stream=None)\n--\n\n" \
    "`x` as a pixview.Image over the same memory, in x's own axis order unless layout= is given.\n" \
    "Imports no framework. Arguments and errors as for as_torch."

#define PV_DOC_plan \
    "plan($module, /, x, to, *, layout=None, src_layout=None, contiguous=False)\n--\n\n" \
    "What a conversion would do: a Plan with .kind ('view' or 'copy') and .reason (why a copy, '' for a\n" \
    "view). It converts nothing. to: 'torch', 'cupy', 'numpy', 'gpumat' or 'image'.\n" \
    "layout, src_layout, contiguous: as for as_torch. Raises what the conversion would raise."

#define PV_DOC_from_pointer \
    "from_pointer($module, /, ptr, shape, dtype, *, strides=None, layout=None, device=None, owner=None,\n" \
    "             stream=None, readonly=False)\n--\n\n" \
    "The memory at address `ptr` as a pixview.Image. ptr: an integer, ctypes.c_void_p or CUdeviceptr.\n\n" \
    "shape: 2 to 4 extents, in the order `layout` (by default HW, HWC or NHWC). strides: bytes; None\n" \
    "is packed. dtype: a NumPy, torch or CuPy dtype, or a string. device: an int ordinal, 'cpu', 'cuda',\n" \
    "'cuda:1' or ('cuda', 1); None: the GPU that the driver names for ptr. owner: an object that the Image\n" \
    "and its views keep alive; None: the memory must outlive them. stream: the stream that last used the\n" \
    "memory; None is the legacy default stream. readonly: True gives no writable view.\n\n" \
    "Errors: LayoutError (rank, extents, strides, alignment, NULL), DtypeError, DeviceError (a pointer or\n" \
    "GPU that the driver does not know), CudaError (no driver to ask)."

#define PV_DOC_copy_into \
    "copy_into($module, /, dst, src, *, dst_layout=None, src_layout=None, stream=None)\n--\n\n" \
    "Copies the pixels of src into the memory of dst and returns dst. Extents and dtypes must be\n" \
    "equal; layouts, strides and ROIs may differ. Values are not converted: unequal dtypes raise DtypeError.\n" \
    "A VideoFrame as src becomes R, G and B of uint8; as dst it is written from them.\n" \
    "ReadOnlyError if dst may not be written (read-only memory, a tensor that requires grad). Between\n" \
    "host and GPU too. Work on a GPU is queued on dst's stream. A copy to the host waits for\n" \
    "the pixels. A copy from the host waits until src may be written again, except from pinned memory:\n" \
    "then src must not be written before the stream has passed.\n" \
    "dst_layout, src_layout, stream: as for as_torch. Errors: LayoutError (extents, overlap),\n" \
    "DtypeError, DeviceError, ReadOnlyError, CudaError, UnsupportedError."

#define PV_DOC_video_frame \
    "video_frame($module, /, x, *, format=None, matrix=None, range=None, order='RGB', size=None,\n" \
    "            chroma='nearest', device=None, copy=False, stream=None)\n--\n\n" \
    "A decoder's frame as a pixview.VideoFrame over the same planes.\n\n" \
    "x: a frame of PyAV, PyNvVideoCodec (DecodedFrame), torchcodec (RawFrame), VALI (Surface) or SPDL; a\n" \
    "   tuple of planes, each anything that as_torch takes, H,W or H,W,C; one array (H*3/2, W) of all planes; a\n" \
    "   tuple of (address, pitch in bytes), with size= and device=; a VideoFrame.\n" \
    "format: 'NV12', 'P010', 'YUV420P', ... matrix: 'bt601', 'bt709', 'bt2020', 'smpte240m', or 'opencv', the\n" \
    "   constants of cv2.cvtColor. range: 'limited' or 'full'. None of the three is guessed: what x does\n" \
    "   not say has to be passed. What is passed wins over what x says.\n" \
    "order: of the channels as an image, 'RGB' or 'BGR'. size: (H, W) of what shows, of larger planes the top\n" \
    "   left part. chroma: which U and V a pixel takes. device, stream: of addresses, as for from_pointer.\n" \
    "copy: True copies the planes into memory of their own, so that the decoder may write its surface again.\n\n" \
    "Errors: LayoutError (planes that do not fit, what is not said), DtypeError, DeviceError, CudaError,\n" \
    "UnsupportedError."

#define PV_DOC_to_video_frame \
    "to_video_frame($module, /, images, *, format='NV12', matrix=None, range=None, order='RGB',\n" \
    "               siting='left', scale=None, mean=None, std=None, src_layout=None, stream=None, out=None)\n--\n\n" \
    "An image of 3 channels as a VideoFrame for an encoder, or a batch as a list of them.\n\n" \
    "images: values of 0 to 255, clipped, of any type that stack converts. format, matrix, range: of the\n" \
    "   frames; tell the encoder the same. order: of the channels of images. siting: where U and V lie among\n" \
    "   their pixels: 'left' (H.264, H.265), 'center' (JPEG) or 'top-left'.\n" \
    "scale, mean, std: the numbers that stack was given; they are undone first.\n" \
    "out: a VideoFrame, or a list of them, to write into; they have their own format, matrix and range.\n" \
    "src_layout, stream: as for as_torch.\n\n" \
    "New frames are one piece of memory each, on the device of images: rows of Y dense and of an even number\n" \
    "of samples, the other planes behind. Errors: LayoutError, DtypeError, DeviceError, ReadOnlyError, CudaError,\n" \
    "UnsupportedError."

#define PV_DOC_stream_of \
    "stream_of($module, x, /)\n--\n\n" \
    "The handle of the stream that x's producer works on, as an int; 0 is the legacy default one.\n\n" \
    "Of a tensor or a CuPy array: torch's or CuPy's current stream on its GPU. Of an Image: its own.\n" \
    "Of a GpuMat: the legacy one, or that of the using_stream block around the call. Of an object\n" \
    "with the CUDA array interface: the one it names; -1 if it names none (its data is ready).\n" \
    "DeviceError for host memory; else the errors of as_torch."

#define PV_DOC_used_on \
    "used_on($module, /, view, stream)\n--\n\n" \
    "Adds a stream that reads or writes a view, besides the two of the conversion.\n\n" \
    "When the last view is dropped, the memory's stream waits for the work that `stream` has queued by\n" \
    "then. The host does not wait. Make `stream` wait for the producer yourself.\n\n" \
    "view: a result of pixview on a GPU, a slice or header copy of one, or an Image. A tensor of\n" \
    "torch's own memory gets record_stream(). stream: as stream= elsewhere (None: legacy). A stream\n" \
    "object is kept alive. An int is not: the memory's stream waits at once, for the work queued so far.\n" \
    "Errors: UnsupportedError if view is not a view by pixview, DeviceError for host memory,\n" \
    "CudaError if the driver does not know the stream, ValueError for -1."

#define PV_DOC_warm_up \
    "warm_up($module, /, device=0)\n--\n\n" \
    "Makes the context and an event, loads the kernels and, if cv2 is imported, checks how its GpuMat is\n" \
    "read. This takes milliseconds that the first frame would need otherwise. May be called again, also\n" \
    "inside a graph capture.\n\n" \
    "device: an ordinal, 'cuda:1' or ('cuda', 1). DeviceError if there is no such GPU, CudaError\n" \
    "if there is no driver or no kernel for it."

#define PV_DOC_stack \
    "stack($module, /, images, *, to='torch', layout='NCHW', src_layout=None, dtype=None,\n" \
    "      scale=None, mean=None, std=None, swap_rb=False, size=None, pad_value=0, fit=None,\n" \
    "      align='center', scaleup=True, stride=None, interpolation='linear', rois=None,\n" \
    "      channels=None, return_placements=False, out=None, stream=None)\n--\n\n" \
    "Converts many images into one batch: on a GPU in one kernel launch.\n\n" \
    "images: a sequence or iterator of images of any type, which may be mixed, or one batch of 4 axes.\n" \
    "   All have one element type, one device and, without size=, one size. A VideoFrame counts as a uint8\n" \
    "   image of 3 channels, with values of 0 to 255 at every depth.\n" \
    "to: 'torch', 'cupy', 'numpy', 'image', or 'gpumat' for a single image. The result is where the\n" \
    "   images are, on their GPU or in host memory: there is no device=. layout: axis order of\n" \
    "   the result, 'NCHW' or 'NHWC'. src_layout: axis order of every image, as for as_torch.\n" \
    "swap_rb: exchange channels 0 and 2 first. scale, mean, std: the result is\n" \
    "   (pixel * scale - mean) / std; mean and std are one number, or one per channel of the result.\n" \
    "   blobFromImages computes (pixel - mean) * scalefactor: pass mean = its mean * scalefactor.\n" \
    "dtype: of the result: float16, bfloat16, float32, uint8 (rounded, saturated), or the images'\n" \
    "   own. None: the images' own, or float32 if scale, mean or std is given.\n" \
    "size: (H, W) of the result, the canvas. A smaller image lies at the top left, the rest is pad_value,\n" \
    "   in units of the images and normalised like a pixel.\n" \
    "fit: resize each image to the canvas: 'stretch' each axis by itself, 'letterbox' keeping the ratio and\n" \
    "   padding (the numbers of ultralytics' LetterBox), 'cover' keeping it and cutting off (torchvision's\n" \
    "   Resize and CenterCrop). align: 'center' or 'top-left'. scaleup=False: smaller images keep their size.\n" \
    "   stride: for 'letterbox': the canvas is the smallest that loses only whole strides of padding.\n" \
    "interpolation: of 8-bit images, 'linear' and 'nearest' give the bytes of cv2.resize, 'pil-bilinear',\n" \
    "   'pil-bicubic' and 'pil-lanczos' those of Pillow 13 (uint8 only); 'area' is the mean of what a\n" \
    "   pixel covers.\n" \
    "rois: (y, x, h, w) for each image, or a sequence of them for each: those regions are stacked, in order.\n" \
    "channels: only that many, the first, of each pixel.\n" \
    "return_placements: return (batch, Placements): where each image lies, and the way back for boxes.\n" \
    "out: an existing batch to write into and return; `to` is then ignored. layout describes it (an Image\n" \
    "   has its own).\n" \
    "stream: the stream of GpuMats, raw pointers and Images; None is the legacy default stream.\n\n" \
    "All errors are raised before any work is queued, and out is then unchanged: LayoutError (no image,\n" \
    "unequal sizes, a region that leaves its image, a mean or std of a wrong length, zero or not finite,\n" \
    "overlap), DtypeError, DeviceError,\n" \
    "ReadOnlyError, CudaError, UnsupportedError."

#define PV_DOC_unstack \
    "unstack($module, /, batch, *, to='gpumat', src_layout=None, copy=None, stream=None)\n--\n\n" \
    "The images of a batch, as a list of `to`: 'gpumat', 'torch' (C,H,W), 'cupy', 'numpy', 'image'\n" \
    "(H,W,C).\n\n" \
    "batch: N,C,H,W or N,H,W,C (src_layout; by default as for as_torch). An image of fewer axes is a batch\n" \
    "   of one. N = 0 gives [].\n" \
    "copy: None copies only if no view is possible. It then copies the whole batch once, in one launch,\n" \
    "   and the list shares that memory. False raises instead. True always copies.\n" \
    "Each element keeps the memory alive. stream and errors as for as_gpumat."

// clang-format on

#endif
