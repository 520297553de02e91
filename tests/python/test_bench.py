# SPDX-License-Identifier: Apache-2.0
"""What the benches do beside measuring: names of results, medians over processes, verdicts, the goals' table."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pixview
import pytest

BENCH = Path(__file__).parents[2] / "bench"
FACTS = {"date": "2026-01-31", "gpu": "NVIDIA H200", "cv2": "5.0.0"}


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Imports a module of bench/; their names are plain, so none stays."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCH))
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCH)):
            del sys.modules[name]


# ---- files ----


def test_a_result_replaces_the_one_before(bench: Any, tmp_path: Path) -> None:
    machine = bench("machine")
    for text in ("one", "two"):
        path = machine.save(tmp_path, "launch", FACTS, text, opencv=True)
        assert path.read_text() == text
    assert [each.name for each in tmp_path.iterdir()] == ["launch-h200-cv5.0.0.md"]


@pytest.mark.parametrize(
    ("kind", "facts", "opencv", "name"),
    [
        ("layout", FACTS, False, "layout-h200"),
        ("overhead", FACTS | {"gpus visible": 1}, True, "overhead-h200-cv5.0.0"),
        ("overhead", FACTS | {"gpus visible": 2}, True, "overhead-two-gpus-h200-cv5.0.0"),
        ("launch", FACTS | {"gpus visible": 3}, True, "launch-3-gpus-h200-cv5.0.0"),
        ("launch", FACTS | {"gpu": "fake"}, True, "launch-fake-cv5.0.0"),
        ("overhead", {"cv2": "5.0.0"}, True, "overhead-host"),
        ("host", {}, False, "host"),
    ],
)
def test_names_of_results(bench: Any, kind: str, facts: Any, opencv: bool, name: str) -> None:
    assert bench("machine").result_name(kind, facts, opencv) == name


def test_no_result_has_a_date_in_its_name_and_three_are_pictures() -> None:
    results = [path.name for path in (BENCH / "results").iterdir()]
    assert not [name for name in results if "-20" in name]
    pictures = {name for name in results if not name.endswith(".md")}
    assert pictures <= {"layout-h200.png", "preprocess-h200.png", "video-h200.png"}


# ---- processes ----


def found(ns: float, ratio: float) -> Any:
    rows = [{"call": "a", "way": "ours", "ns": ns, "least": ns}]
    goal = {"text": "a: at least 2 x b", "limit": 2, "at_most": False, "unit": "x"}
    return {"facts": {}, "rows": rows, "goals": [goal | {"found": ratio}]}


def test_processes_are_joined_by_their_median(bench: Any) -> None:
    processes = bench("processes")
    runs = [found(100, 1.9), found(140, 2.2), found(110, 2.1)]
    (row,) = processes.merge(runs, "rows")
    assert (row["way"], row["ns"].both(0)) == ("ours", "110 (100 to 140)")
    goals = processes.merge(runs, "goals")
    assert processes.goal_lines(goals) == "- PASS  a: at least 2 x b: 2.10 (1.90 to 2.20) x"
    goals = processes.merge(runs[:1], "goals")
    assert processes.goal_lines(goals) == "- MISS  a: at least 2 x b: 1.90 x"


@pytest.mark.parametrize(
    ("factor", "word"), [(1.0, ""), (1.02, ""), (1.05, "B slower"), (0.95, "B faster")]
)
def test_two_builds_differ_beyond_3_percent(bench: Any, factor: float, word: str) -> None:
    processes = bench("processes")
    own = [found(ns, 2) for ns in (100, 200, 150)]
    other = [found(ns * factor, 2) for ns in (100, 200, 150)]
    last = processes.against_table(own, other).splitlines()[-1]
    cells = [cell.strip() for cell in last.strip("|").split("|")]
    same = f"{factor:.3f}"
    assert cells[4:] == [f"{same} ({same} to {same})", same, word]


def test_two_builds_that_differ_by_chance_are_not_marked(bench: Any) -> None:
    processes = bench("processes")
    own, other = [found(ns, 2) for ns in (100, 100)], [found(ns, 2) for ns in (100, 140)]
    assert "B slower" not in processes.against_table(own, other)


def test_a_build_is_not_compared_with_itself(bench: Any, tmp_path: Path) -> None:
    processes = bench("processes")
    here, there = tmp_path / "here", tmp_path / "there"
    processes.check_site({"site": str(here)}, None, there)
    processes.check_site({"site": str(there)}, there, there)
    with pytest.raises(SystemExit, match="also the installed one"):
        processes.check_site({"site": str(there)}, None, there)
    with pytest.raises(SystemExit, match="not found first"):
        processes.check_site({"site": str(here)}, there, there)


def test_two_builds_take_turns_in_fresh_processes(torch: Any, tmp_path: Path) -> None:
    shutil.copytree(Path(pixview.__file__).parent, tmp_path / "pixview")
    command = [sys.executable, str(BENCH / "overhead.py"), "--host", "--only", "parts"]
    command += ["--rounds", "1", "--block-ms", "0.1", "--processes", "1", "--against", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "| pixview.view of NumPy |" in done.stdout and "B / A" in done.stdout


# ---- verdicts ----


def test_a_launch_is_judged_by_what_it_takes_beside_an_empty_one(bench: Any) -> None:
    launch = bench("launch")
    empty = launch.empty_launch(512)
    empty.samples = [3000, 4000, 5000]
    slow_host = launch.Call("copy", "", empty, limit=1000)
    slow_host.statement.samples = [3600, 4700, 5650]
    stack = launch.Call("stack of 8", "", empty, limit=2200, images=8)
    stack.statement.samples = [5300, 6250, 7400]
    (copy,) = launch.goals([slow_host], {})
    assert (copy["found"], copy["limit"], copy["at_most"]) == (0.65, 1, True)
    (listed,) = launch.goals([], {"u8": [slow_host, stack]})
    assert listed["found"] == pytest.approx(100 * 2300 / 2200) and listed["limit"] == 100
    assert stack.row()["per image"] == 6250 / 8


def test_the_line_through_lists(bench: Any) -> None:
    fixed, each = bench("launch").fit({8: 3080.0, 32: 3320.0, 390: 6900.0})
    assert (fixed, each) == (pytest.approx(3000), pytest.approx(10))


def test_goals_of_layouts_over_several_processes(bench: Any, torch: Any) -> None:
    layout, goal, way = bench("layout"), bench("layout_goals").Goal, bench("gputime").Way
    runs = []
    for ours in (100, 104, 110):
        ways = [way("copy", None, [100] * 3), way("pixview", None, [ours] * 3)]
        row = layout.Row("8 x 1080p", 1e9, ways, [goal("copy", 0.95), goal("NPP", 1)], 1)
        runs.append({"rows": [layout.as_json(row)]})
    (row,) = layout.pooled(runs)
    assert layout.layout_goals.lines([row]).splitlines() == [
        "- PASS  at least 95 % of a copy of the same bytes: 1 of 1 rows, "
        "least 96.2 % (90.9 % to 100.0 %)",
        "- ?     ahead of NPP: 0 of 0 rows, 1 not measured",
    ]
    (row,) = layout.pooled(runs[2:])
    assert "- MISS  at least 95 %" in layout.layout_goals.lines([row])


KCHECK = """\
| case | kernel | us | copy us | GB/s | copy GB/s | of copy | 2-D | memset | stores | loads | least us | by | by |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
| rows n16 17 | copy_1 | 80.0 | 16.0 | 1 | 1 | 20.0 % | 1 | 1 | 1 | 1 | 40.0 | | |
| rows n16 18 | copy_1 | 40.0 | 16.0 | 1 | 1 | 40.0 % | 1 | 1 | 1 | 1 | 20.0 | | |
| stack n32 | split | 16.0 | 16.0 | 1 | 1 | 100.0 % | | | | | | | |
"""


def test_kcheck_in_short(bench: Any) -> None:
    lines = bench("kcheck").summary(KCHECK).splitlines()
    assert lines[2:] == [
        "| rows | 2 | 20.0 % | 30.0 % | 2 | 1 |",
        "| stack | 1 | 100.0 % | 100.0 % | 0 | 0 |",
    ]


def test_goals_of_preprocessing_are_of_whole_calls(bench: Any, torch: Any) -> None:
    way, goals = bench("gputime").Way, bench("preprocess_goals")
    ours = way("pixview", None, [60.0, 61.0], [62.0, 62.0])
    loop = way("cv2.cuda", None, [600.0, 600.0], [4960.0, 4960.0])  # bound by the host
    wanted = [goals.Whole("cv2.cuda", 50, "letterbox: "), goals.Whole("kornia_rs", 2)]
    row = SimpleNamespace(name="32 x 1080p", find={w.name: w for w in (ours, loop)}.get)
    row.processes, row.goals, row.launches = (), [*wanted, *goals.ALWAYS], 1
    row.own, row.images = 7_000, 32
    assert bench("layout_goals").lines([row]).splitlines() == [
        "- PASS  letterbox: at least 50 x as fast as cv2.cuda, whole calls: 1 of 1 rows, least 80.00 x",
        "- ?     at least 2 x as fast as kornia_rs, whole calls: 0 of 0 rows, 1 not measured",
        "- PASS  stack takes one kernel launch, as torch's profiler saw: 1 of 1 rows",
        "- MISS  own part on the host at most 5 us and 60 ns an image: 0 of 1 rows, least 7.0 of 6.9 us",
        "  - 32 x 1080p: 7.0 of 6.9 us",
    ]


# ---- video frames ----


def test_goals_of_video_frames_are_of_the_fastest_peer(bench: Any, torch: Any) -> None:
    way, goals = bench("gputime").Way, bench("video_goals")
    ways = [
        way("copy", None, [50.0]),
        way("pixview", None, [60.0], [62.0]),
        way("torch", None, [700.0], [930.0]),
        way("CV-CUDA", None, [300.0], [310.0]),
        way("CV-CUDA fused", None, [240.0], [248.0]),
    ]
    row = SimpleNamespace(name="32 x NV12", ways=ways, find={w.name: w for w in ways}.get)
    row.processes, row.launches = (), 1
    row.goals = [*goals.of_batch("NV12: "), goals.Fastest("", 8), goals.Fastest("NPP", 2)]
    assert bench("layout_goals").lines([row]).splitlines() == [
        "- MISS  NV12: at least 90 % of a copy of the same bytes: 0 of 1 rows, least 83.3 %",
        "  - 32 x NV12: 83.3 %",
        "- PASS  NV12: at least 3.5 x as fast as CV-CUDA's fastest way, whole calls: 1 of 1 rows, "
        "least 4.00 x CV-CUDA fused",
        "- PASS  NV12: at least 15 x as fast as torch, whole calls: 1 of 1 rows, least 15.00 x",
        "- PASS  one kernel launch for the list, as torch's profiler saw: 1 of 1 rows",
        "- MISS  at least 8 x as fast as the fastest peer, whole calls: 0 of 1 rows, "
        "least 4.00 x CV-CUDA fused",
        "  - 32 x NV12: 4.00 x CV-CUDA fused",
        "- ?     at least 2 x as fast as NPP's fastest way, whole calls: 0 of 0 rows, 1 not measured",
    ]


@pytest.mark.parametrize(
    ("sample", "inner", "nbytes"),
    [
        (1, (1080, 1920), 1080 * 1920 * 3 // 2),
        (2, (1080, 1920), 1080 * 1920 * 3),
        (1, (360, 640), (360 + 360) * 1920),  # one row of three, of Y and of UV; all sectors of it
        (1, (90, 160), 1920 * (2 * 90 + 2 * 90)),  # rows 5 and 6 of each 12: two of Y, two of UV
        (1, (540, 30), 32 * (2 * 540 + 540) * 60),  # two columns of each 64, in two sectors
    ],
)
def test_bytes_of_a_surface_that_have_to_move(
    bench: Any, torch: Any, sample: int, inner: tuple[int, int], nbytes: int
) -> None:
    assert bench("video").bytes_read(sample, inner) == nbytes


@pytest.mark.parametrize("name", ["NV12", "P010"])
@pytest.mark.parametrize("inner", [None, (12, 20)])
def test_torch_by_hand_is_what_a_frame_is(
    bench: Any, torch: Any, name: str, inner: tuple[int, int] | None
) -> None:
    peers, size, canvas = bench("video_peers"), (36, 60), (20, 20) if inner else (36, 60)
    top = 256 if name == "NV12" else 1024
    surfaces = torch.randint(0, top, (2, 54, 64), generator=torch.Generator().manual_seed(1))
    surfaces = surfaces.byte() if name == "NV12" else (surfaces * 64).to(torch.uint16)
    said = {"format": name, "matrix": "bt709", "range": "limited", "size": size}
    frames = [pixview.video_frame(surface, **said) for surface in surfaces]
    box = {"size": canvas, "fit": "letterbox", "pad_value": 114} if inner else {}
    values = {"scale": peers.SCALE, "mean": peers.MEAN, "std": peers.STD}
    wanted = pixview.stack(frames, dtype="float32", **values, **box)
    found = peers.torch_batch(size, inner, canvas, torch.float32, "cpu")(surfaces)
    torch.testing.assert_close(found, wanted, rtol=0, atol=0.51 * peers.SCALE / min(peers.STD))
    assert peers.torch_batch(size, inner, canvas, torch.uint8, "cpu")(surfaces).dtype == torch.uint8


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
def test_torch_by_hand_writes_a_frame(bench: Any, torch: Any, layout: str) -> None:
    peers, size = bench("video_peers"), (10, 16)
    images = torch.rand((2, *((3, *size) if layout == "NCHW" else (*size, 3))))
    wanted, found = (torch.zeros((2, 15, 32), dtype=torch.uint8) for _ in range(2))
    said = {"format": "NV12", "matrix": "bt709", "range": "limited", "size": size}
    frames = [pixview.video_frame(surface, **said) for surface in wanted]
    pixview.to_video_frame(images, out=frames, src_layout=layout, scale=1 / 255, siting="center")
    axes = (0, 1, 2, 3) if layout == "NCHW" else (0, 3, 1, 2)
    peers.torch_back(images, axes, 255, found, size)()
    assert (found.int() - wanted.int()).abs().max() <= 1


def test_a_peer_that_fails_or_is_wrong_is_left_out(
    bench: Any, torch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases, video = bench("cases"), bench("video")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    out = torch.full((1, 3, 2, 2), 9, dtype=torch.uint8)
    case = video.Case("1 x NV12", [], out, {}, filled=out, expected=out.clone())
    case.peers = {
        "right": lambda: lambda: out.fill_(10),
        "wrong": lambda: lambda: out.fill_(90),
        "missing": lambda: bench("no_such_library"),
    }
    ways, left_out = cases.peer_ways(case, list(case.peers))
    assert [way.name for way in ways] == ["right"]
    assert left_out["wrong"] == "ValueError: off by 81.00 of 255 on average"
    row = cases.Row(case, ways, left_out)
    assert "- missing: ModuleNotFoundError: No module named 'no_such_library' (1 x NV12)" in (
        cases.left_out([row])
    )


# ---- the table of goals ----

OVERHEAD = """\
# Overhead of a conversion

