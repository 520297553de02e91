# SPDX-License-Identifier: Apache-2.0
"""A torch storage and what it holds end where memory ends, and the owner behind it is found.

usage: python storage_edges.py, in a process of its own, with libfakemalloc.so preloaded
"""

import ctypes

import numpy as np
import pixview
import torch

fake = ctypes.CDLL(None)
chain = [torch.zeros(3, 4, 5)]
for _ in range(3):
    view = pixview.view(chain[-1])
    pixview.as_torch(view)  # what is made once
    fake.fake_malloc_edges(100)
    chain.append(pixview.as_torch(view))
    assert fake.fake_malloc_edges(0) < 100, "no block was put there"
pixview.copy_into(chain[-1], np.ones((4, 5, 3), np.float32))
print(*(t._version for t in chain))
