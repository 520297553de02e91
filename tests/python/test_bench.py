"""What the benches do without measuring: the files that keep their results."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FACTS = {"date": "2026-01-31", "gpu": "NVIDIA H200", "cv2": "5.0.0"}


@pytest.fixture
def machine() -> Any:
    path = Path(__file__).parents[2] / "bench" / "machine.py"
    spec = importlib.util.spec_from_file_location("bench_machine", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_saved_result_is_never_overwritten(machine: Any, tmp_path: Path) -> None:
    names = []
    for text in ("one", "two", "three"):
        path = machine.save(tmp_path, "launch", FACTS, text, opencv=True)
        assert path.read_text() == text
        names.append(path.name)
    first = "launch-h200-cv5.0.0-2026-01-31"
    assert names == [f"{first}.md", f"{first}-b.md", f"{first}-c.md"]
    assert (tmp_path / names[0]).read_text() == "one"
    assert machine.save(tmp_path, "layout", FACTS, "x").name == "layout-h200-2026-01-31.md"


def test_a_day_has_26_results(machine: Any, tmp_path: Path) -> None:
    for _ in range(26):
        last = machine.save(tmp_path, "host", FACTS, "")
    assert last.name.endswith("-z.md")
    with pytest.raises(SystemExit, match="another folder"):
        machine.save(tmp_path, "host", FACTS, "")
    assert len(list(tmp_path.iterdir())) == 26
