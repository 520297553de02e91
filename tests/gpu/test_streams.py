# SPDX-License-Identifier: Apache-2.0
"""What the producer has queued comes before what the consumer queues after the call."""

import pytest

from .util import (
    busy,
    cp,
    cv2,
    host,
    new_mat,
    np,
    pixels,
    pixview,
    settle,
    torch,
)

pytestmark = pytest.mark.alone

SHAPE = (300, 400, 3)
TRIES = 3


class Cv2Stream:
    """cv2.cuda.Stream of a stream of torch's: it does not block with the legacy stream."""

    def __init__(self):
        self.torch = torch.cuda.Stream()
        self.cv2 = cv2.cuda.wrapStream(self.torch.cuda_stream)

    def argument(self, form):
        return {
            "cv2": self.cv2,
            "int": self.torch.cuda_stream,
            "torch": self.torch,
            "cupy": cp.cuda.ExternalStream(self.torch.cuda_stream),
        }[form]


def unfilled():
    """Made beforehand: an allocation in the middle would wait, and hide what is to be seen."""
    return cv2.cuda.GpuMat(SHAPE[0], SHAPE[1], cv2.CV_8UC3)


def ones():
    mat = cv2.cuda.GpuMat(SHAPE[0], SHAPE[1], cv2.CV_8UC3)
    mat.setTo((1, 1, 1, 1))
    return mat


def tensor_of(image):
    """C,H,W over interleaved memory."""
    return torch.from_numpy(image).cuda().permute(2, 0, 1)


def image_below(limit=250, seed=0):
    return pixels(SHAPE, seed=seed) % limit


FORMS = ("cv2", "int", "torch", "cupy")
each_form = pytest.mark.parametrize("form", FORMS)
each_way = pytest.mark.parametrize("contiguous", [False, True], ids=["view", "copy"])


def test_without_ordering_it_shows():
    """What the others rest on: -1 orders nothing, and then OpenCV reads too early."""
    image, add = image_below(), ones()
    early = []
    for _ in range(TRIES + 1):
        tensor, side, consumer = tensor_of(image), torch.cuda.Stream(), Cv2Stream()
        result = unfilled()
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            busy(side)
            tensor += 1
            mat = pixview.as_gpumat(tensor, stream=-1)
        cv2.cuda.add(mat, add, result, None, -1, consumer.cv2)
        consumer.cv2.waitForCompletion()
        early.append(not np.array_equal(result.download(), image + 2))
        torch.cuda.synchronize()
    assert all(early[1:]), early  # the first call of a kernel loads it, which waits for the device


@each_way
@each_form
def test_torch_to_gpumat_on_a_stream(form, contiguous):
    image, add = image_below(), ones()
    for _ in range(TRIES):
        tensor, side, consumer = tensor_of(image), torch.cuda.Stream(), Cv2Stream()
        if contiguous:
            tensor = tensor.contiguous()
        result = unfilled()
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            busy(side)
            tensor += 1
            mat = pixview.as_gpumat(tensor, stream=consumer.argument(form))
        cv2.cuda.add(mat, add, result, None, -1, consumer.cv2)
        consumer.cv2.waitForCompletion()
        np.testing.assert_array_equal(result.download(), image + 2)


@each_way
@pytest.mark.parametrize("legacy", [{}, {"stream": None}, {"stream": 0}], ids=["", "None", "0"])
def test_torch_to_gpumat_on_the_default_stream(legacy, contiguous):
    image, add = image_below(), ones()
    for _ in range(TRIES):
        tensor, side = tensor_of(image), torch.cuda.Stream()
        if contiguous:
            tensor = tensor.contiguous()
        result = unfilled()
        torch.cuda.synchronize()
        with torch.cuda.stream(side):
            busy(side)
            tensor += 1
            mat = pixview.as_gpumat(tensor, **legacy)
        cv2.cuda.add(mat, add, result)
        np.testing.assert_array_equal(result.download(), image + 2)


@each_way
@pytest.mark.parametrize("form", [None, *FORMS])
def test_cupy_to_gpumat(form, contiguous):
    image, add = image_below(), ones()
    for _ in range(TRIES):
        array, consumer = cp.array(image), Cv2Stream()
        source = cp.ascontiguousarray(array.transpose(2, 0, 1)) if contiguous else array
        side = cp.cuda.Stream(non_blocking=True)
        result = unfilled()
        torch.cuda.synchronize()
        with side:
            busy(torch.cuda.ExternalStream(side.ptr))
            source += 1
            stream = consumer.argument(form) if form else None
            layout = "CHW" if contiguous else "HWC"
            mat = pixview.as_gpumat(source, src_layout=layout, stream=stream)
        if form:
            cv2.cuda.add(mat, add, result, None, -1, consumer.cv2)
            consumer.cv2.waitForCompletion()
        else:
            cv2.cuda.add(mat, add, result)
        np.testing.assert_array_equal(result.download(), image + 2)


