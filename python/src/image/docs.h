// SPDX-License-Identifier: Apache-2.0
// Docstrings of pixview.Image. A literal holds a line of text, so that they read as they print.
#ifndef PV_IMAGE_DOCS_H
#define PV_IMAGE_DOCS_H

// clang-format off

#define PV_DOC_image_crop \
    "crop($self, /, y, x, h, w)\n--\n\n" \
    "A view of h rows and w columns from row y, column x: an Image over the same memory, which it keeps\n" \
    "alive. LayoutError if the rectangle is not inside the image."

#define PV_DOC_video_frame_type \
    "A decoded video frame: planes of Y, U and V in host or GPU memory, with what their colours mean.\n\n" \
    "`video_frame` and `to_video_frame` return one. It goes wherever an image goes, as 8-bit R, G and B,\n" \
    "made in one pass. It keeps its source alive."

#define PV_DOC_video_frame_planes \
    "A tuple of Images over the planes: Y as H,W; U and V in turns as H,W,2; U and V apart as H,W."

#define PV_DOC_video_frame_format "Its format: 'NV12', 'P010', 'YUV420P10', ..."

#define PV_DOC_video_frame_height "Rows of pixels."

#define PV_DOC_video_frame_width "Columns of pixels."

#define PV_DOC_video_frame_matrix \
    "'bt601', 'bt709', 'bt2020', 'smpte240m' or 'opencv'. None for a gray frame that has none."

#define PV_DOC_video_frame_range "'limited' or 'full'."

#define PV_DOC_video_frame_bit_depth "Bits of a sample's value: 8, 10, 12 or 16."

#define PV_DOC_video_frame_order "The order of its channels as an image: 'RGB' or 'BGR'."

#define PV_DOC_video_frame_device "('cuda', index) or ('cpu', 0)."

#define PV_DOC_video_frame_stream \
    "The handle of the stream that its memory is used on; 0 is the legacy default one, -1 none. None in host\n" \
    "memory."

#define PV_DOC_video_frame_crop \
    "crop($self, /, y, x, h, w)\n--\n\n" \
    "A view of h rows and w columns from row y, column x. LayoutError if the rectangle is not inside the\n" \
    "frame, or begins inside a group of pixels that share U and V (of 4:2:0 y and x are even, of 4:2:2 x).\n" \
    "The rois= of stack may begin anywhere."

#define PV_DOC_video_frame_cuda \
    "cuda($self, /)\n--\n\n" \
    "Its planes as PyNvVideoCodec's encoder takes them: a list of objects with a __cuda_array_interface__ of\n" \
    "axes H,W,C. DeviceError in host memory."

#define PV_DOC_image_tobytes \
    "tobytes($self, /)\n--\n\n" \
    "The elements as bytes, dense in the order of `layout`: a copy. DeviceError in device memory."

#define PV_DOC_image___copy__ \
    "__copy__($self, /)\n--\n\n" \
    "copy.copy: another Image over the same memory."

#define PV_DOC_image___deepcopy__ \
    "__deepcopy__($self, memo, /)\n--\n\n" \
    "copy.deepcopy: an Image over a dense, writable copy of the memory, on the same device."

#define PV_DOC_image___reduce_ex__ \
    "__reduce_ex__($self, protocol, /)\n--\n\n" \
    "pickle: the elements, dense, in any protocol. From protocol 5 on, dense memory is handed out of band\n" \
    "without a copy if the pickler has a buffer_callback. Device memory is shared with the one process that\n" \
    "loads the pickle, as by pixview.share(copy=True): the other process opens it."

