# SPDX-License-Identifier: Apache-2.0
"""stack and unstack on host memory: places, values, what is refused, what is left behind."""

from __future__ import annotations

import collections
import gc
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from support import Dlpack, array_interface, check_flat, image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def images(n: int, h: int = 5, w: int = 7, c: int = 3, dtype: Any = "uint8") -> list[Any]:
    return list(image(n, h, w, c, dtype=dtype))


def planar(batch: Any) -> Any:
    return np.asarray(batch).transpose(0, 3, 1, 2)


@pytest.mark.cv2
def test_the_formula_of_blob_from_images(cv2: Any) -> None:
    """The guide says how to port it: theirs is (pixel - mean) * scale."""
    if not hasattr(cv2, "dnn"):
        pytest.skip("an OpenCV without dnn")
    frames, scale, mean = images(3), 1 / 58.0, (123.0, 116.0, 103.0)
    theirs = cv2.dnn.blobFromImages(frames, scale, mean=mean, swapRB=True)
    ours = pixview.stack(
        frames, to="numpy", scale=scale, mean=[scale * m for m in mean], swap_rb=True
    )
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def normalised(batch: Any, scale: float, mean: Any, std: Any) -> Any:
    return (np.asarray(batch, np.float64) * scale - mean) / std


# ---- places ----


def test_by_default_a_tensor_of_planes(torch: Any) -> None:
    a = images(4)
    t = pixview.stack(a)
    assert type(t) is torch.Tensor
    assert t.dtype == torch.uint8
    assert t.is_contiguous()
    np.testing.assert_array_equal(t.numpy(), planar(a))


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("to", ["torch", "numpy", "image"])
def test_targets_and_layouts(torch: Any, to: str, layout: str) -> None:
    a = images(3)
    out = pixview.stack(a, to=to, layout=layout)
    assert isinstance(out, {"torch": torch.Tensor, "numpy": np.ndarray}.get(to, pixview.Image))
    wanted = planar(a) if layout == "NCHW" else np.stack(a)
    if to == "image":
        assert out.layout == layout
    np.testing.assert_array_equal(np.asarray(out), wanted)


@pytest.mark.parametrize("n", [1, 2, 16, 17, 300, 10_000])
def test_any_number(n: int) -> None:
    a = images(n, 2, 3, 3)
    out = pixview.stack(a, to="numpy", layout="NHWC")
    np.testing.assert_array_equal(out, np.stack(a))


def test_a_mixture_of_producers(torch: Any) -> None:
    a = images(8)
    wide = np.zeros((5, 40, 3), np.uint8)
    wide[:, 3:10] = a[6]
    mixed = [
        a[0],
        torch.from_numpy(a[1]).permute(2, 0, 1),
        torch.from_numpy(a[2].transpose(2, 0, 1).copy()),
        pixview.view(a[3]),
        memoryview(a[4]),
        Dlpack(a[5]),
        wide[:, 3:10],
        array_interface(a[7][None]),
    ]
    out = pixview.stack(mixed, to="numpy", layout="NHWC")
    np.testing.assert_array_equal(out, np.stack(a))
    assert mixed[5].settled()


def test_sequences_and_iterators() -> None:
    a = images(3)
    for given in (tuple(a), iter(a), (x for x in a), dict.fromkeys([0, 1, 2]) and a):
        out = pixview.stack(given, to="numpy", layout="NHWC")
        np.testing.assert_array_equal(out, np.stack(a))


def test_a_batch_is_its_images(torch: Any) -> None:
    a = image(6, 5, 7, 3)
    t = torch.from_numpy(planar(a).copy())
    for given in (a, t, pixview.view(a), a[::-1][::-1]):
        out = pixview.stack(given, to="numpy", dtype="float32", scale=0.5)
        np.testing.assert_array_equal(out, planar(a) * np.float32(0.5))
    out = pixview.stack(a, to="numpy", size=(6, 9), pad_value=7)
    assert out.shape == (6, 3, 6, 9)
    assert (out[:, :, 5] == 7).all()


