# SPDX-License-Identifier: Apache-2.0
"""What torch and NumPy make that is not a plain array: read right, or refused with the cure."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pixview
import pytest
from support import address, image


@pytest.fixture(params=["table", "attributes"])
def way(request: pytest.FixtureRequest, torch: Any) -> Any:
    pixview._core._force(torch_table=request.param == "table")
    yield request.param
    pixview._core._force(torch_table=True)


def same(x: Any, expected: np.ndarray[Any, Any]) -> None:
    n = pixview.as_numpy(x, layout="CHW")
    np.testing.assert_array_equal(n, expected)
    assert pixview.view(x).layout == "CHW"


LAYOUTS = {
    "permuted": lambda t: t.permute(0, 2, 1),
    "channels_last": lambda t: t[None].contiguous(memory_format=_channels_last)[0],
    "sliced": lambda t: t[:, 1:3, ::2],
    "expanded": lambda t: t[:1].expand(3, -1, -1),
    "flipped": lambda t: t.flip(2),
    "one channel": lambda t: t[:1],
    "empty": lambda t: t[:, :0],
    "parameter": lambda t: _parameter(t.float()),
    "requires_grad": lambda t: t.float().requires_grad_(),
    "inside autograd": lambda t: t.float().requires_grad_() * 2,
    "detached": lambda t: t.float().requires_grad_().detach(),
}
_channels_last: Any = None
_parameter: Any = None


@pytest.mark.parametrize("name", LAYOUTS)
def test_tensors(torch: Any, way: str, name: str) -> None:
    global _channels_last, _parameter
    _channels_last, _parameter = torch.channels_last, torch.nn.Parameter
    t = LAYOUTS[name](torch.from_numpy(image(3, 4, 6)))
    same(t, t.detach().numpy())
    if t.numel():
        assert address(pixview.view(t)) == t.data_ptr()


def test_tensor_subclasses(torch: Any, way: str) -> None:
    class Plain(torch.Tensor):
        pass

    class Overriding(torch.Tensor):
        """Whatever it makes of torch's functions, the memory is what is seen."""

        @classmethod
        def __torch_function__(
            cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            return super().__torch_function__(function, types, args, kwargs or {})

    a = image(3, 4, 6)
    for kind in (Plain, Overriding):
        t = torch.from_numpy(a).as_subclass(kind)
        same(t, a)
        assert address(pixview.view(t)) == address(a)


def test_wrapper_subclasses_have_no_memory(torch: Any, way: str) -> None:
    class Wrapper(torch.Tensor):
        @staticmethod
        def __new__(cls, inner: Any) -> Any:
            return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

        @classmethod
        def __torch_dispatch__(
            cls, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            raise NotImplementedError(function)

    with pytest.raises(pixview.Error):
        pixview.view(Wrapper(torch.zeros(3, 4, 6)))


def test_tensors_without_plain_memory(torch: Any, way: str) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        fake = torch.zeros(3, 4, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = {
            "fake": fake,
            "sparse": torch.zeros(4, 6).to_sparse(),
            "csr": torch.zeros(4, 6).to_sparse_csr(),
            "meta": torch.zeros(3, 4, 6, device="meta"),
        }
    for name, t in made.items():
        with pytest.raises(pixview.Error):
            pixview.view(t)
            pytest.fail(name)
    freed = torch.zeros(3, 4, 6)
    freed.untyped_storage().resize_(0)
    for t in (fake, freed):
        with warnings.catch_warnings(), pytest.raises(pixview.UnsupportedError) as caught:
            warnings.simplefilter("ignore")
            pixview.view(t)
        for words in ("storage was freed", "torch.compile", "register_fake"):
            assert words in str(caught.value)
    with FakeTensorMode():
        assert pixview.view(torch.zeros(3, 0, 6)).shape == (3, 0, 6)  # needs none


def test_a_tensor_whose_strides_lie(torch: Any) -> None:
    class Lying(torch.Tensor):
        def stride(self, *ignored: Any) -> Any:
            return (1,)

    t = torch.zeros(3, 4, 6).as_subclass(Lying)
    assert pixview.view(t).strides == (96, 24, 4)  # the table does not ask
    pixview._core._force(torch_table=False)
    try:
        with pytest.raises(pixview.LayoutError, match="3 axes, but stride.. 1"):
            pixview.view(t)
    finally:
        pixview._core._force(torch_table=True)


def test_lazy_tensors(torch: Any, way: str) -> None:
    z = torch.complex(torch.ones(3, 4, 6), torch.ones(3, 4, 6))
    with pytest.raises(pixview.LayoutError, match="resolve_conj"):
        pixview.view(z.conj())
    with pytest.raises(pixview.LayoutError, match="resolve_neg"):
        pixview.view(z.conj().imag)
    same(z.conj().resolve_conj(), z.conj().resolve_conj().numpy())
    same(z.conj().imag.resolve_neg(), -np.ones((3, 4, 6), np.float32))


def test_pinned_tensors(torch: Any) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU: torch pins no memory (tests/gpu has it)")
    t = torch.zeros(3, 4, 6).pin_memory()
    assert pixview.view(t).device == ("cpu", 0)


@pytest.mark.parametrize("order", ["=", "<"])
def test_numpy_in_this_byte_order(order: str) -> None:
    a = image(4, 5, 3, dtype="uint16").astype(order + "u2")
    assert address(pixview.view(a)) == address(a)


@pytest.mark.parametrize(
    "a",
    [
        np.zeros((4, 5), ">u2"),
        np.zeros((4, 5), ">f4"),
        np.zeros((4, 5), object),
        np.zeros((4, 5), [("r", "u1"), ("g", "u1")]),
        np.zeros((4, 5), "S3"),
        np.zeros((4, 5), "U3"),
        np.zeros((4, 5), "M8[s]"),
        np.zeros((4, 5), "m8[s]"),
        np.zeros((4, 5), "V3"),
        np.zeros((4, 5), np.longdouble),
    ],
    ids=lambda a: str(a.dtype),
)
def test_numpy_types_that_no_image_has(torch: Any, a: np.ndarray[Any, Any]) -> None:
    for call in (pixview.view, pixview.as_torch, pixview.as_numpy):
        with pytest.raises(pixview.DtypeError):
            call(a)


@pytest.mark.parametrize("step", [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (-2, 2, 1), (-1, -1, -1)])
def test_numpy_with_negative_strides(torch: Any, step: tuple[int, ...]) -> None:
    a = image(6, 8, 3)[:: step[0], :: step[1], :: step[2]]
    v = pixview.view(a)
    assert v.strides == a.strides and address(v) == address(a)
    np.testing.assert_array_equal(np.asarray(v), a)
    t = pixview.as_torch(a, layout="HWC")  # torch has no negative strides
    np.testing.assert_array_equal(t.numpy(), a)
    with pytest.raises(pixview.LayoutError, match="stride"):
        pixview.as_torch(a, copy=False)


def test_numpy_subclasses(tmp_path: Any) -> None:
    mapped = np.memmap(tmp_path / "raw", np.uint8, "w+", shape=(4, 5, 3))
    assert address(pixview.view(mapped)) == address(mapped)
    frozen = np.memmap(tmp_path / "raw", np.uint8, "r", shape=(4, 5, 3))
    assert pixview.view(frozen).readonly
    matrix = image(4, 5).view(np.matrix)
    assert pixview.view(matrix).shape == (4, 5)
