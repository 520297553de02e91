# SPDX-License-Identifier: Apache-2.0
"""The package itself: what importing it does, its errors, the command line."""

from __future__ import annotations

import inspect
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pixview
import pytest
from snippets import ROOT
from support import check_fork, check_python, fork_python, image, run_python


def test_import_brings_nothing_along() -> None:
    check_python(
        "import sys, pixview\n"
        "loaded = {'numpy', 'torch', 'cupy', 'cv2'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
        "v = pixview.view(memoryview(bytearray(20)).cast('B', (4, 5)))\n"
        "pixview.plan(v, 'image'), repr(v), v.crop(0, 0, 1, 1), pixview.view(v, copy=True)\n"
        "pixview._core._doctor()\n"
        "loaded = {'numpy', 'torch', 'cupy', 'cv2'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )


def test_a_sub_interpreter_is_refused() -> None:
    """Its end was taken for the exit: nothing was released afterwards in the main interpreter."""
    pytest.importorskip("_testcapi")
    check_python(
        "import _testcapi, sys, weakref\n"
        "import numpy as np, pixview\n"
        "code = 'import sys; sys.path[:] = %r\\n' % sys.path + (\n"
        "    'try:\\n    import pixview\\n'\n"
        "    'except ImportError as e:\\n    assert \"interpreter\" in str(e), e\\n'\n"
        "    'else:\\n    raise AssertionError(\"imported\")')\n"
        "assert _testcapi.run_in_subinterp(code) == 0\n"
        "class Array(np.ndarray): pass\n"
        "a = np.zeros((2, 2, 3), np.uint8).view(Array)\n"
        "v, ref = pixview.view(a), weakref.ref(a)\n"
        "del a, v\n"
        "assert ref() is None\n"
    )


def test_import_makes_no_driver_call() -> None:
    check_python(
        "import ctypes, os\n"
        "path = os.environ.get('PIXVIEW_FAKE_DRIVER')\n"
        "if path:\n"
        "    lib = ctypes.CDLL(path); lib.fake_calls.restype = ctypes.c_char_p; lib.fake_reset()\n"
        "    import pixview\n"
        "    pixview.view(memoryview(bytearray(20)).cast('B', (4, 5)), copy=True)\n"
        "    assert lib.fake_calls() == b'', lib.fake_calls()\n"
    )


def test_the_extension_is_hardened() -> None:
    """Read-only tables, no stack to execute, no RPATH, and no name given away but CPython's own."""
    if not shutil.which("readelf"):
        pytest.skip("no readelf")
    library = pixview._core.__file__
    check = pathlib.Path(__file__).parents[2] / "tools" / "check_hardening.sh"
    done = subprocess.run(["sh", check, library], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    symbols = subprocess.run(
        ["readelf", "-W", "--dyn-syms", library], capture_output=True, text=True, check=True
    )
    defined = [
        fields[7]
        for fields in (line.split() for line in symbols.stdout.splitlines())
        if len(fields) > 7 and fields[0].endswith(":") and fields[6].isdigit()
    ]
    assert defined == ["PyInit__core"], defined


def test_everything_works_without_a_driver(torch: Any) -> None:
    """Host memory never asks for one; device memory gives a typed error."""
    check_fork(
        "import numpy as np, torch, pixview\n"
        "a = np.zeros((4, 5, 3), 'u1')\n"
        "pixview.as_torch(a), pixview.as_torch(a, copy=True), pixview.as_numpy(pixview.as_torch(a))\n"
        "facts = pixview._core._doctor()\n"
        "assert facts['driver']['error'], facts\n"
        "for device in (None, 0, 'cuda'):\n"
        "    try:\n"
        "        v = pixview.from_pointer(a.ctypes.data, a.shape, a.dtype, owner=a, device=device)\n"
        "        pixview.as_numpy(v, copy=True)\n"
        "    except pixview.Error as error:\n"
        "        assert str(error)\n"
        "    else:\n"
        "        raise AssertionError(device)\n",
        PIXVIEW_LIBCUDA="/nonexistent/libcuda.so.1",
    )


def test_names() -> None:
    for name in pixview.__all__:
        assert hasattr(pixview, name)
    for name in (
        "as_torch as_cupy as_numpy as_gpumat view plan from_pointer copy_into Image Plan Error LayoutError "
        "DtypeError DeviceError ReadOnlyError CudaError UnsupportedError"
    ).split():
        assert name in pixview.__all__
    assert pixview.__version__.count(".") >= 1


def test_errors_are_also_built_in_errors() -> None:
    for error, bases in (
        (pixview.LayoutError, (ValueError, BufferError)),
        (pixview.DtypeError, (TypeError,)),
        (pixview.DeviceError, (RuntimeError,)),
        (pixview.ReadOnlyError, (BufferError,)),
        (pixview.CudaError, (RuntimeError,)),
        (pixview.UnsupportedError, (TypeError,)),
    ):
        assert issubclass(error, (pixview.Error,)) and all(
            issubclass(error, base) for base in bases
        )
        assert error.__module__ == "pixview" and error.__doc__
    assert pixview.Error.__bases__ == (Exception,)


def public(x: Any) -> list[str]:
    """Names that a class adds to those of its bases, private ones left out."""
    return [n for n in vars(x) if not n.startswith("_") and not n.startswith("n_")]


def test_everything_has_a_docstring() -> None:
    for name in pixview.__all__:
        thing = getattr(pixview, name)
        if name == "__version__":
            continue
        assert thing.__doc__ and len(thing.__doc__.strip()) > 20, name
        for member in public(thing) if isinstance(thing, type) else ():
            assert getattr(thing, member).__doc__, f"{name}.{member}"
    for name in ("__dlpack__", "__dlpack_device__", "__array__", "crop"):
        assert getattr(pixview.Image, name).__doc__, name


def test_signatures_can_be_read() -> None:
    for name in pixview.__all__:
        thing = getattr(pixview, name)
        if callable(thing) and not isinstance(thing, type):
            names = list(inspect.signature(thing).parameters)
            assert names and all(
                n in (thing.__doc__ or "") or "as_torch" in thing.__doc__ for n in names
            ), name


@pytest.mark.parametrize(
    "call", [pixview.as_torch, pixview.as_numpy, pixview.view], ids=lambda f: f.__name__
)
def test_arguments(torch: Any, call: Any) -> None:
    a = image(4, 5)
    name = call.__name__
    for arguments, keywords in (
        ((), {}),
        ((a, "HW"), {}),
        ((a,), {"layot": "HW"}),
        ((a,), {"x": a}),
    ):
        with pytest.raises(TypeError, match=name):
            call(*arguments, **keywords)
    for keywords in (
        {"copy": 1},
        {"copy": "no"},
        {"stream": "x"},
        {"stream": 1.5},
        {"stream": True},
    ):
        with pytest.raises(TypeError, match=next(iter(keywords))):
            call(a, **keywords)
    assert call(x=a) is not None


def test_doctor_facts() -> None:
    facts = pixview._core._doctor()
    assert facts["version"] == pixview.__version__
    assert isinstance(facts["kernels"], bool)
    driver = facts["driver"]
    if "error" in driver:
        assert driver["error"]
    else:
        assert driver["version"] >= 1000
        for device in driver["devices"]:
            assert device["name"] and len(device["compute_capability"]) == 2
            assert device["kernels"] is True or device["kernels"]
    gpumat = facts["gpumat"]
    if gpumat is not None:
        assert gpumat["cn_shift"] in (3, 5) and gpumat["read"] in ("struct", "public")
        assert gpumat["own"] in ("native", "subtype")
        assert gpumat["reason"] or gpumat["read"] == "struct"


def test_doctor_knows_what_the_kernels_are_built_for() -> None:
    """As tools/check_kernels.py reads it out of the library."""
    facts = pixview._core._doctor()
    if not facts["kernels"]:
        assert facts["code"] == []
        return
    tools = str(pathlib.Path(__file__).parents[2] / "tools")
    done = run_python(
        f"import pathlib, sys\nsys.path.insert(0, {tools!r})\n"
        "import check_kernels, pixview\n"
        "data = check_kernels.contents(pathlib.Path(pixview._core.__file__))\n"
        "names = {check_kernels.ELF: 'sm', check_kernels.PTX: 'compute'}\n"
        "for kind, arch, _ in check_kernels.code_objects(data):\n"
        "    print(f'{names[kind]}_{arch}')\n"
    )
    assert facts["code"] and facts["code"] == done.stdout.split(), done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (["compute_75"], "PTX only (7.5)"),
        (
            ["sm_80", "sm_120", "compute_75"],
            "capability 8.0, 12.0 and later ones of the same major version; the driver compiles the "
            "PTX (7.5)",
        ),
        (["sm_90"], "capability 9.0"),
        ([], "unknown"),
    ],
)
def test_doctor_says_what_the_kernels_are_built_for(code: list[str], words: str) -> None:
    from pixview.cli import doctor

    text = doctor._kernels({**pixview._core._doctor(), "kernels": True, "code": code})
    assert words in text, text


