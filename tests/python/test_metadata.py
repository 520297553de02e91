# SPDX-License-Identifier: Apache-2.0
"""What pyproject.toml, CITATION.cff and the conda recipe say of the package is the same, and true."""

from __future__ import annotations

import re
from typing import Any

import pytest
from snippets import ROOT

tomllib = pytest.importorskip("tomllib")  # from Python 3.11 on


@pytest.fixture
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_classifiers(project: dict[str, Any]) -> None:
    classifiers = project["classifiers"]
    assert len(classifiers) == len(set(classifiers))
    minors = [int(m[1]) for c in classifiers if (m := re.fullmatch(r".* :: Python :: 3\.(\d+)", c))]
    assert project["requires-python"] == f">=3.{minors[0]}"
    assert minors == list(range(minors[0], minors[-1] + 1))
    assert ("Typing :: Typed" in classifiers) == (ROOT / "python/pixview/py.typed").exists()


@pytest.mark.parametrize("name", ["CITATION.cff", "tools/conda/recipe.yaml"])
def test_licence(project: dict[str, Any], name: str) -> None:
    text = (ROOT / name).read_text()
    assert re.findall(r"^ *license: (.*)$", text, re.MULTILINE) == [project["license"]]


def test_conda_recipe(project: dict[str, Any]) -> None:
    recipe = (ROOT / "tools/conda/recipe.yaml").read_text()
    assert re.findall(r"- python (>=.*)", recipe) == [project["requires-python"]]
    assert re.findall(r"summary: (.*)", recipe) == [project["description"]]
    files = re.search(r"license_file:\n((?: +- .*\n)+)", recipe)
    assert files and re.findall(r"- (.*)", files[1]) == project["license-files"]