def test_source_layouts() -> None:
    a = image(4, 3, 5, 7)
    out = pixview.stack(list(a), to="numpy", src_layout="CHW")
    np.testing.assert_array_equal(out, a)
    out = pixview.stack([a[0, 0], a[0, 1]], to="numpy")
    assert out.shape == (2, 1, 3 + 2, 7)
    with pytest.raises(pixview.LayoutError, match=r"images\[0\].*src_layout"):
        pixview.stack(list(image(4, 3, 50, 70)), to="numpy")


@pytest.mark.parametrize("name", ["bool", "int64", "float64", "complex64", "uint16", "float16"])
def test_bits_of_any_type(name: str) -> None:
    a = images(3, dtype=name)
    out = pixview.stack(a, to="numpy", layout="NHWC", swap_rb=True)
    assert out.dtype == name
    np.testing.assert_array_equal(out, np.stack(a)[..., ::-1])


def test_empty_images() -> None:
    out = pixview.stack([np.zeros((0, 7, 3), np.uint8)] * 3, to="numpy", scale=2)
    assert out.shape == (3, 3, 0, 7)
    assert out.dtype == np.float32
    out = pixview.stack([np.zeros((0, 7, 3), np.uint8)], to="numpy", size=(2, 8), pad_value=9)
    assert out.shape == (1, 3, 2, 8) and (out == 9).all()


# ---- values ----


@pytest.mark.parametrize(
    "name", ["uint8", "int8", "uint16", "int16", "int32", "float16", "float32"]
)
@pytest.mark.parametrize("to", ["float16", "float32", "uint8"])
def test_values_by_the_formula(name: str, to: str) -> None:
    a = images(3, dtype=name)
    if name.startswith("float"):
        a = [np.nan_to_num(x, nan=3, posinf=5, neginf=-5).clip(-500, 500) for x in a]
    wanted = normalised(a, 1 / 255, MEAN, STD)
    out = pixview.stack(
        a, to="numpy", layout="NHWC", dtype=to, scale=1 / 255, mean=MEAN, std=STD
    ).astype(np.float64)
    if to == "uint8":
        assert (np.abs(out - wanted.clip(0, 255)) <= 0.5001).all()
    else:
        limit = {"float16": 65504, "float32": 3e38}[to]
        with np.errstate(over="ignore", invalid="ignore"):
            close = np.isclose(out, wanted, rtol={"float16": 6e-4, "float32": 2e-6}[to], atol=2e-6)
        assert (close | (np.abs(wanted) >= limit * 0.999)).all()


def test_swap_comes_before_mean_and_std() -> None:
    a = images(2)
    out = pixview.stack(a, to="numpy", layout="NHWC", mean=MEAN, std=STD, swap_rb=True)
    np.testing.assert_allclose(
        out, normalised(np.stack(a)[..., ::-1], 1, MEAN, STD), rtol=2e-6, atol=2e-6
    )


def test_what_mean_and_std_may_be(torch: Any) -> None:
    a = images(2)
    wanted = pixview.stack(a, to="numpy", mean=MEAN, std=STD)
    for kind in (list, np.array, torch.tensor, iter):
        out = pixview.stack(a, to="numpy", mean=kind(MEAN), std=kind(STD))
        np.testing.assert_allclose(out, wanted, rtol=1e-6)
    for number in (2, 2.0, np.float32(2), np.array(2.0), [2], (2.0,), np.int64(2)):
        out = pixview.stack(a, to="numpy", std=number)
        np.testing.assert_array_equal(out, planar(a) / np.float32(2))
        out = pixview.stack(a, to="numpy", mean=[1, 2, 3], std=number)
        assert out.shape == (2, 3, 5, 7)
    padded = pixview.stack([x > 9 for x in a], to="numpy", size=(6, 7), pad_value=True)
    assert padded[:, :, 5].all()


