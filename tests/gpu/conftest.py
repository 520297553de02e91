# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the GPU tests. Without a GPU every module skips (util.py says why): not a pass."""

import gc

import pytest


def pytest_configure(config):
    if not config.option.durations:
        config.option.durations = 10


def pytest_terminal_summary(terminalreporter):
    from matrix import cells

    if cells.counts:
        terminalreporter.write_line(cells.summary())


@pytest.fixture(scope="module", autouse=True)
def cheap_collections():
    """What was allocated before a module's tests need not be looked at by each gc.collect()."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def idle_device():
    """A failure of queued work shows in the test that queued it."""
    yield
    from .util import torch

    torch.cuda.synchronize()