@each_way
@pytest.mark.parametrize("to", ["torch", "cupy"])
@each_form
def test_gpumat_to_array_on_a_stream(form, to, contiguous):
    """OpenCV's work on a stream comes before torch's or CuPy's on theirs."""
    image, add = image_below(), ones()
    for _ in range(TRIES):
        producer, source, mat = Cv2Stream(), new_mat(image), new_mat(image)
        torch.cuda.synchronize()
        busy(producer.torch)
        cv2.cuda.add(source, add, mat, None, -1, producer.cv2)
        keywords = {"stream": producer.argument(form), "contiguous": contiguous, "layout": "CHW"}
        if to == "torch":
            with torch.cuda.stream(torch.cuda.Stream()):
                found = pixview.as_torch(mat, **keywords).add(1)
                torch.cuda.current_stream().synchronize()
                found = found.permute(1, 2, 0).cpu().numpy()
        else:
            with cp.cuda.Stream(non_blocking=True) as stream:
                found = pixview.as_cupy(mat, **keywords) + 1
                stream.synchronize()
                found = found.transpose(1, 2, 0).get()
        np.testing.assert_array_equal(found, image + 2)


@each_way
def test_torch_to_cupy(contiguous):
    image = image_below()
    for cupy_stream in (cp.cuda.Stream.null, cp.cuda.Stream(non_blocking=True)):
        for _ in range(TRIES):
            tensor, side = tensor_of(image), torch.cuda.Stream()
            torch.cuda.synchronize()
            with torch.cuda.stream(side), cupy_stream:
                busy(side)
                tensor += 1
                array = pixview.as_cupy(
                    tensor, layout="HWC" if not contiguous else "CHW", contiguous=contiguous
                )
                found = array + 1
                cupy_stream.synchronize()
                found = found.get()
            if contiguous:
                found = found.transpose(1, 2, 0)
            np.testing.assert_array_equal(found, image + 2)


@each_way
def test_cupy_to_torch(contiguous):
    image = image_below()
    for torch_stream in (torch.cuda.default_stream(), torch.cuda.Stream()):
        for _ in range(TRIES):
            array, side = cp.array(image), cp.cuda.Stream(non_blocking=True)
            torch.cuda.synchronize()
            with side, torch.cuda.stream(torch_stream):
                busy(torch.cuda.ExternalStream(side.ptr))
                array += 1
                tensor = pixview.as_torch(array, contiguous=contiguous)
                found = tensor.add(1)
                torch_stream.synchronize()
                found = found.permute(1, 2, 0).cpu().numpy()
            np.testing.assert_array_equal(found, image + 2)


def test_stream_of_an_end_that_has_one():
    for source, to in (
        (torch.zeros(3, 4, 5, device="cuda"), pixview.as_cupy),
        (cp.zeros((4, 5, 3)), pixview.as_torch),
    ):
        with pytest.raises(ValueError, match="stream"):
            to(source, stream=torch.cuda.Stream())


@pytest.mark.parametrize("stream", ["legacy", 1.5, object(), -2])
def test_what_is_no_stream(stream):
    with pytest.raises((TypeError, ValueError, pixview.Error)):
        pixview.as_gpumat(tensor_of(image_below()), stream=stream)


@pytest.mark.parametrize("source", ["torch", "cupy"])
def test_memory_waits_for_the_consumer(source):
    """The view dies while OpenCV's stream still reads: the pool may not hand the memory out before."""
    image, add = image_below(), ones()
    for _ in range(TRIES):
        consumer = Cv2Stream()
        x = tensor_of(image) if source == "torch" else cp.array(image)
        result = cv2.cuda.GpuMat(SHAPE[0], SHAPE[1], cv2.CV_8UC3)
        torch.cuda.synchronize()
        mat = pixview.as_gpumat(x, stream=consumer.cv2)
        busy(consumer.torch)
        cv2.cuda.add(mat, add, result, None, -1, consumer.cv2)
        del x, mat
        pixview.view(np.zeros((2, 2), np.uint8))
        fill = [torch.full((image.size,), 7, dtype=torch.uint8, device="cuda") for _ in range(8)]
        fill += [cp.full(image.size, 7, cp.uint8) for _ in range(8)]
        consumer.cv2.waitForCompletion()
        np.testing.assert_array_equal(result.download(), image + 1)
        torch.cuda.synchronize()
        del fill


def test_nothing_waits_on_the_host():
    """A conversion returns while the producer is still busy."""
    image = image_below()
    tensor, side = tensor_of(image), torch.cuda.Stream()
    for layout in ("HWC", "CHW"):  # a view, then a copy
        source = tensor if layout == "HWC" else tensor.contiguous()
        with torch.cuda.stream(side):
            pixview.as_gpumat(source)  # the pool's memory for this stream, and the kernel
            torch.cuda.synchronize()
            busy(side)
            kept = [pixview.as_gpumat(source), pixview.as_cupy(source)]
            assert not side.query(), "the call waited for the GPU"
        torch.cuda.synchronize()
        del kept


def test_the_header_of_a_stream_dies():
    """Views outlive the streams they were made on."""
    image = image_below()
    views = []
    for _ in range(20):
        with torch.cuda.stream(torch.cuda.Stream()):
            views.append(pixview.as_gpumat(tensor_of(image), stream=cv2.cuda.Stream()))
        with cp.cuda.Stream():
            views.append(pixview.as_gpumat(cp.array(image), stream=cv2.cuda.Stream()))
    torch.cuda.synchronize()
    for view in views:
        np.testing.assert_array_equal(host(view, "uint8"), image)
    del views, view
    settle()
    mat = pixview.as_gpumat(tensor_of(image), stream=cv2.cuda.Stream())
    np.testing.assert_array_equal(host(mat, "uint8"), image)