#define PV_DOC_image___dlpack__ \
    "__dlpack__($self, /, stream=None, *, max_version=None, dl_device=None, copy=None)\n--\n\n" \
    "A DLPack capsule (array API 2024.12) that keeps the memory alive.\n\n" \
    "stream: the stream on which the consumer uses device memory: None or 1 (legacy default), 2\n" \
    "   (per-thread default), a handle, a stream object, or -1 (no ordering). It waits for the Image's own\n" \
    "   stream. For host memory only None or -1. max_version: from (1, 0) on a versioned struct, otherwise\n" \
    "   a legacy one, which has no read-only flag. dl_device: the Image's own device, or (1, 0), the CPU: this copies\n" \
    "   device memory and waits. copy: None copies only for that, False never, True always.\n\n" \
    "Errors: BufferError for what DLPack cannot describe or a copy that is not allowed, ReadOnlyError (a\n" \
    "BufferError) for read-only memory in a legacy struct, ValueError for stream=0, CudaError."

#define PV_DOC_image___dlpack_device__ \
    "__dlpack_device__($self, /)\n--\n\n" \
    "(device type, device id) in DLPack's codes: type 1 CPU, 2 CUDA, 3 pinned host, 13 managed memory."

#define PV_DOC_image___array__ \
    "__array__($self, dtype=None, *, copy=None)\n--\n\n" \
    "For numpy.asarray: the view of host memory, or a copy where dtype or copy=True ask for one.\n" \
    "DeviceError in device memory, ValueError if copy=False forbids the copy."

#define PV_DOC_image_shape "Extents in elements, in the order of `layout`: a tuple of 2 to 4 ints."
#define PV_DOC_image_strides "Strides in bytes, in the order of `layout`; any sign. Never None."
#define PV_DOC_image_layout "Names of the axes: 'HW', 'CHW', 'HWC', 'NCHW' or 'NHWC'."
#define PV_DOC_image_dtype "NumPy dtype of the elements; the string 'bfloat16' for that type."
#define PV_DOC_image_device "('cuda', ordinal) or ('cpu', 0)."
#define PV_DOC_image_nbytes "Bytes of the elements; padding between rows is not counted."
#define PV_DOC_image_ptr \
    "Address of the first element, an int; 0 if the image is empty. Valid while the Image lives."
#define PV_DOC_image_readonly "True if the memory may not be written."

#define PV_DOC_image_owner \
    "The Python object that this Image keeps alive. None if it keeps none alive, or if it holds DLPack's\n" \
    "or OpenCV's own reference count instead."

#define PV_DOC_image___array_interface__ \
    "Array interface 3. AttributeError for device memory, and for bfloat16, which has no typestr."

#define PV_DOC_image___cuda_array_interface__ \
    "CUDA array interface 3, with the stream that the memory is in (1: legacy default).\n" \
    "AttributeError for host memory, and for bfloat16, which has no typestr."

#define PV_DOC_image \
    "An image in host or GPU memory, which it keeps alive.\n\n" \
    "pixview.view and pixview.from_pointer return one. NumPy, torch, CuPy, Numba, JAX and every library\n" \
    "with DLPack or an array interface read it directly. C consumers find the DLPack C exchange table in\n" \
    "Image.__dlpack_c_exchange_api__. It cannot be subclassed."

#define PV_DOC_share_type \
    "An image that other processes open. pixview.share(image) makes one; a pickle of it is small.\n\n" \
    "It holds the image. A pickle of it is for one receiver, and holds the image until that one opens it or\n" \
    "drops it unopened, for `keep` seconds at most. A receiver that pickles it again passes it on."

#define PV_DOC_share_open \
    "open($self, /, *, device=None, stream=None, timeout=10)\n--\n\n" \
    "The image as a pixview.Image over the same memory, for as often as it is called.\n\n" \
    "device: the GPU that will read it, by default the one that it is on; another one maps the memory, or\n" \
    "   gets one copy where it cannot (plan() tells). Unused for host memory.\n" \
    "stream: on which it is used first: waits for what the sender had queued. None, an int handle, a stream\n" \
    "   object, or -1 (no ordering).\n" \
    "timeout: seconds for an answer of the other process.\n\n" \
    "The memory goes back when the last view of it is dropped and what `stream` has queued by then is done.\n" \
    "Errors: ShareError if the sender is gone, has let go of the image, is of another host or user, or does\n" \
    "not answer; DeviceError if its GPU is not visible; CudaError."

