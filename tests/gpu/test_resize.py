# SPDX-License-Identifier: Apache-2.0
"""stack with a geometry on the GPU, against the same call on host memory (byte for byte) and cv2."""

import pytest

from .util import (
    busy,
    cp,
    cv2,
    free_memory,
    host,
    mat_view,
    new_mat,
    np,
    pixels,
    pixview,
    settle,
    torch,
)

FITS = ["letterbox", "stretch", "cover"]
PILLOW = ["pil-bilinear", "pil-bicubic", "pil-lanczos"]
FILTERS = ["area", *PILLOW]
INTERPOLATIONS = ["linear", "nearest", *FILTERS]
TO = ["uint8", "float16", "float32", "bfloat16"]
SCALES = {"uint8": 0.9, "uint16": 1 / 300, "float32": 0.8}  # what fills the range of a byte
NORM = {
    "scale": 1 / 255,
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "swap_rb": True,
}
SIZES = [(1, 1), (1, 260), (260, 1), (2, 3), (17, 90), (45, 67), (48, 64), (96, 128), (260, 259)]
SIZES += [tuple(hw) for hw in np.random.default_rng(7).integers(1, 200, (2, 2)).tolist()]


def image(h, w, channels=3, dtype="uint8", seed=0):
    values = pixels((h, w, channels), dtype, seed)
    return values * np.float32(90) + np.float32(60) if dtype == "float32" else values


def images_of(sizes, channels=3, dtype="uint8"):
    return [image(h, w, channels, dtype, i) for i, (h, w) in enumerate(sizes)]


def planes(x):
    return torch.from_numpy(x.transpose(2, 0, 1).copy()).cuda()


def packed(x):
    return torch.from_numpy(x).cuda().permute(2, 0, 1)


def pitched(x):
    wide = cp.zeros((x.shape[0], x.shape[1] + 3, x.shape[2]), x.dtype)
    wide[:, : x.shape[1]] = cp.asarray(x)
    return wide[:, : x.shape[1]]


def on_gpu(images):
    """The same pixels as GpuMats, CuPy arrays and tensors in turns."""
    makers = (new_mat, cp.asarray, planes, pitched, packed)
    return [makers[i % len(makers)](x) for i, x in enumerate(images)]


def require_same(got, wanted):
    got = got.cpu()
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    bits = [x.contiguous().view(torch.uint8).flatten(1) for x in (got, wanted)]
    wrong = (bits[0] != bits[1]).any(1).nonzero().flatten().tolist()
    assert not wrong, f"these images differ: {wrong}"


def check(images, sources=None, **keywords):
    """Host memory and GPU: tensors, because NumPy has no bfloat16."""
    got = pixview.stack(on_gpu(images) if sources is None else sources, **keywords)
    assert got.is_cuda
    wanted = pixview.stack(images, **keywords)
    require_same(got, wanted)
    return wanted


# ---- bytes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_equals_the_host(fit, interpolation, dtype):
    if interpolation in PILLOW and dtype != "uint8":
        with pytest.raises(pixview.DtypeError):
            pixview.stack([new_mat(image(5, 5, 3, dtype))], size=(4, 4), fit=fit,
                          interpolation=interpolation)  # fmt: skip
        return
    for channels in (1, 3, 4):
        images = images_of(SIZES, channels, dtype)
        sources = on_gpu(images)
        for i, to in enumerate(TO):
            for layout in ("NCHW", "NHWC"):
                keywords = {"fit": fit, "interpolation": interpolation, "pad_value": 114}
                keywords |= {"dtype": to, "layout": layout}
                if i % 2 == 0:
                    keywords |= {"scale": SCALES[dtype], "mean": 3, "std": 1.5}
                # Whole vectors, and not.
                sizes = (
                    [(48, 64), (45, 67)] if dtype == "uint8" else [(48, 64) if i % 2 else (45, 67)]
                )
                for size in sizes:
                    wanted = check(images, sources, size=size, **keywords)
                    assert (wanted != wanted.flatten()[0]).any()


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_normalised(interpolation):
    for channels in (3, 4):
        images, norm = images_of(SIZES, channels), dict(NORM, channels=3)
        for layout in ("NCHW", "NHWC"):
            check(images, size=(48, 64), fit="letterbox", interpolation=interpolation,
                  layout=layout, **norm)  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "int16", "int32", "float64"])
def test_nearest_of_other_types(dtype):
    images = [pixels((h, w, 3), dtype, seed=h) for h, w in SIZES]
    check(images, size=(48, 64), fit="letterbox", interpolation="nearest")


