# SPDX-License-Identifier: Apache-2.0
"""pixview.ray: Images between real actors. Those in GPU memory on the fake driver, or on a GPU if there is one.

`make test-ray` installs Ray and runs this.
"""

from __future__ import annotations

import gc
import os
import pickle
import runpy
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pixview
import pytest
from support import image

ray = pytest.importorskip("ray", reason="no ray: make test-ray installs it")
pytest.importorskip("pixview.ray", reason="a ray without register_tensor_transport: needs 2.60")

SHAPE = (480, 640, 3)  # more than the 100 KB that Ray sends without its object store
NOBODY = "no-such-node"
EXAMPLES = Path(__file__).parents[2] / "examples"


def has_gpu() -> bool:
    torch = pytest.importorskip("torch")
    return bool("PIXVIEW_FAKE_DRIVER" in os.environ or torch.cuda.is_available())


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    pixview.ray.register()
    ray.init(
        num_cpus=2,
        num_gpus=1,
        include_dashboard=False,
        object_store_memory=100 << 20,
        logging_level="ERROR",
        log_to_driver=False,
        runtime_env={"worker_process_setup_hook": "pixview.ray.register"},
    )
    yield
    ray.shutdown()


@pytest.fixture(scope="module")
def actor(cluster: None) -> Any:
    """Makes actors. A class of this function goes to them by value: they need not find this module."""

    @ray.remote(num_cpus=0.1, num_gpus=0.1, enable_tensor_transport=True)
    class Actor:
        def __init__(self) -> None:
            self.pool: Any = None
            self.held: Any = None

        def host(self, a: Any, layout: str) -> Any:
            return pixview.view(a, src_layout=layout, layout=layout)

        def gpu(self, value: int, crop: Any = None, frames: int = 2) -> Any:
            shape = (480, 640, 3)
            self.pool = self.pool or pixview.Pool(shape, "uint8", frames, device="cuda")
            frame = self.pool.copy(np.full(shape, value, "uint8"), timeout=10)
            return {"frame": frame.crop(*crop) if crop else frame, "value": value}

        def both(self, value: int) -> Any:
            small = pixview.view(np.full((2, 3), value, "uint8"))
            return [self.gpu(value)["frame"], small, pixview.view(np.zeros((480, 640), "uint8"))]

        def packed(self, a: Any, layout: str, crop: Any, dtype: str = "") -> Any:
            x = pixview.view(a, src_layout=layout, layout=layout)
            if dtype:
                x = pixview.from_pointer(
                    x.ptr, x.shape, dtype, device="cpu", layout=layout, owner=x
                )
            return pixview.ray.pack(x.crop(*crop))

        def idle(self) -> int:
            import gc

            gc.collect()
            return int(self.pool.idle)

        def facts(self, x: Any) -> Any:
            x = x["frame"] if isinstance(x, dict) else x
            facts = x.shape, x.layout, str(x.dtype), x.device[0], x.readonly
            if facts[2] == "bfloat16":
                return facts, x.tobytes()
            return facts, pixview.as_numpy(x, layout=x.layout, copy=True) if x.nbytes else None

        def kinds(self, images: Any) -> Any:
            return [(x.device[0], x.readonly) for x in images]

        def store(self, x: Any) -> Any:
            """The file and the place in it at which an Image lies."""
            for line in open("/proc/self/maps"):
                span, _, offset, _, _, *name = line.split()
                first, last = (int(n, 16) for n in span.split("-"))
                if first <= x.ptr < last:
                    return " ".join(name), x.ptr - first + int(offset, 16)

        def hold(self, x: Any) -> None:
            self.held = x

        def fill(self, x: Any, value: int) -> None:
            pixview.copy_into(x["frame"], np.full(x["frame"].shape, value, "uint8"))

    return Actor.remote


@pytest.fixture(scope="module")
def one(actor: Any) -> Any:
    return actor()


@pytest.fixture(scope="module")
def two(actor: Any) -> Any:
    return actor()


def get(ref: Any) -> Any:
    return ray.get(ref, timeout=60)


def becomes(what: Callable[[], Any], wanted: Any) -> bool:
    end = time.monotonic() + 20
    while what() != wanted:
        if time.monotonic() > end:
            return False
        gc.collect()
        time.sleep(0.05)
    return True


# ---- host memory ----


def test_all_readers_see_the_memory_of_the_store(one: Any, two: Any) -> None:
    ref = one.host.remote(image(*SHAPE), "HWC")
    file, place = get(two.store.remote(ref))
    assert "plasma" in file
    assert (file, place) == tuple(get(one.store.remote(ref)))
    facts, pixels = get(two.facts.remote(ref))
    assert facts == (SHAPE, "HWC", "uint8", "cpu", True)
    assert (pixels == image(*SHAPE)).all()


def test_what_arrives_is_held_by_its_views(one: Any) -> None:
    ref = one.host.remote(image(*SHAPE), "HWC")
    here = np.asarray(get(ref))
    del ref
    for _ in range(200):  # more than the store holds
        get(one.host.remote(image(*SHAPE), "HWC"))
    assert not here.flags.writeable
    assert (here == image(*SHAPE)).all()


