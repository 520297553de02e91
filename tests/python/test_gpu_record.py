# SPDX-License-Identifier: Apache-2.0
"""tools/gpu_record.py, but for the GPU: what it reads out of a step's output, and what it writes."""

import importlib
import json
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    monkeypatch.setenv("PIXVIEW_COMMIT", "abc1234")
    monkeypatch.setenv("RECORD", str(tmp_path / "record.md"))
    monkeypatch.delitem(sys.modules, "gpu_record", raising=False)
    module = importlib.import_module("gpu_record")
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    monkeypatch.setattr(module, "facts", lambda opencv: {"gpu": "a card", "driver": "1.2"})
    monkeypatch.setattr(module, "opencv_folders", lambda: ["build/opencv/cuda-5"])
    monkeypatch.setattr(module, "compute_sanitizer", lambda: None)
    return module


PYTEST = ["python", "-m", "pytest"]


@pytest.mark.parametrize(
    "command, output, status, counts, verdict",
    [
        (PYTEST, "..\n== 12 passed, 3 skipped in 4.5s ==\n", 0, (12, 0, 3), "passed"),
        (PYTEST, "== 1 failed, 2 errors, 12 passed in 4s ==\n", 1, (12, 3, 0), "failed"),
        (PYTEST, "== 20 skipped in 1.2s ==\n", 5, (0, 0, 20), "skipped"),
        (PYTEST, "Fatal Python error: Segmentation fault\n", -11, (0, 0, 0), "failed"),
        (["kcheck"], "40 jobs, 0 differ\n", 0, (40, 0, 0), "passed"),
        (["kcheck"], "40 jobs, 2 differ\nNEVER RUN: x\n", 1, (38, 2, 0), "failed"),
        (["kcheck"], "skipped: no GPU\n", 77, None, "skipped"),
        (["stress"], "ordered a b: 10 of 10 right in 1.0 s\n" * 2, 0, (20, 0, 0), "passed"),
        (["stress"], "ordered a b: 9 of 10 right in 1.0 s\n", 0, (9, 1, 0), "failed"),
        (["random"], "7 graphs, 300 reads, all right\n", 0, (300, 0, 0), "passed"),
        (["soak"], "[1/1] a: 9 in 1 s\n4 of 5 directions are flat\n", 1, (4, 1, 0), "failed"),
        (["program"], "", 0, None, "passed"),
        (["program"], "half a", None, None, "ran out of time"),
    ],
)
def test_result(record, command, output, status, counts, verdict):
    step = record.Step("a step", command)
    assert record.counts(step, output) == counts
    assert record.verdict(status, counts) == verdict


def test_a_step_is_run_and_written(record, tmp_path):
    step = record.Step("kcheck", ["sh", "-c", "echo '3 jobs, 0 differ'"])
    assert record.run_all([step])
    assert json.loads((tmp_path / "kcheck.json").read_text())["counts"] == [3, 0, 0]
    record.write()
    text = (tmp_path / "record.md").read_text()
    assert "- commit: abc1234\n" in text and "- gpu: a card\n" in text
    assert "| kcheck | passed | 3 | 0 | 0 | 0 | 3 jobs, 0 differ |" in text
    assert "| kcheck, memcheck | **not run** |" in text


def test_a_step_that_hangs_or_fails(record, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(record, "LIMIT", 1)
    steps = [record.Step("hang", ["sh", "-c", "sleep 60"]), record.Step("bad", ["false"])]
    assert not record.run_all(steps)
    record.write()
    text = (tmp_path / "record.md").read_text()
    assert "| hang | ran out of time |" in text and "| bad | failed |" in text


def test_the_record_without_git(monkeypatch, capsys):
    """make lint, and so make test, ended in a traceback."""
    monkeypatch.syspath_prepend(str(TOOLS))
    check = importlib.import_module("check_record")
    monkeypatch.setenv("PATH", "/nonexistent")
    check.main()
    assert capsys.readouterr().out == ""


def test_the_record_is_older_than_the_code(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLS))
    check = importlib.import_module("check_record")
    record = tmp_path / "record.md"
    assert "none" in check.complaint(record)
    logs = {"abc1234..HEAD": "1 a\n2 b", "def5678..HEAD": "", "bad0000..HEAD": None}
    monkeypatch.setattr(check, "git", lambda *arguments: logs[arguments[2]])
    for commit, says in [
        ("abc1234", "2 commits have changed the code since abc1234"),
        ("def5678", None),
        ("bad0000", "its commit bad0000 is not here"),
        ("abc1234+changes", "it is of abc1234 with changes that no commit holds"),
    ]:
        record.write_text(f"# What ran on a GPU\n\n- commit: {commit}\n")
        assert check.complaint(record) == says
