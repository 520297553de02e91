# SPDX-License-Identifier: Apache-2.0
"""stack and unstack on the GPU, against the same call on host memory (bit for bit) and the formula."""

import pytest

from .util import (
    AS,
    busy,
    cp,
    cv2,
    free_memory,
    host,
    make,
    mat_view,
    new_mat,
    np,
    pixels,
    pixview,
    settle,
    torch,
)

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NORM = {"scale": 1 / 255, "mean": MEAN, "std": STD, "swap_rb": True}
FROM = ["uint8", "int8", "uint16", "int16", "int32", "float16", "float32"]
TO = ["float16", "bfloat16", "float32", "uint8"]


def frames(n, shape=(37, 53, 3), dtype="uint8"):
    return [pixels(shape, dtype, seed=i) for i in range(n)]


def on_host(images, **keywords):
    """The same call on host memory, as a tensor: NumPy has no bfloat16."""
    return pixview.stack(images, **keywords)


def require_same(got, wanted):
    got = pixview.as_torch(got).cpu() if not isinstance(got, torch.Tensor) else got.cpu()
    assert got.shape == wanted.shape and got.dtype == wanted.dtype
    assert torch.equal(torch.nan_to_num(got), torch.nan_to_num(wanted))
    if wanted.dtype.is_floating_point:
        assert torch.equal(torch.isnan(got), torch.isnan(wanted))


def formula(images):
    return ((np.stack(images)[..., ::-1] / 255.0 - MEAN) / STD).transpose(0, 3, 1, 2)


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("to", TO)
@pytest.mark.parametrize("dtype", FROM)
def test_every_pair_of_types(dtype, to, layout):
    for channels in (1, 3, 4):
        images = frames(3, (19, 45, channels), dtype)
        if dtype == "float32":
            images[0].flat[:6] = [np.nan, np.inf, -np.inf, 1e30, -0.0, 70000]
        keywords = {"layout": layout, "dtype": to, "scale": 1 / 3, "mean": 2, "std": 0.5}
        got = pixview.stack([new_mat(x) for x in images], **keywords)
        require_same(got, on_host(images, **keywords))
        plain = {"layout": layout, "dtype": to}
        require_same(pixview.stack([new_mat(x) for x in images], **plain), on_host(images, **plain))


def test_gpumats_normalised():
    images = frames(8)
    got = pixview.stack([new_mat(x) for x in images], **NORM)
    assert got.is_cuda and got.is_contiguous()
    np.testing.assert_allclose(host(got), formula(images), rtol=3e-6, atol=3e-6)
    require_same(got, on_host(images, **NORM))


def test_a_mixture_with_regions():
    images = frames(6)
    large = new_mat(pixels((80, 90, 3), seed=9))
    region = cv2.cuda.GpuMat(large, (3, 40), (5, 58))
    mat_view(region, "uint8")[...] = cp.asarray(images[5])
    tensor = torch.from_numpy(images[1]).cuda().permute(2, 0, 1)
    mixed = [
        new_mat(images[0]),
        tensor,
        cp.asarray(images[2]),
        pixview.view(new_mat(images[3])),
        torch.from_numpy(images[4].transpose(2, 0, 1).copy()).cuda(),
        region,
    ]
    for to in ("torch", "cupy", "image"):
        for keywords in ({}, NORM, {"layout": "NHWC"}, {"dtype": "float16", "layout": "NHWC"}):
            got = pixview.stack(mixed, to=to, **keywords)
            layout = keywords.get("layout", "NCHW")
            require_same(
                pixview.as_torch(got, src_layout=layout, layout=layout),
                on_host(images, **keywords),
            )


@pytest.mark.parametrize("n", [1, 2, 33, 251, 2100, 10_000])
def test_any_number(n):
    whole = torch.from_numpy(pixels((n, 5, 7, 3))).cuda()
    images = pixview.unstack(whole, to="gpumat", src_layout="NHWC")
    got = pixview.stack(images, scale=0.5)
    assert torch.equal(got, whole.permute(0, 3, 1, 2).float() * 0.5)
    out = torch.empty_like(got)
    assert pixview.stack(images, out=out, scale=0.5) is out
    assert torch.equal(out, got)