@pytest.mark.parametrize("driver", [None, "/nonexistent/libcuda.so.1"])
def test_doctor_command(driver: str | None) -> None:
    env = {} if driver is None else {"PIXVIEW_LIBCUDA": driver}
    done = fork_python("from pixview.cli import main; raise SystemExit(main(['doctor']))", **env)
    assert done.returncode == 0, done.stderr
    assert pixview.__version__ in done.stdout and "Here:" in done.stdout


def test_command_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pixview", "doctor"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    done = subprocess.run(
        [sys.executable, "-m", "pixview", "--version"], capture_output=True, text=True
    )
    assert done.stdout.strip().endswith(pixview.__version__)
    done = subprocess.run(
        [sys.executable, "-m", "pixview", "nonsense"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "nonsense" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_command_on_a_full_disk() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pixview", "doctor"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("pixview doctor: cannot write the output: "), done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_import_in_the_source_folder() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import pixview"],
        cwd=ROOT / "python",
        capture_output=True,
        text=True,
    )
    assert "run Python in another one" in done.stderr.splitlines()[-1], done.stderr


def test_both_distributions_have_one_version() -> None:
    text = (ROOT / "compat/savant/pyproject.toml").read_text()
    assert f'version = "{pixview.__version__}"' in text


@pytest.mark.parametrize(
    ("module", "call", "cure"),
    [
        ("cv2", "pixview.unstack(v)", "docs/opencv-cuda.md"),
        ("cv2", "pixview.as_gpumat(v)", "docs/opencv-cuda.md"),
        ("cv2", "pixview.stack([v], to='gpumat')", "docs/opencv-cuda.md"),
        ("torch", "pixview.as_torch(v)", "pip install torch"),
        ("cupy", "pixview.as_cupy(v)", "pip install cupy-cuda"),
        ("numpy", "pixview.as_numpy(v)", "pip install numpy"),
    ],
)
def test_a_missing_module_says_how_to_get_it(module: str, call: str, cure: str) -> None:
    check_python(
        "import sys\n"
        f"sys.modules[{module!r}] = None\n"
        "import pixview\n"
        "v = pixview.view(memoryview(bytearray(60)).cast('B', (4, 5, 3)), copy=True)\n"
        "try:\n"
        f"    {call}\n"
        "except ModuleNotFoundError as error:\n"
        f"    assert error.name == {module!r} and {cure!r} in str(error), error\n"
        "else:\n"
        "    raise AssertionError\n"
    )


