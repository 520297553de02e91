# SPDX-License-Identifier: Apache-2.0
"""torchvision, CV-CUDA and kornia_rs, as preprocess.py compares pixview with them on a GPU.

Each function makes a Peer of a case, and raises where the library is not installed or does not take it.
Frames are torch's, stacked; what can be made beforehand is. The names of CV-CUDA 0.19, kornia_rs 0.2.
"""

import torch
from preprocess_peers import HEIGHT, MEAN, PAD, SCALE, STD, WIDTH, Peer, affine, borders, parts_of
from torch.nn.functional import interpolate

# ---- torchvision ----------------------------------------------------------------------------------


def torchvision_resize(stacked, inner, size, dtype, bicubic=False):
    """v2's functions, without antialias; bicubic: with it. Into memory of its own."""
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as v2

    mode = InterpolationMode.BICUBIC if bicubic else InterpolationMode.BILINEAR
    above, below, left, right = borders(inner, size)
    planar = stacked.permute(0, 3, 1, 2)

    def call():
        batch = v2.resize(planar, list(inner), mode, antialias=bicubic).flip(1)
        if inner != size:
            batch = v2.pad(batch, [left, above, right, below], fill=PAD)
        return v2.normalize(v2.to_dtype(batch, dtype, scale=True), MEAN, STD, inplace=True)

    return Peer(call, result=lambda found: found)


def roi_align(stacked, regions, out):
    """One sample a pixel, of frames that are floats and R,G,B already; then normalised. It reads beyond a
    region's edges, into the frame."""
    from torchvision.ops import roi_align as align

    a, b = affine(stacked.device)
    boxes = [(i, x, y, x + w, y + h) for i, of in enumerate(regions) for y, x, h, w in of]
    boxes = torch.tensor(boxes, device=stacked.device, dtype=torch.float32)
    frames, size = stacked.permute(0, 3, 1, 2).flip(1).float().contiguous(), tuple(out.shape[2:])

    def call():
        torch.addcmul(b, align(frames, boxes, size, sampling_ratio=1, aligned=True), a, out=out)

    return Peer(call)


# ---- CV-CUDA --------------------------------------------------------------------------------------


class Cvcuda:
    """Its operators on torch's stream, over torch's memory."""

    def __init__(self):
        import cvcuda

        self.lib = cvcuda
        self.on = {"stream": cvcuda.as_stream(torch.cuda.current_stream())}

    def tensor(self, memory, layout="NHWC"):
        return self.lib.as_tensor(memory, layout)

    def memory(self, shape, dtype=torch.uint8, layout="NHWC"):
        return self.tensor(torch.zeros(shape, device="cuda", dtype=dtype), layout)

    def batch(self, images):
        """Made in every call: a list has other images the next time."""
        batch = self.lib.ImageBatchVarShape(len(images))
        batch.pushback([self.lib.as_image(image) for image in images])
        return batch

    def resize_to_planes(self, into, source, size):
        """resize_crop_convert_reformat: channels swapped, 0 to 1. It has no padding, no mean and no std."""
        self.lib.resize_crop_convert_reformat_into(
            into, source, (size[1], size[0]), self.lib.Interp.LINEAR, (0, 0),
            manip=self.lib.ChannelManip.REVERSE, scale=SCALE, offset=0.0, **self.on,
        )  # fmt: skip

    def normalise(self, into, source):
        flags = int(self.lib.NormalizeFlags.SCALE_IS_STDDEV)
        self.lib.normalize_into(into, source, list(MEAN), list(STD), flags, **self.on)


def cvcuda_list(stacked, size, out):
    """One call for a list: stretched onto all of the canvas, from 0 to 1. Less than is asked for."""
    cv, images, into = Cvcuda(), list(stacked), torch.empty_like(out)
    planes = cv.tensor(into, "NCHW")
    small = interpolate(stacked.permute(0, 3, 1, 2).float(), size, mode="bilinear")

    def call():
        cv.resize_to_planes(planes, cv.batch(images), size)

    return Peer(call, result=lambda _: into, expected=small.flip(1) * SCALE, level=SCALE)


def cvcuda_chain(stacked, inner, size, out, bicubic=False):
    """All of it, from the stacked tensor: resize and copymakeborder of bytes where there is padding,
    resize_crop_convert_reformat, normalize. Bicubic: hq_resize with antialias."""
    cv, n, edges = Cvcuda(), len(stacked), borders(inner, size)
    source = cv.tensor(stacked)
    canvas, planes = cv.memory((n, *size, 3)), cv.memory(out.shape, torch.float32, "NCHW")
    small, into = cv.memory((n, *inner, 3)), cv.tensor(out, "NCHW")
    linear, cubic = cv.lib.Interp.LINEAR, cv.lib.Interp.CUBIC

    def call():
        at = source
        if bicubic:
            at = small
            cv.lib.hq_resize_into(small, source, antialias=True, interpolation=cubic, **cv.on)
        elif inner != size:
            at = canvas
            cv.lib.resize_into(small, source, linear, **cv.on)
            cv.lib.copymakeborder_into(canvas, small, cv.lib.Border.CONSTANT, [float(PAD)] * 3,
                                       top=edges[0], left=edges[2], **cv.on)  # fmt: skip
        cv.resize_to_planes(planes, at, size)
        cv.normalise(into, planes)

    return Peer(call)


def cvcuda_crops(stacked, regions, out, fit):
    """resize_crop_convert_reformat of a list of regions, or copymakeborderstack and the same; normalize."""
    cv, parts, size = Cvcuda(), parts_of(stacked, regions), tuple(out.shape[2:])
    canvas, planes = cv.memory((len(parts), *size, 3)), cv.memory(out.shape, torch.float32, "NCHW")
    nothing, into = cv.memory((1, 1, len(parts), 1), torch.int32), cv.tensor(out, "NCHW")

    def call():
        at = cv.batch(parts)
        if not fit:
            cv.lib.copymakeborderstack_into(canvas, at, cv.lib.Border.CONSTANT, [float(PAD)] * 3,
                                            top=nothing, left=nothing, **cv.on)  # fmt: skip
            at = canvas
        cv.resize_to_planes(planes, at, size)
        cv.normalise(into, planes)

    return Peer(call)


# ---- kornia_rs ------------------------------------------------------------------------------------


def calm(call):
    """Its panics are no Exception."""
    try:
        return call()
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise RuntimeError(str(error)) from error


def kornia(stacked, inner, size, dtype):
    """Its Preprocessor, a kernel for each frame, on the default stream. The frames are R,G,B already."""
    import kornia_rs
    from kornia_rs.cuda import Stream
    from kornia_rs.image import Image

    def make():
        made = kornia_rs.Preprocessor(mode="stretch" if inner == size else "letterbox", f16=dtype == torch.float16,
                                      mean=MEAN, std=STD, pad_value=PAD, stream=Stream.default(0))  # fmt: skip
        return made, [made.alloc_output(*size, 1) for _ in stacked]

    worker, into = calm(make)
    images = [calm(lambda f=frame: Image.from_dlpack(f)) for frame in stacked.flip(3).contiguous()]

    def call():
        for image, one in zip(images, into, strict=True):
            worker.run(image, WIDTH, HEIGHT, *size, out=one)

    calm(call)
    return Peer(call, result=lambda _: torch.cat([torch.from_dlpack(one) for one in into]))
