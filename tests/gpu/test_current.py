# SPDX-License-Identifier: Apache-2.0
"""using_stream, stream_of, used_on and warm_up with the real libraries."""

import contextlib
import subprocess
import sys
import threading

import pytest

from .util import busy, cp, cv2, host, new_mat, np, pixels, pixview, raw_view, settle, torch

SHAPE = (60, 80, 3)


def streams():
    side = torch.cuda.Stream()
    return {
        "torch": side,
        "cupy": cp.cuda.Stream(non_blocking=True),
        "cv2": cv2.cuda.Stream(),
        "int": side.cuda_stream,
    }


def current():
    return (
        torch.cuda.current_stream().cuda_stream,
        cp.cuda.get_current_stream().ptr,
        pixview.stream_of(new_mat(pixels(SHAPE))),
        torch.cuda.current_device(),
        cv2.cuda.getDevice(),
    )


@pytest.mark.parametrize("form", ["torch", "cupy", "cv2", "int"])
def test_everybody_works_on_it(form):
    before = current()
    stream = streams()[form]
    handle = pixview._core._stream_facts(stream)[0]
    with pixview.using_stream(stream) as cv_stream:
        assert current() == (handle, handle, handle, 0, 0)
        assert cv_stream.cudaPtr() == handle
        with pixview.using_stream(None) as legacy:
            assert current()[:3] == (0, 0, 0) and legacy.cudaPtr() == 0
            with contextlib.suppress(KeyError), pixview.using_stream(stream):
                raise KeyError
            assert current()[:3] == (0, 0, 0)
        assert current() == (handle, handle, handle, 0, 0)
    assert current() == before == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("form", ["torch", "cupy", "cv2", "int"])
def test_a_pipeline_on_one_stream(form):
    image = pixels(SHAPE) % 100
    stream, kept = streams()[form], []
    for _ in range(5):
        with pixview.using_stream(stream) as cv_stream:
            busy(torch.cuda.current_stream(), 10)
            tensor = torch.from_numpy(image).cuda() + 1
            mat = pixview.as_gpumat(tensor, src_layout="HWC")
            mat = cv2.cuda.add(mat, mat, None, None, -1, cv_stream)
            array = pixview.as_cupy(mat) + 1
            kept.append(pixview.as_torch(array, layout="HWC") + 1)
            torch.cuda.current_stream().synchronize()
    for found in kept:
        np.testing.assert_array_equal(found.cpu().numpy(), (image + 1) * 2 + 2)


def test_a_block_in_each_thread():
    wrong = []

    def work(seed):
        image = pixels(SHAPE, seed=seed) % 100
        for _ in range(20):
            with pixview.using_stream(torch.cuda.Stream()) as cv_stream:
                tensor = torch.from_numpy(image).cuda()
                mat = pixview.as_gpumat(tensor + 1, src_layout="HWC")
                mat = cv2.cuda.add(mat, mat, None, None, -1, cv_stream)
                found = pixview.as_torch(mat, layout="HWC").cpu().numpy()
            if not np.array_equal(found, (image + 1) * 2):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong and current() == (0, 0, 0, 0, 0)


def test_stream_of():
    side, cupy_side = torch.cuda.Stream(), cp.cuda.Stream(non_blocking=True)
    t, a = torch.zeros(3, 4, 5, device="cuda"), cp.zeros((4, 5, 3))
    for x in (t, t[0, 0], t[None, None], a, a[0, 0], new_mat(pixels(SHAPE))):
        assert pixview.stream_of(x) == 0
    with torch.cuda.stream(side), cupy_side:
        assert pixview.stream_of(t) == pixview.stream_of(t[0, 0]) == side.cuda_stream
        assert pixview.stream_of(a) == pixview.stream_of(a[0, 0]) == cupy_side.ptr
    assert pixview.stream_of(pixview.view(new_mat(pixels(SHAPE)), stream=side)) == side.cuda_stream
    for x in (torch.zeros(3, 4, 5), torch.zeros(7), np.zeros((4, 5))):
        with pytest.raises(pixview.DeviceError):
            pixview.stream_of(x)