def test_a_module_that_fails_to_import_says_why(tmp_path: pathlib.Path) -> None:
    (tmp_path / "cv2.py").write_text("import of_which_nobody_knows\n")
    check_python(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "import pixview\n"
        "try:\n"
        "    pixview.as_gpumat(b'')\n"
        "except ModuleNotFoundError as error:\n"
        "    assert error.name == 'of_which_nobody_knows', error\n"
        "else:\n"
        "    raise AssertionError\n"
    )


def test_the_demo_names_the_packages_it_lacks() -> None:
    check_fork(
        "import contextlib, io, sys\n"
        "sys.modules['PIL'] = None\n"
        "from pixview.cli import main\n"
        "said = io.StringIO()\n"
        "with contextlib.redirect_stderr(said):\n"
        "    assert main(['demo']) != 0\n"
        "text = said.getvalue()\n"
        "assert 'pip install pillow' in text and 'pixview[' not in text, text\n"
    )


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8\xff")])
def test_the_demo_writes_its_picture(
    torch: Any, tmp_path: pathlib.Path, name: str, magic: bytes
) -> None:
    pytest.importorskip("PIL")
    path = tmp_path / name
    table = check_fork(
        f"from pixview.cli import main\nassert main(['demo', '-o', {str(path)!r}]) == 0\n",
        PIXVIEW_LIBCUDA="/nonexistent/libcuda.so.1",
    )
    assert path.read_bytes().startswith(magic)
    assert "stack(4 images)" in table and "checked:" in table
    row = next(line for line in table.splitlines() if line.startswith("stack(2 images, letterbox)"))
    assert "2x3x300x300" in row and "copy" in row.split()