- date: 2026-01-31
- commit: abc1234
- gpu: NVIDIA H200
- gpus visible: {gpus}
- cv2: 4.14.0

| call | way | ns | least and greatest | ours is faster by |
| ---- | --- | -: | -----------------: | ----------------: |
| GpuMat -> torch (CHW), owned view | pixview.as_torch | {ns} | 350 to 360 | |
|                                   | tensor.detach()  | 322  |            | |

## Goals

- PASS  GpuMat -> torch: at most 1.1 x tensor.detach(): 1.09 (1.07 to 1.10) x
"""


def test_the_table_of_goals_is_made_of_results(bench: Any, tmp_path: Path) -> None:
    goals = bench("goals")
    for name, gpus, ns in (("overhead", 1, 354), ("overhead-two-gpus", 2, 420)):
        text = OVERHEAD.format(gpus=gpus, ns=ns)
        (tmp_path / f"{name}-h200-cv4.14.0.md").write_text(text)
    (tmp_path / "layout-h200.md").write_text("# Layout\n\n- MISS  ahead of NPP: 7 of 8 rows\n")
    (tmp_path / "overhead-fake-cv4.14.0.md").write_text(OVERHEAD.format(gpus=1, ns=1))
    readme = goals.written(f"before\n{goals.BEGIN}\nold\n{goals.END}\nafter\n", tmp_path)
    assert readme.startswith("before\n") and readme.endswith("after\n") and "old" not in readme
    for line in (
        "| goal | OpenCV 4.14.0 | two GPUs, OpenCV 4.14.0 |",
        "| GpuMat -> torch: at most 1.1 x tensor.detach() | PASS, 1.09 (1.07 to 1.10) x | PASS, 1.09 (1.07 to 1.10) x |",
        "| layouts: ahead of NPP | MISS, 7 of 8 rows |  |",
        "| GpuMat -> torch (CHW), owned view: pixview.as_torch | 354 (350 to 360) | 420 (350 to 360) |",
    ):
        assert line in readme.splitlines()
    assert "`overhead-h200-cv4.14.0.md`: date 2026-01-31, commit abc1234" in readme
    assert "fake" not in readme
    assert goals.written(readme, tmp_path) == readme


def test_a_quick_run_says_so(bench: Any, torch: Any) -> None:
    preprocess, video = bench("preprocess"), bench("video")
    for quick, words in ((True, " (--quick)\n"), (False, "\n")):
        assert video.report({}, [], quick).startswith(f"# Video frames{words}")
        assert preprocess.report({}, [], "GpuMat", quick).startswith(f"# Preprocessing{words}")