@pytest.mark.parametrize("dtype", [None, "float32"])
def test_padding(dtype):
    shapes = [(37, 53), (20, 60), (1, 1), (40, 64), (39, 63), (5, 64)]
    images = [pixels((h, w, 3), seed=h) for h, w in shapes]
    for size in ((40, 64), (41, 67)):
        keywords = {"size": size, "pad_value": 114, "dtype": dtype}
        if dtype:
            keywords |= NORM
        got = pixview.stack([new_mat(x) for x in images], src_layout="HWC", **keywords)
        require_same(got, on_host(images, src_layout="HWC", **keywords))


def test_shapes_around_the_vectors():
    for w in [*range(1, 36), 63, 64, 65, 67, 127, 129]:
        for channels in (1, 2, 3, 4, 5, 8):
            images = frames(3, (3, w, channels))
            mats = [torch.from_numpy(x).cuda() for x in images]
            for keywords in ({}, {"dtype": "float32", "scale": 0.25}, {"layout": "NHWC"}):
                got = pixview.stack(mats, src_layout="HWC", **keywords)
                require_same(got, on_host(images, src_layout="HWC", **keywords))


def test_nothing_around_out_is_written():
    canvas = torch.full((4, 3, 30, 70), 77.0, device="cuda")
    images = frames(4, (26, 61, 3))
    out = canvas[:, :, 2:-2, 4:-5]
    pixview.stack([new_mat(x) for x in images], out=out, **NORM)
    np.testing.assert_allclose(host(out), formula(images), rtol=3e-6, atol=3e-6)
    out[...] = 77
    assert (canvas == 77).all()


@pytest.mark.parametrize("kind", ["torch", "cupy", "gpumat"])
def test_into_every_kind(kind):
    images = frames(1)
    out = make(kind, np.zeros((37, 53, 3), np.float32))
    if kind != "gpumat":
        out = out[None]
    assert pixview.stack([new_mat(images[0])], out=out, layout="NHWC" if kind != "gpumat" else None,
                         **NORM) is out  # fmt: skip
    torch.cuda.synchronize()
    got = host(out, "float32").reshape(37, 53, 3)
    np.testing.assert_allclose(got, formula(images)[0].transpose(1, 2, 0), rtol=3e-6, atol=3e-6)


def test_a_batch_of_1080p():
    images = [torch.randint(0, 256, (1080, 1920, 3), dtype=torch.uint8, device="cuda") for _ in range(32)]  # fmt: skip
    mats = [pixview.as_gpumat(x, src_layout="HWC", copy=True) for x in images]
    got = pixview.stack(mats, **NORM)
    batch = torch.stack(images).flip(3).permute(0, 3, 1, 2).float()
    mean, std = (torch.tensor(x, device="cuda").view(1, 3, 1, 1) for x in (MEAN, STD))
    assert torch.allclose(got, (batch / 255 - mean) / std, rtol=1e-5, atol=1e-5)


def test_one_launch():
    mats = [new_mat(x) for x in frames(64)]
    out = torch.empty(64, 3, 37, 53, device="cuda")
    pixview.stack(mats, out=out, **NORM)
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        pixview.stack(mats, out=out, **NORM)
        torch.cuda.synchronize()
    kernels = [e.name for e in profile.events() if e.device_type.name == "CUDA"]
    assert sum("pixview" in name for name in kernels) == 1, kernels