#define PV_DOC_share_plan \
    "plan($self, /, *, device=None)\n--\n\n" \
    "What open(device=device) would do: a Plan with .kind ('view' or 'copy') and .reason."

#define PV_DOC_share_close \
    "close($self, /)\n--\n\n" \
    "Stops holding the image, as dropping the Share does. Pickles on their way still hold it. What was opened\n" \
    "stays."

#define PV_DOC_share_shape "Extents, in the order of the layout."
#define PV_DOC_share_dtype "Element type: a NumPy dtype, or its name without NumPy."
#define PV_DOC_share_layout "Axis order, such as 'HWC'."
#define PV_DOC_share_device "('cuda', index) as this process numbers it, -1 if it is not visible; or ('cpu', 0)."
#define PV_DOC_share_nbytes "Bytes of the pixels."
#define PV_DOC_share_pid "The process that shared it."
#define PV_DOC_share_unopened "How many pickles of it are on their way. 0 in another process."

#define PV_DOC_share \
    "share($module, /, x, *, layout=None, src_layout=None, copy=None, keep=60.0, stream=None)\n--\n\n" \
    "`x` for another process of this machine and user: a Share, which is pickled and opened there.\n\n" \
    "x, layout, src_layout: as for view. Memory of a Pool is shared as it is; GPU memory of OpenCV, CuPy and torch's\n" \
    "   default allocators too, by a CUDA IPC handle. Host memory of anybody else is copied once.\n" \
    "copy: None copies host memory alone. True also GPU memory that cannot be shared: expandable segments,\n" \
    "   stream-ordered pools, managed memory. False never copies.\n" \
    "keep: seconds that a pickle holds the image until it is opened; None: for ever.\n" \
    "stream: as for view. What it has queued so far comes before the opener's work.\n\n" \
    "The image is held while the Share, a pickle on its way, or another process has it. Errors:\n" \
    "UnsupportedError names memory that cannot be shared; ShareError if too much is shared, or the system\n" \
    "refuses; CudaError; and those of view."

#define PV_DOC_pool_type \
    "Pool(shape, dtype, frames, *, device='cpu', layout=None)\n--\n\n" \
    "Frames of one kind, in one piece of memory that is made to be shared with other processes.\n\n" \
    "shape: extents in the order of layout, by default H,W, H,W,C or N,H,W,C. Each frame is dense, and begins\n" \
    "   at a multiple of 512 bytes. frames: 1 to 1024. device: 'cpu', 'cuda:1', ('cuda', 1) or 1.\n\n" \
    "A frame is free again when its Image and all views, its Shares and their pickles are gone, and every\n" \
    "process that opened it has let go. Errors: LayoutError, DtypeError, DeviceError, ShareError, CudaError,\n" \
    "UnsupportedError (a GPU without CUDA's virtual memory management), MemoryError."

#define PV_DOC_pool_get \
    "get($self, /, *, timeout=None, stream=None)\n--\n\n" \
    "A frame that nobody uses, as a writable Image; its pixels are anything. Waits for one, `timeout` seconds\n" \
    "at most (ShareTimeoutError). stream: on which it is used, as for view."

#define PV_DOC_pool_copy \
    "copy($self, /, x, *, timeout=None, src_layout=None, stream=None)\n--\n\n" \
    "A frame with the pixels of x, as copy_into would copy them."

#define PV_DOC_pool_close \
    "close($self, /)\n--\n\n" \
    "Gives no more frames, as dropping the Pool does. Its memory goes with the last frame."

#define PV_DOC_pool_shape "Extents of a frame, in the order of the layout."
#define PV_DOC_pool_dtype "Element type: a NumPy dtype, or its name without NumPy."
#define PV_DOC_pool_layout "Axis order, such as 'HWC'."
#define PV_DOC_pool_device "('cuda', index) or ('cpu', 0)."
#define PV_DOC_pool_frames "How many there are."
#define PV_DOC_pool_idle "How many of them nobody uses now."

// clang-format on

#endif
