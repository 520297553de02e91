# SPDX-License-Identifier: Apache-2.0
"""What video.py compares pixview with, each as a call that fills memory that exists.

`surfaces`: N frames in one tensor N, rows, pitch, as a decoder gives each: all rows of Y, then those of UV.
torch.compile gives memory of its own. The names of CV-CUDA 0.19 and of NPP 13.
"""

import ctypes

import peers
import pixview
import torch
from preprocess_libraries import Cvcuda
from preprocess_peers import MEAN, PAD, SCALE, STD, Peer, affine, borders
from torch.nn.functional import interpolate, pad

KR, KB = 0.2126, 0.0722  # BT.709
KG = 1 - KR - KB
LUMA, CHROMA = 219 / 255, 224 / 255  # limited range
R_OF_V, B_OF_U = 2 * (1 - KR), 2 * (1 - KB)
G_OF_V, G_OF_U = KR / KG * R_OF_V, KB / KG * B_OF_U


# ---- torch ----------------------------------------------------------------------------------------


def planes_of(surfaces, size):
    """Y as N,H,W; U and V as N,H/2,W/2."""
    height, width = size
    uv = surfaces[:, height : height * 3 // 2, :width].unflatten(2, (-1, 2))
    return surfaces[:, :height, :width], uv[..., 0], uv[..., 1]


def upsampled(plane):
    """Each sample for the four pixels of its group."""
    return plane[:, :, None, :, None].expand(-1, -1, 2, -1, 2).flatten(3, 4).flatten(1, 2)


def torch_rgb(surfaces, size, dtype):
    """N,3,H,W of 0 to 255."""
    unit = 256 if surfaces.dtype == torch.uint16 else 1
    y, u, v = (plane.to(dtype) for plane in planes_of(surfaces, size))
    y = y.sub_(16 * unit).mul_(1 / LUMA / unit)
    u, v = (upsampled(c.sub_(128 * unit).mul_(1 / CHROMA / unit)) for c in (u, v))
    return torch.stack((y + R_OF_V * v, y - G_OF_U * u - G_OF_V * v, y + B_OF_U * u), 1).clamp_(
        0, 255
    )


def torch_batch(size, inner, canvas, dtype, device):
    """A function of surfaces, and of memory to fill or None. It computes in `dtype`, of bytes in float32."""
    a, b = affine(device, dtype if dtype.is_floating_point else torch.float32)
    above, below, left, right = borders(inner or canvas, canvas)

    def convert(surfaces, out=None):
        rgb = torch_rgb(surfaces, size, a.dtype)
        if inner:
            rgb = pad(
                interpolate(rgb, inner, mode="bilinear"), (left, right, above, below), value=PAD
            )
        if dtype == torch.uint8:
            return rgb.round_().to(dtype) if out is None else out.copy_(rgb.round_())
        return torch.addcmul(b, rgb, a) if out is None else torch.addcmul(b, rgb, a, out=out)

    return convert


def torch_back(images, axes, scale, surfaces, size):
    """U and V of the mean of each group: siting "center", where ours has the filter for "left"."""
    y, u, v = planes_of(surfaces, size)

    def call():
        r, g, b = (images.permute(axes) * scale).unbind(1)
        luma = KR * r + KG * g + KB * b
        y.copy_((luma * LUMA).add_(16).round_())
        r, b, luma = (
            c.unflatten(2, (-1, 2)).unflatten(1, (-1, 2)).mean((2, 4)) for c in (r, b, luma)
        )
        u.copy_(((b - luma) * (CHROMA / B_OF_U)).add_(128).round_())
        v.copy_(((r - luma) * (CHROMA / R_OF_V)).add_(128).round_())

    return call


# ---- CV-CUDA --------------------------------------------------------------------------------------


def bytes_of(shape):
    return torch.zeros(shape, device="cuda", dtype=torch.uint8)


class Chain(Cvcuda):
    """Its constants are BT.601's: `cvtcolor` has no others of limited range."""

    def __init__(self, surfaces, size):
        super().__init__()
        self.n = len(surfaces)
        self.yuv = self.tensor(surfaces[:, : size[0] * 3 // 2, : size[1], None])
        self.rgb = bytes_of((self.n, *size, 3))
        self.pixels = self.tensor(self.rgb)

    def color(self, into, source, name):
        self.lib.cvtcolor_into(into, source, getattr(self.lib.ColorConversion, name), **self.on)

    def letterbox(self, inner, canvas):
        """(a call that resizes and pads the pixels, its memory); nothing to do without `inner`."""
        if not inner:
            return (lambda: None), self.rgb
        small, memory = self.memory((self.n, *inner, 3)), bytes_of((self.n, *canvas, 3))
        into, edges = self.tensor(memory), borders(inner, canvas)

        def call():
            self.lib.resize_into(small, self.pixels, self.lib.Interp.LINEAR, **self.on)
            self.lib.copymakeborder_into(into, small, self.lib.Border.CONSTANT, [float(PAD)] * 3,
                                         top=edges[0], left=edges[2], **self.on)  # fmt: skip

        return call, memory


def cvcuda_batch(surfaces, size, inner, out, expected):
    """cvtcolor; resize and copymakeborder where there is padding; resize_crop_convert_reformat to planes, which
    also swaps the channels back; normalize. float16, which it does not write, by torch."""
    cv, canvas = Chain(surfaces, size), tuple(out.shape[2:])
    letterbox, memory = cv.letterbox(inner, canvas)
    floats = torch.zeros_like(out, dtype=torch.float32)
    into = out if out.dtype == torch.float32 else floats
    source, planes, normal = cv.tensor(memory), cv.tensor(floats, "NCHW"), cv.tensor(into, "NCHW")

    def call():
        cv.color(cv.pixels, cv.yuv, "YUV2BGR_NV12")
        letterbox()
        cv.resize_to_planes(planes, source, canvas)
        cv.normalise(normal, planes)
        if into is not out:
            out.copy_(into)

    return Peer(call, expected=expected())


def cvcuda_fused(surfaces, size, inner, out, expected):
    """cvtcolor; resize and copymakeborder where there is padding; crop_flip_normalize_reformat."""
    cv, canvas = Chain(surfaces, size), tuple(out.shape[2:])
    letterbox, memory = cv.letterbox(inner, canvas)
    into = out if out.dtype == torch.float32 else torch.zeros_like(out, dtype=torch.float32)
    planes, batch = cv.tensor(into, "NCHW"), cv.batch(list(memory))
    whole = torch.tensor([0, 0, canvas[1], canvas[0]], device="cuda", dtype=torch.int32)
    whole = cv.tensor(whole.expand(cv.n, 1, 1, 4).contiguous())
    upright = cv.tensor(torch.full((cv.n, 1), 7, device="cuda", dtype=torch.int32), "NC")
    base, scale = (
        cv.tensor(torch.tensor(values, device="cuda").div_(SCALE).view(1, 1, 1, 3))
        for values in (MEAN, STD)
    )
    flags = int(cv.lib.NormalizeFlags.SCALE_IS_STDDEV)

    def call():
        cv.color(cv.pixels, cv.yuv, "YUV2RGB_NV12")
        letterbox()
        cv.lib.crop_flip_normalize_reformat_into(planes, batch, whole, upright, base, scale,
                                                 flags=flags, **cv.on)  # fmt: skip
        if into is not out:
            out.copy_(into)

    return Peer(call, expected=expected())


def cvcuda_bytes(surfaces, size, out, expected):
    """cvtcolor, reformat."""
    cv = Chain(surfaces, size)
    planes = cv.tensor(out, "NCHW")

    def call():
        cv.color(cv.pixels, cv.yuv, "YUV2RGB_NV12")
        cv.lib.reformat_into(planes, cv.pixels, **cv.on)

    return Peer(call, expected=expected())


def cvcuda_back(images, layout, scale, surfaces, size, expected):
    """reformat of planes, convertto of floats, cvtcolor."""
    cv = Chain(surfaces, size)
    source = cv.tensor(images, layout)
    pixels = cv.memory((cv.n, *size, 3), images.dtype)

    def call():
        at = source
        if layout == "NCHW":
            at = pixels
            cv.lib.reformat_into(pixels, source, **cv.on)
        if images.dtype != torch.uint8:
            cv.lib.convertto_into(cv.pixels, at, scale, **cv.on)
            at = cv.pixels
        cv.color(cv.yuv, at, "RGB2YUV_NV12")

    return Peer(call, expected=expected())


# ---- NPP ------------------------------------------------------------------------------------------


def npp_function(name):
    library = peers.npp("nppicc")
    if not library:
        raise RuntimeError("no libnppicc.so.13")
    return getattr(library, name)


def pointer(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def planes_and_steps(surface, size):
    """Pointers to Y and UV, and their pitches."""
    pitch = surface.stride(0) * surface.element_size()
    pointers = (ctypes.c_void_p * 2)(surface.data_ptr(), surface[size[0] :].data_ptr())
    return pointers, (ctypes.c_int * 2)(pitch, pitch)


def twist(rows):
    return (ctypes.c_float * 4 * 3)(*[(ctypes.c_float * 4)(*row) for row in rows])


def npp_batch(surfaces, size, out, keywords):
    """A call for each frame, to R,G,B of bytes, or of 16 bits for P010; then one pixview.stack."""
    deep = surfaces.dtype == torch.uint16
    pixels = torch.zeros((len(surfaces), *size, 3), device="cuda", dtype=surfaces.dtype)
    name = "16u_ColorTwist32f" if deep else "709CSC_8u"
    function = npp_function(f"nppiNV12ToRGB_{name}_P2C3R_Ctx")
    # The last column is added to Y, U and V before they are multiplied: NPP 13.
    gains = twist([(1 / LUMA, 0, R_OF_V / CHROMA, -16 * 256),
                   (1 / LUMA, -G_OF_U / CHROMA, -G_OF_V / CHROMA, -128 * 256),
                   (1 / LUMA, B_OF_U / CHROMA, 0, -128 * 256)])  # fmt: skip
    context, extent, calls = peers.npp_context(), peers.Size(size[1], size[0]), []
    for surface, into in zip(surfaces, pixels, strict=True):
        planes, steps = planes_and_steps(surface, size)
        target = (pointer(into), into.stride(0) * into.element_size(), extent)
        calls.append(
            (planes, steps if deep else steps[0], *target, *([gains] if deep else []), context)
        )
    convert = peers.npp_calls(function, calls)
    if deep:
        keywords = keywords | {"scale": SCALE / 256}

    def call():
        convert()
        pixview.stack(pixels, out=out, src_layout="NHWC", **keywords)

    return call


def npp_back(images, layout, surfaces, size):
    """A call for each frame; the last column is added after the product."""
    u, v = CHROMA / B_OF_U, CHROMA / R_OF_V
    gains = twist([(KR * LUMA, KG * LUMA, KB * LUMA, 16), (-KR * u, -KG * u, (1 - KB) * u, 128),
                   ((1 - KR) * v, -KG * v, -KB * v, 128)])  # fmt: skip
    function = npp_function(
        f"nppiRGBToNV12_8u_ColorTwist32f_{'C3' if layout == 'NHWC' else 'P3'}P2R_Ctx"
    )
    context, extent, calls = peers.npp_context(), peers.Size(size[1], size[0]), []
    for image, surface in zip(images, surfaces, strict=True):
        source = (pointer(image), image.stride(0))
        if layout == "NCHW":
            source = ((ctypes.c_void_p * 3)(*[plane.data_ptr() for plane in image]),
                      (ctypes.c_int * 3)(*[image.stride(1)] * 3))  # fmt: skip
        calls.append((*source, *planes_and_steps(surface, size), extent, gains, context))
    return peers.npp_calls(function, calls)
