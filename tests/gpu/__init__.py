# SPDX-License-Identifier: Apache-2.0
"""What needs a real GPU, torch, CuPy and an OpenCV built with CUDA: run with `make test-gpu`."""
