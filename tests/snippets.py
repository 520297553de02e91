# SPDX-License-Identifier: Apache-2.0
"""The Python in README and docs/: each snippet is pasted alone, so each runs alone."""

import ast
import importlib.util
import pathlib
import re

import numpy
import pytest

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def snippets(gpu):
    """The snippets that need a GPU, or the others, as parameters of a test."""
    found = []
    for page in PAGES:
        text = page.read_text()
        for match in FENCED.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            if ("cuda" in match[1]) == gpu:
                found.append(pytest.param(match[1], id=f"{page.relative_to(ROOT)}:{line}"))
    assert found
    return found


def require_libraries(code):
    """Skips the test of a snippet that imports a library which is not installed, and names it."""
    for node in ast.walk(ast.parse(code)):
        names = [node.module] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if not importlib.util.find_spec(name.split(".")[0]):
                pytest.skip(f"no {name} installed")
            if name == "numba.cuda":
                require_numba_cuda()


def require_numba_cuda():
    """A numba-cuda that is older than the NumPy beside it looks for names that NumPy has dropped."""
    import numba.cuda

    try:
        numba.cuda.jit("void(uint8[:])")(lambda pixels: None)
    except AttributeError as error:
        pytest.skip(f"this numba-cuda does not fit NumPy {numpy.__version__}: {error}")


def in_folder(code, folder):
    """The snippet, run in an empty folder that has the in.mp4 which it may read: BT.709, limited."""
    if "in.mp4" in code:
        av = pytest.importorskip("av", reason="no av installed to make the snippet's in.mp4")
        with av.open(str(folder / "in.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = 320, 192, "yuv420p"
            stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1
            for i in range(4):
                frame = av.VideoFrame(320, 192, "yuv420p")
                for plane in frame.planes:
                    plane.update(bytes([100 + 9 * i]) * plane.buffer_size)
                frame.colorspace, frame.color_range, frame.pts = 1, 1, i
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    if "@triton.jit" in code or "__main__" in code:
        # Triton reads the source of its kernels, multiprocessing imports the file in the processes that it starts.
        file = folder / "snippet.py"
        file.write_text(code)
        code = f"import runpy\nrunpy.run_path({str(file)!r}, run_name='__main__')"
    return f"import os\nos.chdir({str(folder)!r})\n{code}"
