"""Conversions inside a CUDA graph capture, and views that die during one."""

import subprocess
import sys
import threading

import pytest

from .util import new_mat, np, pixels, pixview, torch

SHAPE = (48, 65, 3)


def static_planes(image):
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))).cuda()


def check_replay(graph, static, result, expected):
    """The graph works on what is in `static` when it is replayed, not on what was there before."""
    for seed in (1, 2):
        image = pixels(SHAPE, seed=seed) % 100
        static.copy_(torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))))
        torch.cuda.synchronize()
        graph.replay()
        torch.cuda.synchronize()
        np.testing.assert_array_equal(result.permute(1, 2, 0).cpu().numpy(), expected(image))


@pytest.mark.parametrize("explicit", [False, True], ids=["no stream", "stream="])
@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_views(mode, explicit):
    image = pixels(SHAPE)
    static = torch.from_numpy(image).cuda().permute(2, 0, 1)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        stream = {"stream": torch.cuda.current_stream()} if explicit else {}
        brighter = static + 1
        mat = pixview.as_gpumat(brighter, copy=False, **stream)
        result = pixview.as_torch(mat, copy=False, **stream) * 2
        del mat
    check_replay(graph, static, result, lambda image: (image + 1) * 2)


@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_copies(mode):
    static = static_planes(pixels(SHAPE))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        mat = pixview.as_gpumat(static + 1)  # interleaved by a kernel
        back = pixview.as_torch(mat, contiguous=True)  # and apart again
        result = back * 2
    check_replay(graph, static, result, lambda image: (image + 1) * 2)


def test_copy_into():
    static = static_planes(pixels(SHAPE))
    out = torch.zeros(SHAPE, dtype=torch.uint8, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        pixview.copy_into(out, static + 1, dst_layout="HWC")
    check_replay(graph, static, out.permute(2, 0, 1), lambda image: image + 1)


@pytest.mark.parametrize("thread", [False, True], ids=["same thread", "other thread"])
@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_what_dies_during_a_capture(mode, thread):
    """The last hold of a GpuMat frees with cudaFree; torch's and ordered views are dropped too."""
    mat, side = new_mat(pixels(SHAPE)), torch.cuda.Stream()
    held = pixview.as_torch(mat)
    mat.release()
    views = [held, pixview.as_gpumat(torch.zeros(3, 9, 9, device="cuda"), stream=side)]
    with torch.cuda.stream(side):
        views.append(pixview.as_torch(new_mat(pixels(SHAPE))))
    del held
    static = static_planes(pixels(SHAPE))
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        result = static + 1
        if thread:
            other = threading.Thread(target=views.clear)
            other.start()
            other.join()
        else:
            views.clear()
        result = result * 2
    assert not views
    check_replay(graph, static, result, lambda image: (image + 1) * 2)


def test_first_call_of_a_process():
    """Kernels are loaded, and events made, inside of the capture."""
    code = """if True:
        import torch, pixview
        static = torch.arange(60, dtype=torch.uint8, device="cuda").reshape(3, 4, 5)
        warm = static + 1
        side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            out = pixview.as_torch(static + 1, layout="HWC", contiguous=True)
        static.add_(1)
        graph.replay()
        torch.cuda.synchronize()
        assert (out == (static + 1).permute(1, 2, 0)).all()
        print("replayed")
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "replayed" in run.stdout, run.stderr
