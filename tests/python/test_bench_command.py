# SPDX-License-Identifier: Apache-2.0
"""`pixview bench`: it runs with what is there, its numbers are true, and its errors are clear."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pixview
import pytest
from pixview.cli import bench, bench_gpu, main
from support import check_fork, fork_python, image, tensor_of

SMALL = (
    "import sys\n"
    "from pixview.cli import bench, bench_host, main\n"
    "bench.BLOCK, bench.ROUNDS = 0.001, 3\n"
    "bench_host.HEIGHT, bench_host.WIDTH, bench_host.SIDE = 90, 160, 64\n"
)
NO_GPU = {"PIXVIEW_LIBCUDA": "/nonexistent/libcuda.so.1"}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return fork_python(SMALL + code, **NO_GPU)


def test_json() -> None:
    """Each number is positive, and the ways of a copy move the same bytes."""
    done = run("raise SystemExit(main(['bench', '--json']))")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    facts, rows = found["machine"], found["rows"]
    assert facts["cpu"] and facts["pixview"] == pixview.__version__ and "gpu" not in facts
    assert facts["numpy"] == np.__version__
    cases: dict[str, list[Any]] = {}
    for row in rows:
        assert row.keys() == {"case", "where", "way", "ns", "gb_per_s"} and row["ns"] > 0
        cases.setdefault(row["case"], []).append(row)
    assert len(cases) >= 5 and max(map(len, cases.values())) >= 2
    for name, ways in cases.items():
        assert ways[0]["way"].startswith("pixview."), name
        moved = [row["ns"] * row["gb_per_s"] for row in ways if row["gb_per_s"]]
        assert len(moved) in (0, len(ways)), name
        assert not moved or max(moved) < 1.01 * min(moved), name
    planes = next(row for row in rows if "C,H,W" in row["case"] and row["gb_per_s"])
    assert planes["ns"] * planes["gb_per_s"] == pytest.approx(2 * 90 * 160 * 3, rel=0.01)
    assert done.stderr.count("pixview bench: ") == len(cases)


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("a.jpg", b"\xff\xd8\xff")])
def test_table_and_picture(tmp_path: Path, name: str, magic: bytes) -> None:
    pytest.importorskip("PIL")
    path = tmp_path / name
    done = run(f"raise SystemExit(main(['bench', '-o', {str(path)!r}]))")
    assert done.returncode == 0, done.stderr
    assert path.read_bytes().startswith(magic)
    lines = done.stdout.splitlines()
    assert lines[0].startswith("cpu: ") and lines[-1].startswith(str(path))
    assert any(line.startswith("  pixview.stack ") and line.endswith(" GB/s") for line in lines)


def test_numpy_alone() -> None:
    done = run(
        "for name in ('torch', 'cupy', 'cv2', 'PIL'):\n    sys.modules[name] = None\n"
        "raise SystemExit(main(['bench']))"
    )
    assert done.returncode == 0, done.stderr
    assert "NumPy, step by step" in done.stdout and "torch" not in done.stdout
    assert "no picture: that needs Pillow (not installed): pip install pillow" in done.stderr
    assert not Path("pixview-bench.png").exists()


def test_a_named_picture_needs_pillow() -> None:
    done = run("sys.modules['PIL'] = None\nraise SystemExit(main(['bench', '-o', 'nowhere.png']))")
    assert done.returncode == 1 and done.stdout == ""
    assert "to draw nowhere.png it needs Pillow (not installed)" in done.stderr


def test_an_interrupt_is_one_line() -> None:
    done = run(
        "def interrupt():\n    raise KeyboardInterrupt\n"
        "bench.gather = interrupt\nraise SystemExit(main(['bench', '--json']))"
    )
    assert done.returncode == 130 and done.stderr == "\npixview bench: interrupted\n"


def test_without_numpy() -> None:
    done = run("sys.modules['numpy'] = None\nraise SystemExit(main(['bench']))")
    assert done.returncode == 1
    assert done.stderr == "pixview bench: needs NumPy (not installed): pip install numpy\n"


def test_bad_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is missing is named before half a minute is spent."""
    path = str(tmp_path / "missing" / "a.png")
    wrong = {"there is no folder": ["-o", path], "must end in .png": ["-o", "a.tar"]}
    wrong |= {"usage: pixview": ["--jsom"], "unrecognized": ["a.png"], "expected one": ["-o"]}
    for part, arguments in wrong.items():
        with pytest.raises(SystemExit) as error:
            main(["bench", *arguments])
        assert error.value.code == 2 and part in capsys.readouterr().err


