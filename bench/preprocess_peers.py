# SPDX-License-Identifier: Apache-2.0
"""What preprocess.py compares pixview with on a GPU, each as a call that fills memory that exists.

They do what pixview.stack does there: resize, swap channels, pad and normalise. torch.compile gives
memory of its own. torchvision, CV-CUDA and kornia_rs: preprocess_libraries.py.
"""

from dataclasses import dataclass

import torch
from torch.nn.functional import interpolate, pad

MEAN, STD, SCALE, PAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 1 / 255, 114
VALUES = {"scale": SCALE, "mean": MEAN, "std": STD, "swap_rb": True}
HEIGHT, WIDTH = 1080, 1920
LEVEL = SCALE / min(STD)  # what a step of a byte is in the result
# Steps that a way may be off: some round to bytes between. cv2.cuda.resize has no half pixels; roi_align
# reads half a pixel beyond a region.
NEAR = {"cv2.cuda": 12, "CV-CUDA list": 4, "CV-CUDA chain": 4, "kornia_rs": 4, "roi_align": 6}
NEAR_OTHERS = 1.5


@dataclass
class Peer:
    """`call`, and where it does not fill the case's memory, `result`: what it returned or filled as such a
    tensor. `expected`, `level`: where it does less than is asked for."""

    call: object
    result: object = None
    expected: object = None
    level: float = LEVEL


def smooth(seed):
    """A picture in which a pixel's neighbour is like it."""
    coarse = torch.rand((1, 3, 9, 16), generator=torch.Generator().manual_seed(seed)) * 255
    fine = interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear")
    return fine[0].round().byte().permute(1, 2, 0).contiguous()


def affine(device, dtype=torch.float32):
    """a and b of pixel * a + b, for each channel of the result."""
    a = [SCALE / s for s in STD]
    b = [-m / s for m, s in zip(MEAN, STD, strict=True)]
    return [torch.tensor(x, device=device, dtype=dtype).view(1, 3, 1, 1) for x in (a, b)]


def borders(inner, size):
    """(above, below, left, right), as a letterbox has them."""
    rows, columns = size[0] - inner[0], size[1] - inner[1]
    above, left = round(rows / 2 - 0.1), round(columns / 2 - 0.1)
    return above, rows - above, left, columns - left


# ---- torch ----------------------------------------------------------------------------------------


def resizer(device, inner, size, dtype=torch.float32, mode="bilinear", antialias=False):
    """A function of a batch N,H,W,C, and of memory to fill or None."""
    a, b = affine(device, dtype)
    above, below, left, right = borders(inner, size)

    def resize(stacked, out=None):
        batch = stacked.permute(0, 3, 1, 2).to(dtype)
        batch = interpolate(batch, inner, mode=mode, antialias=antialias)
        if mode == "bicubic":
            batch = batch.clamp(0, 255)
        batch = batch.flip(1)
        if inner != size:
            batch = pad(batch, (left, right, above, below), value=PAD)
        return torch.addcmul(b, batch, a) if out is None else torch.addcmul(b, batch, a, out=out)

    return resize


def compiled(resize, stacked):
    """The same by torch.compile."""
    call = torch.compile(resize, dynamic=False)
    call(stacked)
    return Peer(lambda: call(stacked), result=lambda found: found)


def parts_of(stacked, regions):
    """The regions of all frames, H,W,C, in order."""
    return [image[y : y + h, x : x + w]
            for image, of in zip(stacked, regions, strict=True) for y, x, h, w in of]  # fmt: skip


def torch_crops(stacked, regions, out, fit):
    """Region by region onto a canvas of floats, or of bytes; then all normalised at once."""
    a, b = affine(stacked.device)
    parts = [part.permute(2, 0, 1) for part in parts_of(stacked, regions)]
    canvas = torch.empty_like(out, dtype=torch.float32 if fit else torch.uint8)

    def call():
        if not fit:
            canvas.fill_(PAD)
        for part, into in zip(parts, canvas, strict=True):
            if fit:
                into.copy_(interpolate(part[None].float(), into.shape[1:], mode="bilinear")[0])
            else:
                into[:, : part.shape[1], : part.shape[2]].copy_(part)
        return torch.addcmul(b, canvas.flip(1), a, out=out)

    return call


# ---- cv2.cuda -------------------------------------------------------------------------------------


class Canvases:
    """GpuMats that OpenCV fills, on a stream that waits for the legacy one and is waited for by it."""

    def __init__(self, n, size):
        import cv2

        self.stream = cv2.cuda.Stream()
        self.mats = [cv2.cuda.GpuMat(*size, cv2.CV_8UC3) for _ in range(n)]
        self.size = size

    def resize(self, mat, into):
        import cv2

        width, height = into.size()
        cv2.cuda.resize(mat, (width, height), into, stream=self.stream)

    def frame(self, mat, into, edges):
        import cv2

        cv2.cuda.copyMakeBorder(mat, *edges, cv2.BORDER_CONSTANT, into, (PAD, PAD, PAD, 0),
                                self.stream)  # fmt: skip

    def normalise(self, out):
        import pixview

        pixview.stack(self.mats, out=out, **VALUES)


def cv2_whole(mats, inner, size, out):
    """resize, then copyMakeBorder where there is padding."""
    canvases, edges = Canvases(len(mats), size), borders(inner, size)
    small = Canvases(1, inner).mats[0]

    def call():
        for mat, canvas in zip(mats, canvases.mats, strict=True):
            canvases.resize(mat, small if any(edges) else canvas)
            if any(edges):
                canvases.frame(small, canvas, edges)
        canvases.normalise(out)

    return call


def cv2_crops(mats, regions, size, out, fit):
    """resize or copyMakeBorder. The regions are GpuMats already."""
    import cv2

    parts, edges = [], []
    for mat, of in zip(mats, regions, strict=True):
        for y, x, h, w in of:
            parts.append(cv2.cuda.GpuMat(mat, (y, y + h), (x, x + w)))
            edges.append((0, size[0] - h, 0, size[1] - w))
    canvases = Canvases(len(parts), size)

    def call():
        for part, edge, canvas in zip(parts, edges, canvases.mats, strict=True):
            if fit:
                canvases.resize(part, canvas)
            else:
                canvases.frame(part, canvas, edge)
        canvases.normalise(out)

    return call