def test_the_type_of_the_result(torch: Any) -> None:
    a = images(2)
    assert pixview.stack(a).dtype == torch.uint8
    for keyword in ({"scale": 1.0}, {"mean": 0}, {"std": 1}):
        assert pixview.stack(a, **keyword).dtype == torch.float32
    for dtype in (torch.float16, "float16", np.float16, np.dtype("float16"), "<f2"):
        assert pixview.stack(a, dtype=dtype, scale=0.5).dtype == torch.float16
    t = pixview.stack(a, dtype=torch.bfloat16)
    assert t.dtype == torch.bfloat16
    np.testing.assert_array_equal(t.float().numpy(), torch.tensor(planar(a)).bfloat16().float())


def test_rounding_and_saturation() -> None:
    a = np.array([[-1, 0.5, 1.5, 2.5, 254.5, 255.5, 1e9, np.nan, np.inf, -np.inf]], np.float32)
    out = pixview.stack([a], to="numpy", dtype="uint8")
    np.testing.assert_array_equal(out.ravel(), [0, 0, 2, 2, 254, 255, 255, 0, 255, 0])


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 8, 16, 32])
def test_channels(channels: int) -> None:
    a = images(3, 4, 9, channels)
    mean = np.arange(channels) / 7
    out = pixview.stack(a, to="numpy", layout="NHWC", src_layout="HWC", mean=mean, scale=1 / 3)
    np.testing.assert_allclose(out, normalised(a, 1 / 3, mean, 1), rtol=3e-6, atol=3e-6)


# ---- padding ----


def test_smaller_images_lie_top_left() -> None:
    shapes = [(5, 7), (3, 9), (6, 9), (1, 1), (0, 4)]
    a = [image(h, w, 3) for h, w in shapes]
    out = pixview.stack(a, to="numpy", layout="NHWC", size=(6, 9), pad_value=114, src_layout="HWC")
    for one, batch in zip(a, out, strict=True):
        wanted = np.full((6, 9, 3), 114, np.uint8)
        wanted[: one.shape[0], : one.shape[1]] = one
        np.testing.assert_array_equal(batch, wanted)


def test_the_padding_is_normalised_like_a_pixel() -> None:
    a = image(5, 7, 3)
    out = pixview.stack(
        [a], to="numpy", size=(6, 9), pad_value=114, scale=1 / 255, mean=MEAN, std=STD
    )
    np.testing.assert_allclose(
        out[0, :, 5, :], normalised(np.full((9, 3), 114), 1 / 255, MEAN, STD).T, rtol=2e-6
    )


@pytest.mark.parametrize("value", [2**53, 2**63 - 1024, -(2**63), 2**64 - 2048, np.uint64(2**63)])
def test_a_large_padding_is_exact(value: Any) -> None:
    dtype = "int64" if value < 2**63 else "uint64"
    out = pixview.stack([np.zeros((4, 5), dtype)], to="numpy", size=(4, 6), pad_value=value)
    assert out[0, 0, 0, 5] == value


def test_a_size_that_is_too_small() -> None:
    with pytest.raises(pixview.LayoutError, match=r"images\[1\]"):
        pixview.stack([image(3, 3, 3), image(4, 3, 3)], to="numpy", size=(3, 3))


# ---- out= ----


def test_out_is_written_and_returned(torch: Any) -> None:
    a = images(4)
    for out in (
        torch.zeros(4, 3, 5, 7, dtype=torch.uint8),
        np.zeros((4, 3, 5, 7), np.uint8),
        pixview.view(np.zeros((4, 3, 5, 7), np.uint8), src_layout="NCHW"),
        torch.zeros(4, 5, 7, 3, dtype=torch.uint8).permute(0, 3, 1, 2),
        np.zeros((8, 3, 5, 7), np.uint8)[::2],
    ):
        assert pixview.stack(a, out=out) is out
        np.testing.assert_array_equal(np.asarray(out), planar(a))
    out = np.zeros((4, 5, 7, 3), np.float32)
    assert pixview.stack(a, out=out, layout="NHWC", dtype="float32") is out
    np.testing.assert_array_equal(out, np.stack(a))