def test_a_picture_that_cannot_be_written(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    path = tmp_path / "folder.png"
    path.mkdir()
    done = run(f"raise SystemExit(main(['bench', '-o', {str(path)!r}]))")
    said = done.stderr.splitlines()[-1]
    assert done.returncode == 1 and said == f"pixview bench: cannot write {path}: Is a directory"
    assert "Traceback" not in done.stderr


def test_a_wrong_result_is_an_error() -> None:
    done = run(
        "import pixview\nright = pixview.copy_into\n"
        "def wrong(out, frame):\n    right(out, frame)\n    pixview.as_numpy(out)[5, 7, 0] ^= 1\n"
        "pixview.copy_into = wrong\nraise SystemExit(main(['bench', '--json']))"
    )
    assert done.returncode == 1 and done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last == "pixview bench: pixview.copy_into: another result than the first way's"


def test_a_view_that_copies_is_an_error() -> None:
    done = run(
        "import pixview\nright = pixview.view\n"
        "pixview.view = lambda x, **options: right(x, **options, copy=True)\n"
        "raise SystemExit(main(['bench', '--json']))"
    )
    assert done.returncode == 1 and "not a view of its source" in done.stderr.splitlines()[-1]


def test_times_are_true() -> None:
    """A call that sleeps, and one whose work is done in the wait."""
    slept: list[float] = []

    def wait() -> None:
        time.sleep(sum(slept))
        slept.clear()

    case = bench.Case(
        "sleep",
        "here",
        {"a": lambda: time.sleep(0.004), "b": lambda: slept.append(0.002)},
        lambda way, result: None,
        nbytes=4_000_000,
        wait=wait,
    )
    bench.measure(case)
    a, b = case.rows()
    assert 4e6 <= a["ns"] < 12e6 and 2e6 <= b["ns"] < 6e6
    assert a["gb_per_s"] == pytest.approx(4e6 / a["ns"], rel=0.02)
    assert len(case.samples["a"]) == bench.ROUNDS


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (163.2, "163 ns"),
        (999.7, "1.00 us"),
        (2121, "2.12 us"),
        (22.4e6, "22.4 ms"),
        (3e9, "3.00 s"),
    ],
)
def test_duration(ns: float, text: str) -> None:
    assert bench.duration(ns) == text


def test_bars_are_as_long_as_their_times(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    from pixview.cli import chart

    case = bench.Case("name", "here", {}, lambda way, result: None)
    case.samples = {"ours": [100.0], "usual": [400.0]}
    path = str(tmp_path / "a.png")
    chart.write(path, {"cpu": "a", "python": "3"}, [case])
    pixels = np.asarray(image.open(path))

    def length(colour: tuple[int, int, int]) -> int:
        return int((pixels == colour).all(2).sum(1).max())

    assert length(chart.OTHERS) == pytest.approx(4 * length(chart.OURS), abs=4)


def test_the_batch_of_a_gpu(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its arithmetic, in host memory: both ways give one result, and a wrong one is seen."""
    monkeypatch.setattr(bench_gpu, "HEIGHT", 20)
    monkeypatch.setattr(bench_gpu, "WIDTH", 30)
    case = bench_gpu.batch(torch, "cpu", lambda: None)
    for way, call in case.ways.items():
        case.check(way, call())
    assert case.nbytes == 32 * 20 * 30 * 3 * 5
    wrong = case.ways["pixview.stack"]() + 1
    with pytest.raises(bench.BenchError):
        case.check("wrong", wrong)


def test_a_small_gpu_gets_fewer_frames(torch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their number is in the name of the row, with the reason."""
    assert bench_gpu.frames_in(80 << 30) == bench_gpu.frames_in(8 << 30) == 32
    assert 1 <= bench_gpu.frames_in(1 << 30) < bench_gpu.frames_in(2 << 30) < 32
    assert bench_gpu.frames_in(0) == 1
    monkeypatch.setattr(bench_gpu, "HEIGHT", 20)
    monkeypatch.setattr(bench_gpu, "WIDTH", 30)
    case = bench_gpu.batch(torch, "cpu", lambda: None, 3)
    assert case.name == "3 frames of 1080p (not 32: little memory is free) -> a normalised batch"
    assert case.nbytes == 3 * 20 * 30 * 3 * 5
    for way, call in case.ways.items():
        case.check(way, call())


@pytest.mark.cv2
def test_the_views_of_a_gpu(torch: Any, cv2: Any, cupy: Any, fake: Any) -> None:
    """pixview's ways; the usual ones need a GPU."""
    if not hasattr(getattr(cv2, "cuda", None), "GpuMat"):
        pytest.skip("no GpuMat")
    pixels = image(20, 30, 3)
    tensor = tensor_of(fake, pixels)
    mat = pixview.as_gpumat(tensor)
    for case in (
        bench_gpu.gpumat_to_torch(mat, torch),
        bench_gpu.torch_to_gpumat(tensor, cv2),
        bench_gpu.gpumat_to_cupy(mat, cupy),
        bench_gpu.torch_to_cupy(tensor, cupy),
    ):
        way, call = next(iter(case.ways.items()))
        case.check(way, call())
        with pytest.raises(bench.BenchError):
            case.check("a copy", pixview.as_numpy(pixels, copy=True))


def test_it_is_quick() -> None:
    """The whole bench, as users run it."""
    start = time.perf_counter()
    check_fork("from pixview.cli import main\nassert main(['bench', '--json']) == 0\n", **NO_GPU)
    assert time.perf_counter() - start < 60  # alone: 10 s
