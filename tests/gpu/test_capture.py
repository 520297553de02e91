# SPDX-License-Identifier: Apache-2.0
"""Conversions inside a CUDA graph capture, and views that die during one."""

import gc
import subprocess
import sys
import threading

import pytest

from .util import cp, host, new_mat, np, pixels, pixview, torch

pytestmark = pytest.mark.alone

SHAPE = (48, 65, 3)


@pytest.fixture(autouse=True)
def no_graphs_left():
    """CuPy destroys a graph when it is collected, which ends a capture that is under way."""
    gc.collect()


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


def check_other_captures(graph, static, result):
    static.fill(3)
    cp.cuda.Device().synchronize()
    graph.launch(cp.cuda.get_current_stream())
    cp.cuda.Device().synchronize()
    assert (result == 5).all()


class CupyCapture:
    """A capture on a stream that blocks with the legacy one, where touching that breaks it."""

    def __enter__(self):
        self.static = cp.zeros(64, cp.uint8)
        self.result = cp.zeros(64, cp.uint8)
        self.stream = cp.cuda.Stream(non_blocking=False)
        with self.stream:
            self.static + 1  # loads the kernel
        cp.cuda.Device().synchronize()
        self.stream.use()
        self.stream.begin_capture()
        cp.add(self.static, 1, out=self.result)
        return self

    def __exit__(self, kind, error, traceback):
        cp.add(self.result, 1, out=self.result)
        self.graph = self.stream.end_capture()
        cp.cuda.Stream.null.use()
        if kind is None:
            check_other_captures(self.graph, self.static, self.result)


def on_a_thread(call):
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()


@pytest.mark.parametrize("thread", [False, True], ids=["same thread", "other thread"])
def test_releases_wait_for_a_blocking_capture(thread):
    """Views between a side stream and the legacy one, and memory of ours, die meanwhile."""
    side = torch.cuda.Stream()
    tensor = torch.zeros(SHAPE, dtype=torch.uint8, device="cuda")
    views = [
        pixview.as_gpumat(tensor, src_layout="HWC", stream=side),
        pixview.view(pixview.from_pointer(tensor.data_ptr(), SHAPE, "uint8"), copy=True),
        pixview.as_torch(new_mat(pixels(SHAPE))),
    ]
    with torch.cuda.stream(side):
        views.append(pixview.as_torch(new_mat(pixels(SHAPE))))
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    del tensor
    with CupyCapture():
        on_a_thread(views.clear) if thread else views.clear()
        pixview.view(np.zeros((2, 2), np.uint8))  # tries again, and must not break it either
        assert torch.cuda.memory_allocated() == before  # held
    pixview.view(np.zeros((2, 2), np.uint8))
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() < before


def test_across_the_border_of_a_cupy_capture():
    tensor = torch.zeros(SHAPE, dtype=torch.uint8, device="cuda")
    mat, side = new_mat(pixels(SHAPE)), torch.cuda.Stream()
    with CupyCapture() as capture:
        kept = [
            pixview.as_cupy(tensor, src_layout="HWC"),
            pixview.as_cupy(mat),
            pixview.as_torch(cp.ndarray((4, 4, 3), cp.uint8, capture.static.data)),
            pixview.as_gpumat(cp.ndarray((4, 4, 3), cp.uint8, capture.static.data)),
            cp.from_dlpack(pixview.view(mat)),
        ]
        for error in (
            lambda: pixview.as_cupy(mat, stream=side),
            lambda: pixview.as_gpumat(
                cp.ndarray((4, 4, 3), cp.uint8, capture.static.data), stream=side
            ),
        ):
            with pytest.raises(pixview.CudaError) as e:
                error()
            assert e.value.code == 905
        with torch.cuda.stream(side), pytest.raises(pixview.CudaError) as e:
            pixview.as_gpumat(tensor, src_layout="HWC")  # the legacy stream is closed
        assert e.value.code == 906
    del kept


def test_a_copy_on_the_legacy_stream_leaves_a_blocking_capture_whole():
    tensor = torch.zeros(SHAPE, dtype=torch.uint8, device="cuda")
    mat, other = new_mat(pixels(SHAPE)), new_mat(pixels(SHAPE, seed=1))
    batch = torch.zeros((2, 3, *SHAPE[:2]), dtype=torch.uint8, device="cuda")
    calls = (
        lambda: pixview.copy_into(mat, other),
        lambda: pixview.copy_into(tensor, mat, dst_layout="HWC"),
        lambda: pixview.stack([mat, other], out=batch),
    )
    for call in calls:
        call()
    torch.cuda.synchronize()
    before = host(other, np.uint8)
    with CupyCapture():
        for call in calls:
            with pytest.raises(pixview.CudaError) as e:
                call()
            assert e.value.code == 906
    for call in calls:
        call()
    torch.cuda.synchronize()
    np.testing.assert_array_equal(host(mat, np.uint8), before)


@pytest.mark.parametrize("copy", [None, True], ids=["view", "copy"])
@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_a_stream_outside_of_the_capture(mode, copy):
    static, side = static_planes(pixels(SHAPE)), torch.cuda.Stream()
    mat = new_mat(pixels(SHAPE))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        result = static + 1
        for convert in (
            lambda: pixview.as_gpumat(result, copy=copy, stream=side),
            lambda: pixview.as_torch(mat, copy=copy, stream=side),
        ):
            with pytest.raises(pixview.CudaError) as e:
                convert()
            assert e.value.code == 905
        result = result * 2
    check_replay(graph, static, result, lambda image: (image + 1) * 2)


@pytest.mark.parametrize("mode", ["global", "thread_local", "relaxed"])
def test_two_streams_of_one_capture(mode):
    """Ordered as usual: the edges are in the graph, those of the releases too."""
    static = torch.from_numpy(pixels(SHAPE)).cuda().permute(2, 0, 1)
    side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, capture_error_mode=mode):
        side.wait_stream(torch.cuda.current_stream())
        torch.cuda._sleep(20_000_000)
        brighter = static + 1
        mat = pixview.as_gpumat(brighter, copy=False, stream=side)
        with torch.cuda.stream(side):
            result = pixview.as_torch(mat, copy=False, stream=side) * 2
        del mat, brighter
        again = torch.zeros_like(static)  # may take the memory of `brighter`
        torch.cuda.current_stream().wait_stream(side)
    check_replay(graph, static, result, lambda image: (image + 1) * 2)
    del again