def test_an_image_has_its_own_axes() -> None:
    a, memory = images(4), np.zeros((4, 5, 7, 3), np.uint8)
    out = pixview.view(memory)
    assert pixview.stack(a, out=out) is out
    np.testing.assert_array_equal(memory, np.stack(a))
    with pytest.raises(pixview.LayoutError, match="NCHW"):
        pixview.stack(a, out=out, layout="NCHW")


def test_nothing_around_out_is_written() -> None:
    for w in range(1, 40):
        canvas = np.full((2, 4, w + 4, 3), 77, np.uint8)
        a = images(2, 2, w, 3)
        pixview.stack(a, out=canvas[:, 1:-1, 2:-2], layout="NHWC", src_layout="HWC")
        np.testing.assert_array_equal(canvas[:, 1:-1, 2:-2], np.stack(a))
        canvas[:, 1:-1, 2:-2] = 77
        assert (canvas == 77).all()


def test_regions_of_one_sheet() -> None:
    """The left half of each row is the source, the right half the result: they do not overlap."""
    sheet = image(2, 6, 20, 3)
    left = sheet[:, :, :10].copy()
    pixview.stack(list(sheet[:, :, :10]), out=sheet[:, :, 10:], layout="NHWC", src_layout="HWC")
    np.testing.assert_array_equal(sheet[:, :, 10:], left)


def read_only(out: Any) -> Any:
    out.flags.writeable = False
    return out