@pytest.mark.parametrize("layout", ["HWC", "CHW", "NHWC", "NCHW", "HW"])
def test_layouts_and_dtypes(one: Any, two: Any, layout: str) -> None:
    shape = {"H": 40, "W": 50, "C": 3, "N": 2}
    for dtype in ("float32", "complex64", "bool"):
        a = image(*(shape[axis] for axis in layout), dtype=dtype)
        facts, pixels = get(two.facts.remote(one.host.remote(a, layout)))
        assert facts == (a.shape, layout, dtype, "cpu", True)
        assert (pixels == a).all()


def test_not_dense_and_empty(cluster: None, two: Any) -> None:
    a = image(*SHAPE)
    for part in (a[5:-5, 7:-7], a[::-1, ::2], a[:0]):
        facts, pixels = get(two.facts.remote(pixview.view(part)))
        assert facts[0] == part.shape
        assert pixels is None or (pixels == part).all()


def test_driver_puts_and_gets(cluster: None) -> None:
    got = get(ray.put([pixview.view(image(*SHAPE))] * 2))
    assert [x.readonly for x in got] == [True, True]
    assert (np.asarray(got[1]) == image(*SHAPE)).all()


def test_plain_pickles_are_as_before(cluster: None) -> None:
    assert not pickle.loads(pickle.dumps(pixview.view(image(4, 5, 3)))).readonly


def test_registering_again(cluster: None) -> None:
    pixview.ray.register()


# ---- GPU memory ----


@pytest.fixture(scope="module")
def gpu(actor: Any) -> Any:
    """An actor that has a pool of two frames."""
    if not has_gpu():
        pytest.skip("no GPU and no fake driver")
    made = actor()
    get(made.gpu.remote(0))
    return made


def send(sender: Any, *args: Any, method: str = "gpu") -> Any:
    return getattr(sender, method).options(tensor_transport="pixview").remote(*args)


def test_readers_open_the_senders_memory(gpu: Any, one: Any, two: Any) -> None:
    ref = send(gpu, 7)
    for reader in (one, two, gpu):
        facts, pixels = get(reader.facts.remote(ref))
        assert facts == (SHAPE, "HWC", "uint8", "cuda", False)
        assert (pixels == 7).all()
    get(one.fill.remote(ref, 9))
    for reader in (two, gpu):
        assert (get(reader.facts.remote(ref))[1] == 9).all()


def test_crop_is_opened_as_a_crop(gpu: Any, one: Any) -> None:
    facts, pixels = get(one.facts.remote(send(gpu, 7, (3, 5, 10, 20))))
    assert facts[0] == (10, 20, 3)
    assert (pixels == 7).all()


def test_host_images_in_the_same_object(gpu: Any, one: Any) -> None:
    kinds = [("cuda", False), ("cpu", True), ("cpu", True)]
    assert get(one.kinds.remote(send(gpu, 1, method="both"))) == kinds
    assert get(gpu.kinds.remote(send(one, 1, method="both"))) == kinds
    # Ray has put a serializer of its own in the place of none of ours.
    assert get(ref := gpu.host.remote(image(*SHAPE), "HWC")).readonly
    assert "plasma" in get(one.store.remote(ref))[0]


def test_frame_is_free_when_ray_and_the_readers_let_go(gpu: Any, one: Any) -> None:
    idle = lambda: get(gpu.idle.remote())  # noqa: E731
    assert becomes(idle, 2)
    ref = send(gpu, 7)
    get(one.hold.remote(ref))
    assert idle() == 1
    del ref
    gc.collect()
    time.sleep(0.3)
    assert idle() == 1  # the reader has it
    get(one.hold.remote(None))
    assert becomes(idle, 2)
    ref = send(gpu, 8)
    time.sleep(0.3)
    assert idle() == 1  # nobody has read it, but Ray has it
    del ref
    assert becomes(idle, 2)


def test_many_frames_of_a_small_pool(gpu: Any, one: Any) -> None:
    for value in range(20):
        assert (get(one.facts.remote(send(gpu, value)))[1] == value).all()
    assert becomes(lambda: get(gpu.idle.remote()), 2)


def test_driver_sends_and_reads(gpu: Any, one: Any) -> None:
    frames = pixview.Pool((4, 5, 3), "uint8", 1, device="cuda")
    frame = frames.copy(image(4, 5, 3))
    ref = ray.put([frame], _tensor_transport="pixview")
    del frame
    assert get(one.kinds.remote(ref)) == [("cuda", False)]
    del ref
    assert becomes(lambda: frames.idle, 1)
    ref = send(gpu, 5)
    assert (pixview.as_numpy(get(ref)["frame"], copy=True) == 5).all()


def test_without_the_transport_one_reader_opens_it(gpu: Any, one: Any) -> None:
    facts, pixels = get(one.facts.remote(gpu.gpu.remote(4)))
    assert facts[3] == "cuda"
    assert (pixels == 4).all()