@pytest.mark.parametrize("layout", ["NHWC", "NCHW"])
def test_a_batch_is_one_launch(layout):
    whole = pixels((10_000, 5, 7, 3))
    if layout == "NCHW":
        whole = np.ascontiguousarray(whole.transpose(0, 3, 1, 2))
    batch = torch.from_numpy(whole).cuda()
    padded = {"size": (6, 11), "pad_value": 114}
    for keywords in ({}, NORM, {"swap_rb": True}, padded, {**padded, **NORM}, {"layout": "NHWC"}):
        keywords = {"src_layout": layout, **keywords}
        got = pixview.stack(batch, **keywords)
        require_same(got, on_host(whole, **keywords))
        torch.cuda.synchronize()
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
            pixview.stack(batch, out=got, **keywords)
            torch.cuda.synchronize()
        kernels = [e.name for e in profile.events() if "pixview" in e.name]
        assert len(kernels) == 1, (keywords, kernels)


# ---- order ------------------------------------------------------------------------------------


def test_a_producer_on_another_stream():
    """The result's stream waits for the sources' streams, and these for it."""
    images, side = frames(6), torch.cuda.Stream()
    out = torch.zeros(6, 3, 37, 53, device="cuda")
    tensors = [torch.zeros(37, 53, 3, dtype=torch.uint8, device="cuda") for _ in images]
    sources = [torch.from_numpy(x).cuda() for x in images]
    torch.cuda.synchronize()
    for _ in range(10):
        busy(side)
        with torch.cuda.stream(side):
            for tensor, source in zip(tensors, sources, strict=True):
                tensor.copy_(source)
        mats = [pixview.as_gpumat(t, src_layout="HWC", stream=side) for t in tensors]
        pixview.stack(mats, out=out, stream=side, **NORM)
        with torch.cuda.stream(side):
            for tensor in tensors:
                tensor.zero_()
        np.testing.assert_allclose(host(out), formula(images), rtol=3e-6, atol=3e-6)
        out.zero_()


def test_sources_that_die_at_once():
    images, side = frames(6), torch.cuda.Stream()
    for _ in range(5):
        with torch.cuda.stream(side):
            busy(side, 20)
            tensors = [torch.from_numpy(x).cuda().permute(2, 0, 1) for x in images]
            mats = [pixview.view(t) for t in tensors]
        got = pixview.stack(mats)
        del tensors, mats
        with torch.cuda.stream(side):
            junk = [torch.full((37, 53, 3), 99, dtype=torch.uint8, device="cuda") for _ in images]
        require_same(got, on_host(images))
        del junk


@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_in_a_graph(mode):
    images = frames(5)
    mats = [new_mat(x) for x in images]
    tensors = [torch.from_numpy(x).cuda().permute(2, 0, 1) for x in images]
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        a = pixview.stack(mats, **NORM)
        b = pixview.stack([t + 1 for t in tensors], layout="NHWC")
        parts = pixview.unstack(pixview.stack(tensors))
        c = pixview.stack(parts, dtype="float16")
    for seed in (1, 2):
        fresh = [pixels((37, 53, 3), seed=seed * 10 + i) for i in range(5)]
        for mat, tensor, image in zip(mats, tensors, fresh, strict=True):
            mat_view(mat, "uint8")[...] = cp.asarray(image)
            tensor.copy_(torch.from_numpy(image).permute(2, 0, 1))
        torch.cuda.synchronize()
        graph.replay()
        torch.cuda.synchronize()
        require_same(a, on_host(fresh, **NORM))
        require_same(b, on_host([x + 1 for x in fresh], layout="NHWC"))
        require_same(c, on_host(fresh, dtype="float16"))