def test_each_copy_of_the_demo_has_its_own_address() -> None:
    """A row had the address of an earlier one, whose memory was free again."""
    from pixview.cli.steps import Record

    record = Record()
    record._nanoseconds = lambda call: 0.0  # type: ignore[method-assign]
    pixels = np.zeros((64, 64, 3), np.uint8)
    for name in "abc":
        record.convert(name, pixels, "numpy", pixels, copy=True)
    addresses = {row.address for row in record.rows}
    assert len(addresses) == 3 and pixels.ctypes.data not in addresses


def test_the_demo_runs_without_torch(tmp_path: pathlib.Path) -> None:
    """As on a laptop without a GPU: the main job, and as many pictures."""
    pytest.importorskip("PIL")
    path = tmp_path / "a.png"
    table = check_fork(
        "import sys\nsys.modules['torch'] = None\n"
        f"from pixview.cli import main\nassert main(['demo', '-o', {str(path)!r}]) == 0\n",
        PIXVIEW_LIBCUDA="/nonexistent/libcuda.so.1",
    )
    assert path.read_bytes().startswith(b"\x89PNG")
    rows = [" ".join(line.split()) for line in table.splitlines()]
    for start, layout, kind in (
        ("Image -> numpy.from_dlpack 300x451x3", "HWC", "view"),
        ("Image -> memoryview -> NumPy 300x451x3", "HWC", "view"),
        ("NumPy -> NumPy, planes 3x300x451", "CHW", "copy"),
        ("stack(4 images) -> NumPy 4x3x300x451", "NCHW", "copy"),
        ("stack(2 images, letterbox) -> NumPy 2x3x300x300", "NCHW", "copy"),
    ):
        row = next(row for row in rows if row.startswith(start))
        assert layout in row.split() and kind in row.split(), row
    assert "skipped: torch in host memory: torch is not installed" in table
    assert "checked: 4 views" in table and "9 pictures" in table