def test_actors_of_the_example_take_images_from_a_gpu(cluster: None) -> None:
    """Without the transport Ray may wait for an image behind the method that waits for it."""
    pytest.importorskip("av")
    pytest.importorskip("torch")
    made = runpy.run_path(str(EXAMPLES / "ray_pipeline.py"))
    for name in ("Decoder", "Preprocessing", "Model"):
        assert made[name].__ray_metadata__.enable_tensor_transport, name


# ---- what is refused ----


def test_error_arrives_typed(gpu: Any, actor: Any, one: Any) -> None:
    gone = actor()
    ref = send(gone, 7)
    ray.wait([ref])
    ray.kill(gone)
    time.sleep(1)
    with pytest.raises(pixview.ShareError, match="is gone"):
        get(one.facts.remote(ref))


def closed() -> Any:
    share = pixview.share(np.zeros((4, 5), "uint8"), keep=0.001)
    sent = pickle.loads(pickle.dumps(share))
    share.close()
    time.sleep(0.05)
    return sent


def test_another_node(cluster: None) -> None:
    with pytest.raises(pixview.ShareError, match=rf"of node {NOBODY}.*pack\(image\).*nccl.*let go"):
        pixview.ray._open(closed(), NOBODY)
    with pytest.raises(pixview.ShareError, match="^(?!.*pack)"):
        pixview.ray._open(closed(), ray.get_runtime_context().get_node_id())


class Far:
    """A share of a GPU that this process does not see."""

    device = "cuda", -1

    def open(self, device: Any) -> Any:
        assert device is None
        raise pixview.DeviceError("its GPU is not visible")


def test_gpu_that_is_not_visible(cluster: None) -> None:
    node = ray.get_runtime_context().get_node_id()
    with pytest.raises(pixview.DeviceError, match="NOSET_CUDA_VISIBLE_DEVICES=1.*pack"):
        pixview.ray._open(Far(), node)


def test_own_gpu(cluster: None, monkeypatch: Any) -> None:
    share = Far()
    share.device = "cuda", 1
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: [0])
    assert pixview.ray._device_for(share) is None
    monkeypatch.setenv("RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES", "1")
    assert pixview.ray._device_for(share) == 0
    monkeypatch.setattr(ray, "get_gpu_ids", lambda: [1])
    assert pixview.ray._device_for(share) is None


def test_target_buffers(cluster: None) -> None:
    transport = pixview.ray._Transport()
    metadata = transport.extract_tensor_transport_metadata("id", [])
    with pytest.raises(pixview.UnsupportedError, match="copy_into"):
        transport.recv_multiple_tensors("id", metadata, None, ["buffer"])


# ---- pack ----


def test_packed_is_a_view_if_dense(cluster: None, torch: Any) -> None:
    a = image(4, 5, 3, dtype="uint16")
    packed = pixview.ray.pack(pixview.view(a))
    assert packed.tensor.data_ptr() == a.ctypes.data
    assert (packed.tensor.dtype, packed.tensor.shape) == (torch.uint8, (1, a.nbytes))
    assert (np.asarray(packed.image()) == a).all()
    assert (np.asarray(pickle.loads(pickle.dumps(packed))) == a).all()


def test_packed_on_a_gpu(cluster: None, torch: Any) -> None:
    if not has_gpu():
        pytest.skip("no GPU and no fake driver")
    frame = pixview.Pool((4, 5, 3), "float32", 1, device="cuda").copy(
        image(4, 5, 3, dtype="float32")
    )
    got = pixview.ray.pack(frame).image()
    assert (got.ptr, got.shape, got.device) == (frame.ptr, (4, 5, 3), ("cuda", 0))
    crop = pixview.ray.pack(frame.crop(1, 1, 2, 2))
    assert crop.tensor.nbytes == 2 * 2 * 3 * 4
    assert crop.image().shape == (2, 2, 3)


def test_packed_through_rays_own_transport(one: Any, two: Any, torch: Any) -> None:
    """Gloo, as NCCL and NIXL need GPUs."""
    from ray.experimental.collective import create_collective_group, destroy_collective_group

    group = create_collective_group([one, two], backend="gloo")
    how = {"tensor_transport": "gloo"}
    for layout, dtype in (("HWC", "uint8"), ("NCHW", "uint16"), ("CHW", "float32")):
        a = image(*({"N": 2, "C": 3, "H": 30, "W": 40}[axis] for axis in layout), dtype=dtype)
        part = a[tuple({"H": np.s_[3:13], "W": np.s_[5:25]}.get(x, np.s_[:]) for x in layout)]
        ref = one.packed.options(**how).remote(a, layout, (3, 5, 10, 20))
        facts, pixels = get(two.facts.remote(ref))
        assert facts == (part.shape, layout, dtype, "cpu", False)
        assert (pixels == part).all()
    a = image(6, 7, 3, dtype="uint16")
    ref = one.packed.options(**how).remote(a, "HWC", (0, 0, 6, 7), "bfloat16")
    facts, data = get(two.facts.remote(ref))
    assert facts == (a.shape, "HWC", "bfloat16", "cpu", False)
    assert data == a.tobytes()
    destroy_collective_group(group)
