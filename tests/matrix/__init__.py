# SPDX-License-Identifier: Apache-2.0
"""The matrix: producer x consumer x dtype x layout x strides, shared by tests/python and tests/gpu.

sources.py: what an image looks like in memory. rules.py: what must come of it, written from the
contract and not from the code. producers.py: every object that can show it. cells.py: does it.
"""
