# SPDX-License-Identifier: Apache-2.0
"""plan: says what a conversion would do, and the conversion then does that."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
import pixview
import pytest
from support import image

CASES: list[tuple[Any, str, dict[str, Any], str]] = [
    (lambda: image(4, 5, 3), "torch", {}, "view"),
    (lambda: image(4, 5, 3), "numpy", {}, "view"),
    (lambda: image(4, 5, 3), "image", {}, "view"),
    (lambda: image(4, 5, 3), "torch", {"layout": "HWC", "contiguous": True}, "view"),
    (lambda: image(4, 5, 3), "torch", {"contiguous": True}, "copy"),
    (lambda: image(4, 5, 3)[::-1], "torch", {}, "copy"),
    (lambda: image(4, 5, 3)[::-1], "numpy", {}, "view"),
    (lambda: image(3, 4, 5), "numpy", {"src_layout": "CHW"}, "view"),
    (lambda: image(3, 4, 5), "numpy", {"src_layout": "CHW", "contiguous": True}, "copy"),
    (lambda: image(4, 5), "torch", {"contiguous": True, "layout": "NCHW"}, "view"),
]


@pytest.mark.parametrize("make, to, keywords, kind", CASES, ids=[str(i) for i in range(len(CASES))])
def test_plan_and_conversion_agree(
    torch: Any, make: Any, to: str, keywords: Any, kind: str
) -> None:
    a = make()
    plan = pixview.plan(a, to, **keywords)
    assert plan.kind == kind
    assert isinstance(plan.reason, str)
    if kind == "copy":
        assert plan.reason
    call = {"torch": pixview.as_torch, "numpy": pixview.as_numpy, "image": pixview.view}[to]
    made = call(a, **keywords)
    assert np.shares_memory(np.asarray(made), a) == (kind == "view")
    if kind == "copy":
        with pytest.raises(pixview.LayoutError):
            call(a, copy=False, **keywords)
    else:
        call(a, copy=False, **keywords)


def test_the_reason_says_why() -> None:
    assert "-5" in pixview.plan(image(4, 5)[::-1], "torch").reason
    assert "contiguous" in pixview.plan(image(4, 5, 3), "torch", contiguous=True).reason


def test_plan_by_name_and_repr() -> None:
    plan = pixview.plan(x=image(4, 5), to="numpy")
    assert "view" in repr(plan)
    with pytest.raises(AttributeError):
        plan.kind = "copy"
    with pytest.raises(TypeError):
        pixview.Plan()


@pytest.mark.parametrize("to", ["Torch", "tensor", "", "gpu", None, 5, b"torch", np.ndarray])
def test_unknown_targets(to: Any) -> None:
    with pytest.raises((ValueError, TypeError)) as raised:
        pixview.plan(image(4, 5), to)
    assert repr(to) in str(raised.value)


@pytest.mark.parametrize(
    "arguments, keywords",
    [
        ((), {}),
        ((1,), {}),
        ((1, "torch", 3), {}),
        ((1, "torch"), {"copy": True}),
        ((1, "torch"), {"stream": 0}),
    ],
)
def test_arguments(arguments: Any, keywords: Any) -> None:
    with pytest.raises(TypeError):
        pixview.plan(*arguments, **keywords)


def test_what_cannot_be_converted_cannot_be_planned(torch: Any) -> None:
    for bad in (None, "abc", 5, object()):
        with pytest.raises(pixview.UnsupportedError):
            pixview.plan(bad, "torch")
    with pytest.raises(pixview.LayoutError):
        pixview.plan(image(4, 5, 3), "torch", layout="HW")
    with pytest.raises(pixview.DtypeError):
        pixview.plan(np.zeros((4, 5), "O"), "torch")
    with pytest.raises(pixview.DeviceError, match="copy=True"):
        pixview.plan(image(4, 5, 3), "cupy")


def test_what_numpy_has_no_dtype_for_cannot_be_planned(torch: Any) -> None:
    if find_spec("ml_dtypes"):
        pytest.skip("ml_dtypes gives NumPy a bfloat16")
    t = torch.zeros(3, 4, 5, dtype=torch.bfloat16)
    for call in (lambda: pixview.plan(t, "numpy"), lambda: pixview.as_numpy(t)):
        with pytest.raises(pixview.DtypeError, match=r"torch\.uint16"):
            call()
    assert pixview.plan(t, "torch").kind == "view"


def test_a_plan_takes_nothing() -> None:
    capsule = pixview.view(np.zeros((4, 5), np.uint8)).__dlpack__(max_version=(1, 0))
    assert pixview.plan(capsule, "numpy").kind == "view"
    assert pixview.as_numpy(capsule).shape == (4, 5)
