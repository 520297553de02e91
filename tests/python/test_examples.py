# SPDX-License-Identifier: Apache-2.0
"""The programs in examples/ that are written in Python run, and their checks can fail."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from snippets import ROOT
from support import check_fork

PIPELINE = ROOT / "examples" / "video_pipeline.py"
DISTRIBUTED = ROOT / "examples" / "torch_distributed.py"
SMALL = ("--device", "cpu", "--frames", "5", "--height", "60", "--width", "90")


@pytest.fixture(scope="session")
def av(torch: Any) -> Any:
    return pytest.importorskip("av")


def run(*arguments: str) -> str:
    """The program in a process of its own."""
    return check_fork(
        f"import runpy, sys\nsys.argv = ['video_pipeline.py', *{arguments!r}]\n"
        f"runpy.run_path({str(PIPELINE)!r}, run_name='__main__')"
    )


def pictures(av: Any, path: Path) -> list[Any]:
    """R, G and B by PyAV itself."""
    with av.open(str(path)) as container:
        return [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]


@pytest.fixture(scope="module")
def files(av: Any, tmp_path_factory: Any) -> tuple[Path, Path]:
    """The clip that the program made, shorter than its own, and its output: three batches and one frame."""
    folder = tmp_path_factory.mktemp("pipeline")
    said = check_fork(
        f"import runpy, sys\nsys.argv[1:] = ['-o', {str(folder / 'boxes.mp4')!r}, '--device', 'cpu']\n"
        f"program = runpy.run_path({str(PIPELINE)!r})\n"
        f"program['make_clip'].__defaults__ = 25, 360, 640\n"
        "program['main']()"
    )
    assert "25 frames on cpu, at least" in said
    return folder / "boxes_clip.mp4", folder / "boxes.mp4"


def test_video_pipeline_finds_the_disc(av: Any, files: tuple[Path, Path]) -> None:
    clip, output = (pictures(av, file) for file in files)
    assert len(clip) == len(output) == 25
    for source, result in zip(clip[::3], output[::3], strict=True):
        orange = np.argwhere((np.abs(result.astype(int) - [255, 96, 0]) < 30).all(-1))
        disc = np.argwhere((source > 225).all(-1))
        assert abs(np.ptp(orange, 0) - 42).max() <= 3  # 17 pixels of a canvas at 0.4
        assert np.abs((orange.min(0) + orange.max(0)) / 2 - disc.mean(0)).max() < 6


def test_video_pipeline_keeps_colour_tags(av: Any, files: tuple[Path, Path]) -> None:
    for file in files:
        with av.open(str(file)) as container:
            for f in container.decode(video=0):
                tags = f.colorspace, f.color_range, f.color_primaries, f.color_trc
                assert tuple(map(int, tags)) == (1, 1, 1, 1)


@pytest.mark.parametrize("table, name, code", [("SPACES", "bt709", 6), ("RANGES", "limited", 2)])
def test_video_pipeline_sees_a_wrong_tag(
    files: tuple[Path, Path], tmp_path: Path, table: str, name: str, code: int
) -> None:
    program = runpy.run_path(str(PIPELINE))
    program[table][name] = code  # the functions read this table
    output = str(tmp_path / "wrong.mp4")
    boxes = program["convert"](str(files[0]), output, "cpu")
    assert program["compare"](str(files[0]), output, "cpu", boxes) < program["LIMIT"]


def test_video_pipeline_refuses_a_file_without_tags(av: Any, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        yuv = np.full((72, 64), 90, np.uint8)
        out.mux(stream.encode(av.VideoFrame.from_ndarray(yuv, format="yuv420p")))
        out.mux(stream.encode(None))
    arguments = str(tmp_path / "in.mkv"), "-o", str(tmp_path / "out.mkv"), "--device", "cpu"
    with pytest.raises(
        AssertionError, match="does not say how its colours were made; pass matrix="
    ):
        run(*arguments)
    assert "1 frames" in run(*arguments, "--matrix", "bt601", "--range", "full")


@pytest.fixture
def gloo(torch: Any) -> None:
    if not (torch.distributed.is_available() and torch.distributed.is_gloo_available()):
        pytest.skip(f"torch {torch.__version__} is built without gloo")


def test_torch_distributed(gloo: None) -> None:
    options = "--standalone", "--local-addr=127.0.0.1", "--nproc_per_node=2"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *options, str(DISTRIBUTED), *SMALL],
        capture_output=True,
        text=True,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 pixview.Images, 2 ranks, gloo on cpu\nevery pixel is right" in done.stdout


TWO_RANKS = f"""
import os, runpy, socket, sys
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = str(s.getsockname()[1])
os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2", LOCAL_WORLD_SIZE="2")
child = os.fork()
rank = int(child == 0)
os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), GLOO_SOCKET_IFNAME="lo")
sys.argv[1:] = {SMALL!r}
program = runpy.run_path({str(DISTRIBUTED)!r})["main"].__globals__
frame_over, operations = program["frame_over"], program["operations"]
status = 0
BREAK
try:
    program["main"]()
except SystemExit as error:
    status = int(bool(error.code))
if rank:
    os._exit(status)
print("ends with", status, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.parametrize(
    "what, found",
    [
        ("", "every pixel is right"),
        (
            "if rank: program['invert'] = lambda frame, mats: None",
            "0 after scatter, 3 after gather",
        ),
        (
            "if rank: program['operations'] = lambda p, s: operations(p, s)[::-1]",
            "2 after scatter, 0 after gather",
        ),
        (
            "if rank: program['frame_over'] = lambda r, w, m: frame_over(r[:, 1:], w, m)",
            "3 after scatter, 3 after gather",
        ),
    ],
    ids=["nothing", "not inverted", "order", "shifted"],
)
def test_torch_distributed_sees_what_is_wrong(gloo: None, what: str, found: str) -> None:
    said = check_fork(TWO_RANKS.replace("BREAK", what))
    assert found in said
    assert "ends with " + ("1 1" if what else "0 0") in said