def third_stream_reads(view, overwrite, tell):
    """A third stream reads late; the view dies; what overwrites its memory must come after."""
    third = torch.cuda.Stream()
    out = torch.zeros(SHAPE, dtype=torch.uint8, device="cuda")
    seen = raw_view(out.data_ptr(), SHAPE, (SHAPE[1] * 3, 3, 1), "uint8")
    x = view()
    reader = cp.cuda.ExternalStream(third.cuda_stream)
    pixels_of = host_view(x)
    torch.cuda.synchronize()
    busy(third, 60)
    with reader:
        cp.copyto(seen, pixels_of)
    if tell:
        pixview.used_on(x, third)
    del x
    pixview.view(np.zeros((2, 2), np.uint8))
    overwrite()
    torch.cuda.synchronize()
    return out.cpu().numpy()


def host_view(x):
    """The memory of a view as a CuPy array that holds nothing."""
    if isinstance(x, cv2.cuda.GpuMat):
        return raw_view(x.cudaPtr(), SHAPE, (x.step, 3, 1), "uint8")
    if isinstance(x, torch.Tensor):
        if x.dim() < 3:
            x = x._base if x._base is not None else x
        x = x.permute(1, 2, 0) if x.shape[0] == 3 else x
        return raw_view(x.data_ptr(), SHAPE, x.stride(), "uint8")
    strides = x.strides if isinstance(x, cp.ndarray) else x.strides
    pointer = x.data.ptr if isinstance(x, cp.ndarray) else x.__cuda_array_interface__["data"][0]
    return raw_view(pointer, SHAPE, strides, "uint8")


@pytest.mark.parametrize("tell", [True, False], ids=["told", "not told"])
@pytest.mark.parametrize("kind", ["torch", "permuted", "cupy", "Image", "gpumat", "region"])
def test_used_on(kind, tell):
    image = pixels(SHAPE) % 100
    add = pixels(SHAPE) * 0 + 200
    wrong = 0
    for _ in range(3):
        if kind in ("gpumat", "region"):
            source = cp.array(image)

            def overwrite(source=source):
                source.fill(200)
        else:
            source = new_mat(image)

            def overwrite(source=source):
                source.setTo((200,) * 4)

        def view(source=source):
            if kind == "cupy":
                return pixview.as_cupy(source)
            if kind == "Image":
                return pixview.view(source)
            if kind == "gpumat":
                return pixview.as_gpumat(source)
            if kind == "region":
                return cv2.cuda.GpuMat(pixview.as_gpumat(source), (0, 0, SHAPE[1], SHAPE[0]))
            t = pixview.as_torch(source)
            return t.permute(1, 2, 0) if kind == "permuted" else t

        found = third_stream_reads(view, overwrite, tell)
        if tell:
            np.testing.assert_array_equal(found, image)
        wrong += np.array_equal(found, add)
    assert wrong == (0 if tell else 3)


def test_used_on_tensors_of_every_way():
    """torch by its table and before; slices of any rank; torch's own memory gets record_stream."""
    third = torch.cuda.Stream()
    mat = new_mat(pixels(SHAPE))
    t = pixview.as_torch(mat)
    pixview._core._force(torch_table=False)
    try:
        old = pixview.as_torch(mat)
        for x in (t, t[0], t[0, 0], t[None], t.permute(2, 0, 1), t.detach(), old, old[1, 2]):
            pixview.used_on(x, third)
    finally:
        pixview._core._force(torch_table=True)
    for x in (t, t[0, 0], t[None, None], old, old[0]):
        pixview.used_on(x, third)
    own = torch.zeros(1 << 20, device="cuda")
    pixview.used_on(own, third)
    busy(third, 30)
    pointer = own.data_ptr()
    del own
    assert torch.zeros(1 << 20, device="cuda").data_ptr() != pointer  # in use on `third` still
    with pytest.raises(pixview.UnsupportedError):
        pixview.used_on(new_mat(pixels(SHAPE)), third)
    with pytest.raises(pixview.UnsupportedError):
        pixview.used_on(cp.zeros((3, 3)), third)
    del t, old, x
    settle()


def test_warm_up_first_and_in_a_capture():
    code = """if True:
        import torch, pixview
        static = torch.zeros(8, device="cuda")
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = static + 1
            pixview.warm_up()
        pixview.warm_up()
        graph.replay()
        torch.cuda.synchronize()
        assert (out == 1).all()
        print("warm")
    """
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.returncode == 0 and "warm" in run.stdout, run.stderr
    assert host(pixview.as_gpumat(torch.zeros(3, 4, 5, device="cuda")), "float32").shape == (
        4,
        5,
        3,
    )