def test_a_long_list_in_a_graph():
    whole = torch.from_numpy(pixels((3000, 5, 7, 3))).cuda()
    mats = pixview.unstack(whole, src_layout="NHWC")
    out = torch.zeros(3000, 3, 5, 7, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        pixview.stack(mats, out=out, scale=2)
    whole.add_(1)
    graph.replay()
    torch.cuda.synchronize()
    assert torch.equal(out, whole.permute(0, 3, 1, 2).float() * 2)


# ---- unstack ----------------------------------------------------------------------------------


@pytest.mark.parametrize("to", ["gpumat", "torch", "cupy", "image"])
def test_unstack(to):
    whole = pixels((5, 37, 53, 3))
    packed = torch.from_numpy(whole).cuda()
    planes = torch.from_numpy(whole.transpose(0, 3, 1, 2).copy()).cuda()
    for batch, layout, view in ((packed, "NHWC", True), (planes, "NCHW", to != "gpumat")):
        made = pixview.unstack(batch, to=to, src_layout=layout)
        assert len(made) == 5
        for one, wanted in zip(made, whole, strict=True):
            array = AS["numpy"](one, copy=True)
            np.testing.assert_array_equal(array, wanted)
        low, size = batch.data_ptr(), batch.nbytes
        first = AS["torch"](made[0]).data_ptr()
        assert (low <= first < low + size) == view
        again = pixview.unstack(batch, to=to, src_layout=layout, copy=True)
        assert not low <= AS["torch"](again[0]).data_ptr() < low + size
        np.testing.assert_array_equal(AS["numpy"](again[4], copy=True), whole[4])


def test_unstacked_gpumats_work_in_opencv():
    planes = torch.from_numpy(pixels((3, 3, 40, 33))).cuda()
    for i, mat in enumerate(pixview.unstack(planes)):
        small = cv2.cuda.resize(mat, (16, 20))
        assert small.size() == (16, 20)
        grey = cv2.cuda.cvtColor(mat, cv2.COLOR_BGR2GRAY)
        wanted = cv2.cvtColor(
            np.ascontiguousarray(host(planes)[i].transpose(1, 2, 0)), cv2.COLOR_BGR2GRAY
        )
        assert np.abs(grey.download().astype(int) - wanted).max() <= 1


@pytest.mark.alone
def test_memory_comes_back():
    mats = [new_mat(x) for x in frames(16, (480, 640, 3))]

    def work():
        batch = pixview.stack(mats, **NORM)
        pixview.unstack(batch)
        pixview.unstack(pixview.stack(mats, layout="NHWC"), src_layout="NHWC")

    for _ in range(5):
        work()
    settle()
    before = free_memory()
    for _ in range(50):
        work()
    settle()
    assert before - free_memory() < 64 << 20


# ---- refused ----------------------------------------------------------------------------------


def test_refusals_leave_out_alone():
    images = frames(4)
    mats = [new_mat(x) for x in images]
    out = torch.full((4, 3, 37, 53), 7, dtype=torch.uint8, device="cuda")
    dead = [*mats[:3], new_mat(images[0])]
    dead[3].release()
    small = [*mats[:2], new_mat(images[0][:20]), mats[3]]
    view = pixview.as_gpumat(out[1].permute(1, 2, 0).contiguous(), src_layout="HWC")
    for given, keywords, error in (
        (dead, {}, pixview.LayoutError),
        (small, {}, pixview.LayoutError),
        ([*mats[:3], images[3]], {}, pixview.DeviceError),
        ([*mats[:3], out[0]], {}, pixview.LayoutError),
        (mats[:3], {}, pixview.LayoutError),
        (mats, {"scale": 2}, pixview.DtypeError),
        (mats, {"std": 0, "dtype": "uint8"}, pixview.LayoutError),
        (mats, {"std": float("nan"), "dtype": "uint8"}, pixview.LayoutError),
        (mats, {"mean": [1, 2], "dtype": "uint8"}, pixview.LayoutError),
        ([], {}, pixview.LayoutError),
    ):
        with pytest.raises(error):
            pixview.stack(given, out=out, **keywords)
        assert (out == 7).all()
    for other in (torch.zeros(4, 3, 37, 53, dtype=torch.uint8), np.zeros((4, 3, 37, 53), np.uint8)):
        with pytest.raises(pixview.DeviceError):
            pixview.stack(mats, out=other)
    with pytest.raises(pixview.ReadOnlyError):
        pixview.stack(
            mats, out=torch.zeros(4, 3, 37, 53, device="cuda", requires_grad=True), scale=1
        )
    del view