@pytest.mark.parametrize(
    ("mode", "dtype", "top"),
    [
        ("I;16", "uint16", 65535),
        ("I", "int32", 65535),
        ("I", "int32", 2**30),
        ("F", "float32", 1.0),
        ("F", "float32", 900.0),
        ("L", "uint8", 255),
    ],
)
def test_the_demo_reads_grey_pictures_of_any_depth(
    tmp_path: pathlib.Path, mode: str, dtype: str, top: float
) -> None:
    """Pillow clips more than 8 bits: the picture was white."""
    image = pytest.importorskip("PIL.Image")
    from pixview.cli import demo

    ramp = np.linspace(0, 1, 80)[None].repeat(70, 0)
    path = str(tmp_path / ("a.png" if mode in ("L", "I;16") else "a.tiff"))
    picture = image.fromarray((ramp * top).astype(dtype))
    assert picture.mode == mode
    picture.save(path)
    photo = demo._read(path)
    assert photo.shape == (70, 80, 3) and photo.dtype == np.uint8
    np.testing.assert_allclose(photo, (255 * ramp[..., None]).repeat(3, 2), atol=1)


def test_the_demo_scales_a_large_picture(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It took 8 GB and two minutes for 12000 x 8000. Turned by EXIF, too."""
    image = pytest.importorskip("PIL.Image")
    from pixview.cli import demo

    assert demo.LARGEST**2 < 5_000_000
    monkeypatch.setattr(demo, "LARGEST", 300)
    picture = image.new("RGB", (1200, 800), (200, 100, 50))
    exif = image.Exif()
    exif[demo.ORIENTATION] = 6
    for name, keywords in (("a.jpg", {"exif": exif}), ("a.png", {"compress_level": 1})):
        picture.save(tmp_path / name, **keywords)
        photo = demo._read(str(tmp_path / name))
        long, short = 300, 200
        assert photo.shape == ((long, short, 3) if keywords.get("exif") else (short, long, 3))
        np.testing.assert_allclose(photo - np.array([200.0, 100, 50]), 0, atol=3)
        assert "1200 x 800 pixels, scaled to" in capsys.readouterr().out


LETTERBOX = """
import sys
sys.modules["torch"] = None
import numpy as np, pixview
from pixview.cli import letterbox
from pixview.cli.steps import DemoError, Record

for height, width in ((64, 80), (90, 64), (64, 640), (640, 64), (301, 451)):
    photo = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    record = Record()
    letterbox.run(record, photo)
    (row,), (panel,) = record.rows, record.panels
    side = min(height, width)
    assert row.shape == (2, 3, side, side) and row.kind == panel.kind == "copy"
    assert (panel.pixels == letterbox.COLOUR).all(2).any()

for name in "to_canvas", "to_source":
    right = getattr(pixview.Placements, name)
    for wrong in (lambda x: x + 0.01, lambda x: x * 1.001):
        change = lambda self, *args, **options: wrong(right(self, *args, **options))
        setattr(pixview.Placements, name, change)
        try:
            letterbox.run(Record(), photo)
        except DemoError as error:
            assert str(error).startswith(name), error
        else:
            raise AssertionError(name)
    setattr(pixview.Placements, name, right)
"""


def test_the_demo_checks_where_boxes_go() -> None:
    """Without torch; and a mapping that is off by a hundredth of a pixel is an error."""
    pytest.importorskip("PIL")
    check_python(LETTERBOX)


def test_without_numpy_and_torch() -> None:
    """A machine that has none of the frameworks: typed or import errors, never a crash."""
    check_python(
        "import sys\n"
        "for name in ('numpy', 'torch', 'cupy', 'cv2'):\n"
        "    sys.modules[name] = None\n"
        "import pixview\n"
        "from pixview.cli import main\n"
        "v = pixview.view(memoryview(bytearray(60)).cast('B', (4, 5, 3)), copy=True)\n"
        "assert str(v.dtype) == 'uint8' and 'uint8' in repr(v)\n"
        "for call in (pixview.as_torch, pixview.as_numpy, pixview.as_cupy, pixview.as_gpumat):\n"
        "    try:\n"
        "        call(v)\n"
        "    except (ImportError, pixview.Error) as error:\n"
        "        assert str(error)\n"
        "    else:\n"
        "        raise AssertionError(call)\n"
        "try:\n"
        "    pixview.view(None)\n"
        "except pixview.UnsupportedError:\n"
        "    pass\n"
        "assert main(['doctor']) == 0\n"
    )
