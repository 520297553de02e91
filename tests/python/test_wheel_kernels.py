# SPDX-License-Identifier: Apache-2.0
"""Which GPUs the machine code in a wheel serves: tools/check_kernels.py."""

import importlib.util
import pathlib

import pytest

TOOLS = pathlib.Path(__file__).parents[2] / "tools"


def load(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("code", "gpu", "runs"),
    [
        (80, 80, True),
        (80, 86, True),
        (86, 80, False),  # an older GPU
        (80, 90, False),  # another major version
        (80, 87, False),  # Tegra
        (87, 89, False),  # from Tegra
        (100, 103, True),
        (100, 110, False),
        (120, 121, True),
    ],
)
def test_machine_code_serves_later_gpus_of_its_major_version(code, gpu, runs) -> None:
    assert load("check_kernels").serves(code, gpu) is runs