# What is wrong, what is raised, and a word of why. `a` are four good images, `out` fits them.
BAD: dict[str, tuple[Any, type[Exception], str]] = {
    "empty list": (lambda a, o: ([], {}), pixview.LayoutError, "empty"),
    "empty batch": (lambda a, o: (np.zeros((0, 5, 7, 3), np.uint8), {}), pixview.LayoutError, "N = 0"),
    "one image": (lambda a, o: (a[0], {}), pixview.LayoutError, "sequence"),
    "no images": (lambda a, o: ([1, 2], {}), pixview.UnsupportedError, r"images\[0\]"),
    "one is none": (lambda a, o: ([*a[:3], None], {}), pixview.UnsupportedError, r"images\[3\]"),
    "no sequence": (lambda a, o: (5, {}), pixview.UnsupportedError, "images=5"),
    "text": (lambda a, o: ("abc", {}), pixview.UnsupportedError, "images"),
    "other size": (lambda a, o: ([*a[:2], a[0][:3], a[0][:2]], {}), pixview.LayoutError, r"images\[2\].*size="),
    "other channels": (lambda a, o: ([*a[:3], a[0][..., :1]], {"size": (9, 9)}), pixview.LayoutError, r"images\[3\]"),
    "other type": (lambda a, o: ([*a[:3], a[0].astype("int8")], {}), pixview.DtypeError, r"images\[3\] is int8"),
    "a batch among them": (lambda a, o: ([*a[:3], np.stack(a)], {}), pixview.LayoutError, r"images\[3\]"),
    "five axes": (lambda a, o: ([a[0][None, None]], {}), pixview.LayoutError, r"images\[0\]"),
    "means": (lambda a, o: (a, {"mean": [1, 2]}), pixview.LayoutError, "2 entries"),
    "means and stds": (lambda a, o: (a, {"mean": [1, 2, 3], "std": [1, 2]}), pixview.LayoutError, "std"),
    "no means": (lambda a, o: (a, {"mean": []}), pixview.LayoutError, "0 entries"),
    "33 means": (lambda a, o: (a, {"mean": [1] * 33}), pixview.LayoutError, "33"),
    "text as mean": (lambda a, o: (a, {"mean": "abc"}), TypeError, "mean"),
    "complex mean": (lambda a, o: (a, {"mean": np.complex64(1 + 2j)}), TypeError, r"mean=.*1\+2j.* real"),
    "complex means": (lambda a, o: (a, {"mean": np.array([1, 2, 3j])}), TypeError, r"mean=.* real"),
    "complex scale": (lambda a, o: (a, {"scale": np.array(2 + 1j)}), TypeError, r"scale=.*2.*1.*j.* real"),
    "bool as std": (lambda a, o: (a, {"std": True}), TypeError, "std=True"),
    "bools as std": (lambda a, o: (a, {"std": np.ones(3, bool)}), TypeError, "std=.*True"),
    "set of means": (lambda a, o: (a, {"mean": {1, 2, 3}}), TypeError, r"mean=\{1, 2, 3\}"),
    "dict of means": (lambda a, o: (a, {"mean": {1: 0, 2: 0, 3: 0}}), TypeError, r"mean=\{1: 0"),
    "bytes as std": (lambda a, o: (a, {"std": b"abc"}), TypeError, "std=b'abc'"),
    "endless mean": (lambda a, o: (a, {"mean": 10**400}), pixview.LayoutError, "mean=1000.*float64"),
    "zero std": (lambda a, o: (a, {"std": 0}), pixview.LayoutError, "std"),
    "one zero std": (lambda a, o: (a, {"std": [1, 0, 1]}), pixview.LayoutError, r"std\[1\]"),
    "NaN std": (lambda a, o: (a, {"std": float("nan")}), pixview.LayoutError, "nan"),
    "infinite std": (lambda a, o: (a, {"std": float("inf")}), pixview.LayoutError, "inf"),
    "NaN mean": (lambda a, o: (a, {"mean": [0, float("nan"), 0]}), pixview.LayoutError, r"mean\[1\]"),
    "NaN scale": (lambda a, o: (a, {"scale": float("nan")}), pixview.LayoutError, "scale"),
    "zero scale": (lambda a, o: (a, {"scale": 0}), pixview.LayoutError, "scale"),
    "huge scale": (lambda a, o: (a, {"scale": 1e300}), pixview.LayoutError, "float32"),
    "text as scale": (lambda a, o: (a, {"scale": "1"}), TypeError, "scale"),
    "integer result": (lambda a, o: (a, {"dtype": "int16"}), pixview.DtypeError, "int16"),
    "double result": (lambda a, o: (a, {"dtype": float}), pixview.DtypeError, "float64"),
    "unknown type": (lambda a, o: (a, {"dtype": "banana"}), pixview.DtypeError, "banana"),
    "values of doubles": (lambda a, o: ([x.astype(float) for x in a], {"scale": 2}), pixview.DtypeError, "float64"),
    "swap two channels": (lambda a, o: ([x[..., :2] for x in a], {"swap_rb": True}), pixview.LayoutError, "swap_rb"),
    "swap is no bool": (lambda a, o: (a, {"swap_rb": 1}), TypeError, "swap_rb"),
    "size of three": (lambda a, o: (a, {"size": (1, 2, 3)}), pixview.LayoutError, "size"),
    "negative size": (lambda a, o: (a, {"size": (-9, 9)}), pixview.LayoutError, "size"),
    "size is a number": (lambda a, o: (a, {"size": 9}), TypeError, "size=9"),
    "size beyond memory": (lambda a, o: (a, {"size": (2**40, 2**40)}), pixview.LayoutError, "64 bits"),
    "small size": (lambda a, o: (a, {"size": (4, 7)}), pixview.LayoutError, r"images\[0\]"),
    "pad of no byte": (lambda a, o: (a, {"size": (9, 9), "pad_value": 256}), pixview.DtypeError, "256"),
    "half a pad": (lambda a, o: (a, {"size": (9, 9), "pad_value": 0.5}), pixview.DtypeError, "0.5"),
    "text as pad": (lambda a, o: (a, {"pad_value": "x"}), TypeError, "pad_value"),
    "layout": (lambda a, o: (a, {"layout": "HWC"}), pixview.LayoutError, "HWC"),
    "unknown layout": (lambda a, o: (a, {"layout": "NCWH"}), pixview.LayoutError, "NCWH"),
    "src_layout": (lambda a, o: (a, {"src_layout": "HW"}), pixview.LayoutError, "src_layout"),
    "target": (lambda a, o: (a, {"to": "jax"}), ValueError, "jax"),
    "to a GPU": (lambda a, o: (a, {"to": "gpumat"}), (pixview.DeviceError, ImportError), "."),
    "stream": (lambda a, o: (a, {"stream": 0}), ValueError, "stream"),
    "stream of no kind": (lambda a, o: (a, {"stream": "x"}), TypeError, "stream"),
    "fewer in out": (lambda a, o: (a, {"out": o[:3]}), pixview.LayoutError, "out has"),
    "out of other axes": (lambda a, o: (a, {"out": o.transpose(0, 2, 3, 1)}), pixview.LayoutError, "out has"),
    "out of three axes": (lambda a, o: (a, {"out": o[0]}), pixview.LayoutError, "4 axes"),
    "out of other type": (lambda a, o: (a, {"out": o, "scale": 2}), pixview.DtypeError, "dtype='uint8'"),
    "read-only out": (lambda a, o: (a, {"out": read_only(o)}), pixview.ReadOnlyError, "read-only"),
    "out overlaps itself": (
        lambda a, o: (a, {"out": np.lib.stride_tricks.as_strided(o, o.shape, (0, 35, 7, 1))}),
        pixview.LayoutError,
        "overlaps itself",
    ),
    "out is a source": (lambda a, o: ([*a[:3], o[1].transpose(1, 2, 0)], {"out": o}), pixview.LayoutError, r"images\[3\].*share"),
    "out is no image": (lambda a, o: (a, {"out": [1, 2]}), pixview.UnsupportedError, "list"),
    "out is a copy": (lambda a, o: (a, {"out": Dlpack(o, flags=2)}), pixview.ReadOnlyError, "copy"),
    "unknown keyword": (lambda a, o: (a, {"axis": 0}), TypeError, "axis"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(torch: Any, name: str) -> None:
    make, error, part = BAD[name]
    a, out = images(4), np.full((4, 3, 5, 7), 7, np.uint8)
    given, keywords = make(a, out)
    before = [sys.getrefcount(x) for x in (*a, out)]
    with pytest.raises(error, match=part) as raised:
        pixview.stack(given, **keywords)
    assert str(raised.value)
    del raised
    gc.collect()
    assert [sys.getrefcount(x) for x in (*a, out)] == before
    assert (out == 7).all()


def test_out_that_autograd_watches(torch: Any) -> None:
    leaf = torch.zeros(2, 3, 5, 7, requires_grad=True)
    with pytest.raises(pixview.ReadOnlyError, match="detach"):
        pixview.stack(images(2), out=leaf, dtype="float32")
    assert not leaf.detach().any()


def test_a_producer_of_its_own_mind() -> None:
    """Its code runs in the middle of the call: what it does to the list must not matter."""

    class Hostile(Dlpack):
        def __dlpack__(self, **keywords: Any) -> Any:
            given.clear()
            gc.collect()
            return super().__dlpack__(**keywords)

    a = images(3)
    given = [a[0].copy(), Hostile(a[1]), a[2].copy()]
    out = pixview.stack(given, to="numpy", layout="NHWC")
    np.testing.assert_array_equal(out, np.stack(a))
    assert not given


def test_a_producer_that_raises() -> None:
    class Broken:
        def __dlpack_device__(self) -> tuple[int, int]:
            return 1, 0

        def __dlpack__(self, **keywords: Any) -> Any:
            raise OSError("no disk")

    a, out = images(2), np.zeros((3, 3, 5, 7), np.uint8)
    with pytest.raises(pixview.UnsupportedError, match=r"images\[2\]") as raised:
        pixview.stack([*a, Broken()], out=out)
    assert isinstance(raised.value.__cause__, OSError)
    assert not out.any()


def test_leaves_nothing_behind(torch: Any) -> None:
    a = [*images(20), pixview.view(images(1)[0]), array_interface(images(1)[0])]
    out = torch.zeros(22, 3, 5, 7)
    check_flat(lambda: pixview.stack(a[:21], out=out[:21], scale=2, mean=MEAN), 3000)
    check_flat(lambda: pixview.stack(a[:20], to="numpy"), 3000)

    def fails() -> None:
        with pytest.raises(pixview.LayoutError):
            pixview.stack([*a, images(1, 2)[0]], out=out)

    check_flat(fails, 1000)


# ---- unstack ----


@pytest.mark.parametrize("to", ["torch", "numpy", "image"])
@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_unstack_gives_views(torch: Any, to: str, layout: str) -> None:
    a = image(4, 5, 7, 3)
    batch = a if layout == "NHWC" else planar(a).copy()
    made = pixview.unstack(batch, to=to, src_layout=layout)
    assert type(made) is list and len(made) == 4
    for one, wanted in zip(made, a, strict=True):
        view = np.asarray(one)
        np.testing.assert_array_equal(view.transpose(1, 2, 0) if to == "torch" else view, wanted)
        assert np.shares_memory(view, batch)
        if to == "image":
            assert one.layout == "HWC"
    count = sys.getrefcount(batch)
    del made, one, view
    gc.collect()
    assert sys.getrefcount(batch) < count


@pytest.mark.parametrize("to", ["torch", "numpy", "image"])
def test_unstack_copies_when_told(torch: Any, to: str) -> None:
    a = image(3, 5, 7, 3)
    made = pixview.unstack(a, to=to, copy=True)
    for one, wanted in zip(made, a, strict=True):
        array = np.asarray(one)
        assert array.flags.c_contiguous
        assert not np.shares_memory(array, a)
        np.testing.assert_array_equal(array.transpose(1, 2, 0) if to == "torch" else array, wanted)
    array[...] = 0  # one of them, and no other
    np.testing.assert_array_equal(
        np.asarray(made[0]).transpose(1, 2, 0) if to == "torch" else np.asarray(made[0]), a[0]
    )


def test_there_and_back(torch: Any) -> None:
    a = images(5, 6, 8, 4)
    back = pixview.unstack(pixview.stack(a), to="numpy")
    for one, wanted in zip(back, a, strict=True):
        np.testing.assert_array_equal(one, wanted)


@pytest.mark.parametrize("to", ["torch", "numpy", "image"])
def test_unstack_of_nothing(torch: Any, to: str) -> None:
    assert pixview.unstack(torch.zeros(0, 3, 4, 5), to=to) == []
    assert pixview.unstack(np.zeros((0, 4, 5, 3)), to=to, copy=True) == []
    assert len(pixview.unstack(np.zeros((2, 0, 5, 3)), to=to)) == 2


def test_unstack_of_one_image(torch: Any) -> None:
    a = image(5, 7, 3)
    (one,) = pixview.unstack(a, to="torch")
    np.testing.assert_array_equal(one.permute(1, 2, 0).numpy(), a)


def test_unstack_of_read_only_memory(torch: Any) -> None:
    a = read_only(image(2, 5, 7, 3))
    assert not pixview.unstack(a, to="numpy")[0].flags.writeable
    (one, _) = pixview.unstack(a, to="torch")
    assert one.data_ptr() != a.ctypes.data
    with pytest.raises(pixview.ReadOnlyError):
        pixview.unstack(a, to="torch", copy=False)


@pytest.mark.parametrize(
    "arguments, keywords, error",
    [
        ((), {}, TypeError),
        ((1,), {}, (pixview.UnsupportedError, ImportError)),
        ((1,), {"to": "numpy"}, pixview.UnsupportedError),
        (([],), {"to": "numpy"}, pixview.UnsupportedError),
        ((np.zeros((2, 4, 5, 3)),), {"to": "list"}, ValueError),
        ((np.zeros((2, 4, 5, 3)),), {"to": "numpy", "copy": 1}, TypeError),
        ((np.zeros((2, 4, 5, 3)),), {"to": "numpy", "src_layout": "HWC"}, pixview.LayoutError),
        ((np.zeros((2, 4, 5, 3)),), {"to": "numpy", "stream": 0}, ValueError),
        ((np.zeros((2, 4, 5, 3)),), {"to": "cupy"}, (pixview.DeviceError, ImportError)),
        ((np.zeros((2, 4, 5, 3)),), {"layout": "NCHW"}, TypeError),
    ],
)
def test_unstack_refuses(arguments: Any, keywords: Any, error: Any) -> None:
    with pytest.raises(error):
        pixview.unstack(*arguments, **keywords)


def test_nobody_sees_a_list_that_is_half_full(torch: Any) -> None:
    batch = image(977, 2, 2, 3)
    seen: list[int] = []

    def look(phase: str, info: Any) -> None:
        seen.extend(type(x) is list and len(x) == 977 for x in gc.get_objects(generation=0))

    gc.collect()
    thresholds = gc.get_threshold()
    gc.callbacks.append(look)
    gc.set_threshold(1)
    try:
        made = pixview.unstack(batch, to="torch")
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(look)
    assert seen and not any(seen)
    assert len(made) == 977 and gc.is_tracked(made)


def test_unstack_leaves_nothing_behind(torch: Any) -> None:
    a = image(8, 5, 7, 3)
    check_flat(lambda: pixview.unstack(a, to="torch"), 2000)
    check_flat(lambda: pixview.unstack(a, to="numpy", copy=True), 2000)


@pytest.mark.parametrize("bits", [57, 60, 62])
def test_more_images_than_memory_can_hold(bits: int) -> None:
    # A stride of 0 costs no memory, but its copy does.
    batch = np.broadcast_to(np.zeros((1, 1, 1), np.uint8), (1 << bits, 1, 1, 1))
    with pytest.raises(MemoryError):
        pixview.stack(batch, to="numpy")


# ---- a batch that only a protocol knows ----

PROTOCOLS = {
    "array interface": array_interface,
    "DLPack": Dlpack,
    "capsule": lambda a: a.__dlpack__(),
    "buffer": lambda a: memoryview(a),
}


@pytest.mark.parametrize("kind", PROTOCOLS)
def test_a_batch_that_only_a_protocol_knows(kind: str) -> None:
    a = image(2, 4, 5, 3)
    batch = pixview.stack(PROTOCOLS[kind](a), to="numpy", scale=2)
    np.testing.assert_array_equal(batch, a.transpose(0, 3, 1, 2) * np.float32(2))
    with pytest.raises(pixview.LayoutError, match="one image of HWC"):
        pixview.stack(PROTOCOLS[kind](a[0]), to="numpy")
    with pytest.raises(pixview.LayoutError, match="empty"):
        pixview.stack(PROTOCOLS[kind](a[:0].copy()), to="numpy")


def test_what_is_no_batch_is_a_sequence() -> None:
    a = image(4, 5, 3)
    for images in ([a, a], (a, a), iter([a, a]), collections.deque([a, a]), {1: a, 2: a}.values()):
        assert pixview.stack(images, to="numpy").shape == (2, 3, 4, 5)


def test_a_protocol_that_raises_is_the_cause() -> None:
    class Loud:
        @property
        def __dlpack__(self) -> Any:
            raise RuntimeError("boom")

    with pytest.raises(pixview.UnsupportedError, match="__dlpack__") as raised:
        pixview.stack(Loud(), to="numpy")
    assert isinstance(raised.value.__cause__, RuntimeError)