@pytest.mark.parametrize("channels", [2, 5, 8])
@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area", "pil-bicubic"])
def test_many_channels(interpolation, channels):
    images = [pixels((h, w, channels), seed=h) for h, w in SIZES]
    sources = [cp.asarray(x) for x in images]
    for layout in ("NCHW", "NHWC"):
        check(images, sources, src_layout="HWC", size=(45, 64), fit="cover",
              interpolation=interpolation, layout=layout)  # fmt: skip


@pytest.mark.parametrize("align", ["center", "top-left"])
@pytest.mark.parametrize("fit", FITS)
def test_places(fit, align):
    images = images_of(SIZES)
    for scaleup in (True, False):
        check(images, size=(150, 301), fit=fit, align=align, scaleup=scaleup, pad_value=9)
    if fit == "letterbox":
        images = images_of([(200, 700), (190, 700)])
        wanted = check(images, size=(320, 320), fit=fit, align=align, stride=32)
        assert wanted.shape == (2, 3, 96, 320)


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area", "pil-bicubic"])
def test_large_images(interpolation):
    images = images_of([(1080, 1920), (2160, 3840), (1080, 1920)])
    for fit, size in (("letterbox", (640, 640)), ("stretch", (1500, 2100))):
        check(images, size=size, fit=fit, interpolation=interpolation, pad_value=114, **NORM)


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_frames_among_images(interpolation):
    surfaces = [pixels((h * 3 // 2, w), seed=h) for h, w in [(96, 128), (96, 128), (40, 70)]]
    says = {"format": "NV12", "matrix": "bt709", "range": "limited"}
    rgb = image(50, 60)
    here = [*(pixview.video_frame(s, **says) for s in surfaces), rgb]
    there = [*(pixview.video_frame(cp.asarray(s), **says) for s in surfaces), cp.asarray(rgb)]
    for fit, size in (("letterbox", (64, 64)), ("stretch", (33, 47))):
        check(here, there, size=size, fit=fit, interpolation=interpolation, to="torch", **NORM)


def test_wide_images():
    """Beyond 16 bits of columns."""
    images = images_of([(2, 70_000), (3, 5)])
    sources = [cp.asarray(x) for x in images]
    for interpolation in ("linear", "nearest", "area"):
        check(images, sources, size=(16, 40), fit="stretch", interpolation=interpolation)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
def test_bytes_of_opencv(interpolation, channels):
    flag = {"linear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST}[interpolation]
    images = images_of(SIZES, channels)
    for h, w in ((5, 7), (48, 64), (211, 97), (1, 260)):
        got = pixview.stack(on_gpu(images), size=(h, w), fit="stretch", layout="NHWC",
                            interpolation=interpolation)  # fmt: skip
        for one, x in zip(host(got), images, strict=True):
            wanted = cv2.resize(x, (w, h), interpolation=flag).reshape(h, w, channels)
            np.testing.assert_array_equal(one, wanted, f"{x.shape} to {h} x {w}")


# ---- out, regions, placements -------------------------------------------------------------------


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("to", TO)
def test_out_is_part_of_a_larger_batch(to, layout, interpolation):
    images = images_of(SIZES)
    n, keywords = len(images), {"size": (45, 64), "fit": "letterbox", "dtype": to}
    keywords |= {"interpolation": interpolation, "layout": layout, "scale": 0.9}
    wanted = pixview.stack(images, **keywords)
    for margin in (0, 1):
        shape = [size + 2 * margin for size in wanted.shape]
        channels = shape.index(3 + 2 * margin)
        shape[0], shape[channels] = n + 4, 3
        ring = torch.full(shape, 77, dtype=wanted.dtype, device="cuda")
        axes = [slice(margin, size - margin) for size in shape]
        axes[0], axes[channels] = slice(2, n + 2), slice(None)
        out = ring[tuple(axes)]
        assert pixview.stack(on_gpu(images), out=out, **keywords) is out
        require_same(out, wanted)
        out.fill_(77)
        assert (ring == 77).all()


def regions(sizes, each, largest, seed=3):
    """`each` random regions of every image."""
    rng, made = np.random.default_rng(seed), []
    for height, width in sizes:
        h = rng.integers(1, min(largest, height), each, endpoint=True)
        w = rng.integers(1, min(largest, width), each, endpoint=True)
        y, x = rng.integers(0, height - h + 1), rng.integers(0, width - w + 1)
        made.append([tuple(r) for r in np.stack([y, x, h, w], 1).tolist()])
    return made


@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
@pytest.mark.parametrize("fit", FITS)
def test_300_regions(fit, interpolation):
    sizes = [(700, 700), (480, 640), (90, 333), (700, 500), (64, 64), (301, 600)]
    images, rois = images_of(sizes), regions(sizes, 50, 300)
    for keywords in ({}, NORM):
        wanted = check(images, rois=rois, size=(48, 64), fit=fit, interpolation=interpolation,
                       pad_value=114, **keywords)  # fmt: skip
        assert len(wanted) == 300
    parts = [x[y : y + h, c : c + w] for x, of in zip(images, rois, strict=True)
             for y, c, h, w in of]  # fmt: skip
    require_same(wanted, pixview.stack(parts, size=(48, 64), fit=fit, pad_value=114,
                                       interpolation=interpolation, **NORM))  # fmt: skip


def test_300_regions_without_a_fit():
    sizes = [(700, 700), (480, 640), (90, 333), (700, 500), (64, 64), (301, 600)]
    images, rois = images_of(sizes), regions(sizes, 50, 60)
    for keywords in ({}, NORM, {"layout": "NHWC"}):
        check(images, rois=rois, size=(60, 64), pad_value=114, **keywords)


def test_long_lists():
    for n in (1, 270, 271, 2000):
        images = images_of(np.random.default_rng(n).integers(1, 40, (n, 2)).tolist())
        sources = [torch.from_numpy(x).cuda() for x in images]
        for interpolation in ("linear", "nearest", "area"):
            check(images, sources, src_layout="HWC", size=(8, 12), fit="letterbox",
                  interpolation=interpolation)  # fmt: skip


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area"])
def test_a_batch_is_the_list_of_its_images(interpolation):
    whole = pixels((9, 50, 70, 3))
    keywords = {"size": (48, 64), "fit": "letterbox", "interpolation": interpolation, **NORM}
    wanted = pixview.stack(list(whole), **keywords)
    batch = torch.from_numpy(whole).cuda()
    require_same(pixview.stack(batch, src_layout="NHWC", **keywords), wanted)
    batch = batch.permute(0, 3, 1, 2).contiguous()
    require_same(pixview.stack(batch, src_layout="NCHW", **keywords), wanted)


def test_placements():
    images = images_of(SIZES)
    keywords = {"size": (150, 301), "fit": "letterbox", "return_placements": True}
    batch, placements = pixview.stack(on_gpu(images), **keywords)
    wanted, of_host = pixview.stack(images, **keywords)
    require_same(batch, wanted)
    assert list(placements) == list(of_host)
    for (h, w), p in zip(SIZES, placements, strict=True):
        assert p == pixview.placement((h, w), (150, 301), fit="letterbox")
    boxes = np.random.default_rng(0).uniform(0, 150, (len(SIZES), 20, 4))
    expected = of_host.to_source(boxes)
    for made in (torch.from_numpy(boxes).cuda(), cp.asarray(boxes)):
        back = placements.to_source(made)
        assert type(back) is type(made)
        np.testing.assert_allclose(host(back), expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "area", "pil-bicubic"])
def test_one_launch(interpolation):
    sources = on_gpu(images_of(SIZES * 4))
    out = torch.empty(len(sources), 3, 48, 64, device="cuda")
    keywords = {"size": (48, 64), "fit": "letterbox", "interpolation": interpolation, **NORM}
    pixview.stack(sources, out=out, **keywords)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        pixview.stack(sources, out=out, **keywords)
        torch.cuda.synchronize()
    kernels = [e.name for e in profile.events() if "pixview" in e.name]
    assert len(kernels) == 1, kernels


# ---- order ------------------------------------------------------------------------------------

ORDERED = ["linear", "nearest", "area", "pil-lanczos"]


@pytest.mark.parametrize("interpolation", ORDERED)
def test_a_producer_on_another_stream(interpolation):
    """Pixels that come late are waited for, and are not overwritten while they are read."""
    images, side = images_of(SIZES), torch.cuda.Stream()
    keywords = {"size": (48, 64), "fit": "letterbox", "interpolation": interpolation, **NORM}
    wanted = pixview.stack(images, **keywords)
    sources = [torch.from_numpy(x).cuda() for x in images]
    tensors = [torch.zeros_like(x) for x in sources]
    out = torch.zeros(wanted.shape, device="cuda")
    torch.cuda.synchronize()
    for _ in range(5):
        busy(side)
        with torch.cuda.stream(side):
            for tensor, source in zip(tensors, sources, strict=True):
                tensor.copy_(source)
        mats = [pixview.as_gpumat(t, src_layout="HWC", stream=side) for t in tensors]
        pixview.stack(mats, out=out, stream=side, **keywords)
        with torch.cuda.stream(side):
            for tensor in tensors:
                tensor.zero_()
        require_same(out, wanted)
        out.zero_()


@pytest.mark.parametrize("interpolation", ORDERED)
def test_on_a_side_stream(interpolation):
    """All of it there: late pixels, sources that die at once, and tables of the filters."""
    images, side = images_of(SIZES), torch.cuda.Stream()
    keywords = {"size": (48, 64), "fit": "cover", "interpolation": interpolation}
    wanted = pixview.stack(images, **keywords)
    held = [torch.from_numpy(x).cuda() for x in images]
    torch.cuda.synchronize()
    for _ in range(5):
        with torch.cuda.stream(side):
            busy(side)
            fresh = [x.clone() for x in held]
            got = pixview.stack(fresh, src_layout="HWC", **keywords)
            del fresh
            junk = [torch.full_like(x, 99) for x in held]
        side.synchronize()
        require_same(got, wanted)
        del got, junk


@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_in_a_graph(mode):
    images = images_of(SIZES)
    mats, tensors = [new_mat(x) for x in images], [packed(x) for x in images]
    keywords = {"size": (48, 64), "fit": "letterbox", "pad_value": 114}
    sizes = [s for s in SIZES if min(s) >= 10]
    chosen = [i for i, s in enumerate(SIZES) if s in sizes]
    rois = [[(1, 2, 5, 7), (0, 3, 10, 6)]] * len(chosen)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        a = pixview.stack(mats, **keywords, **NORM)
        b = pixview.stack([t + 1 for t in tensors], layout="NHWC", **keywords)
        c = pixview.stack([mats[i] for i in chosen], rois=rois, **keywords)
        d = pixview.stack(tensors, interpolation="nearest", **keywords)
    for seed in (1, 2):
        fresh = [image(h, w, seed=seed * 100 + i) for i, (h, w) in enumerate(SIZES)]
        for mat, tensor, x in zip(mats, tensors, fresh, strict=True):
            mat_view(mat, "uint8")[...] = cp.asarray(x)
            tensor.copy_(torch.from_numpy(x).permute(2, 0, 1))
        torch.cuda.synchronize()
        graph.replay()
        torch.cuda.synchronize()
        require_same(a, pixview.stack(fresh, **keywords, **NORM))
        require_same(b, pixview.stack([x + 1 for x in fresh], layout="NHWC", **keywords))
        require_same(c, pixview.stack([fresh[i] for i in chosen], rois=rois, **keywords))
        require_same(d, pixview.stack(fresh, interpolation="nearest", **keywords))


@pytest.mark.parametrize("interpolation", FILTERS)
def test_filters_in_a_graph(interpolation):
    """Their tables live as long as the graph, whatever else allocates."""
    images = images_of(SIZES)
    static = [packed(x) for x in images]
    keywords = {"size": (48, 64), "fit": "letterbox", "interpolation": interpolation}
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        out = pixview.stack(static, **keywords)
    for seed in (1, 2, 3):
        fresh = [image(h, w, seed=seed * 100 + i) for i, (h, w) in enumerate(SIZES)]
        for tensor, x in zip(static, fresh, strict=True):
            tensor.copy_(torch.from_numpy(x).permute(2, 0, 1))
        check(images, [new_mat(x) for x in images], **keywords)
        torch.cuda.synchronize()
        graph.replay()
        torch.cuda.synchronize()
        require_same(out, pixview.stack(fresh, **keywords))


@pytest.mark.alone
def test_tables_of_a_graph_come_back():
    """300 KB of them for each graph."""
    static = [packed(x) for x in images_of([(480, 640)])]

    def work():
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = pixview.stack(
                static, size=(2000, 2000), fit="stretch", interpolation="pil-lanczos"
            )
        graph.replay()
        torch.cuda.synchronize()
        del graph, out

    for _ in range(5):
        work()
    settle()
    before = free_memory()
    for _ in range(400):
        work()
    settle()
    assert before - free_memory() < 64 << 20


@pytest.mark.alone
def test_memory_comes_back():
    sources = on_gpu(images_of([(480, 640)] * 16))

    def work():
        for interpolation in ORDERED:
            pixview.stack(sources, size=(320, 320), fit="letterbox", interpolation=interpolation)

    for _ in range(5):
        work()
    settle()
    before = free_memory()
    for _ in range(50):
        work()
    settle()
    assert before - free_memory() < 64 << 20
