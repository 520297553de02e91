# SPDX-License-Identifier: Apache-2.0
"""Videos through Ray actors, as pixview Images and as NumPy arrays, and how many frames a second each makes.

two decoders (PyAV) -> preprocessing (pixview.stack) -> two models, which read one batch -> sink

With a GPU the decoders upload the planes of Y, U and V; no pixel leaves the GPU after that. With two, one
model is on the second, which reads the memory of the first. Without, the planes and batches are in Ray's object
store, and the actors read them there. The driver starts a group of frames only when an earlier one has reached
the sink. docs/ray.md has measured rates, and how this runs on a cluster.

    python examples/ray_pipeline.py             # both ways
    python examples/ray_pipeline.py --arrays    # NumPy arrays only
"""

import argparse
import collections
import itertools
import os
import sys
import tempfile
import time

import av
import numpy as np
import pixview
import pixview.ray
import ray
import torch

GROUP = 8  # frames that travel together
IN_FLIGHT = 3  # groups between the decoders and the sink
CANVAS = 256  # height and width of what the models see
DECODERS = 2
ROUNDS = 2  # of each way; the better one counts
NAMES = {False: "pixview Images", True: "NumPy arrays"}

pixview.ray.register()  # before the classes of the actors


class Node:
    """What the actors have in common: a device, and how they hand on what is on it."""

    def __init__(self, arrays):
        gpus = ray.get_gpu_ids()  # all are visible: see NOSET in main
        self.device = f"cuda:{gpus[0]}" if gpus else "cpu"
        self.arrays, self.pools = arrays, {}
        torch.set_num_threads(1)

    def here(self, x):
        """An Image or array in this actor's memory."""
        if self.device == "cpu" or not isinstance(x, np.ndarray):
            return x
        return torch.tensor(x, device=self.device)

    def frame_like(self, shape, layout):
        """Memory of a pool, which other processes open. It waits if all frames are in use."""
        if (shape, layout) not in self.pools:
            frames = IN_FLIGHT + 2  # groups: what the driver lets be in use, and some
            frames, dtype = (2 * GROUP * frames, "uint8") if layout == "HW" else (frames, "float32")
            pool = pixview.Pool(shape, dtype, frames, device=self.device, layout=layout)
            self.pools[shape, layout] = pool
        return self.pools[shape, layout].get()


@ray.remote(enable_tensor_transport=True)
class Decoder(Node):
    def __init__(self, path, arrays):
        super().__init__(arrays)
        self.frames = self.decode(path)

    def decode(self, path):
        while True:  # from the beginning, for as long as it is asked
            with av.open(path) as container:
                yield from map(pixview.video_frame, container.decode(video=0))

    def read(self):
        """The planes and the colours of the next frames."""
        frames = list(itertools.islice(self.frames, GROUP))
        names = "format", "matrix", "range"
        colours = [{name: getattr(frame, name) for name in names} for frame in frames]
        planes = [[self.give(plane) for plane in frame.planes] for frame in frames]
        return list(zip(planes, colours, strict=True))

    def give(self, plane):
        if self.arrays:
            return pixview.as_numpy(plane)
        if self.device == "cpu":
            return plane
        return pixview.copy_into(self.frame_like(plane.shape, plane.layout), plane)


@ray.remote(enable_tensor_transport=True)
class Preprocessing(Node):
    def run(self, group):
        """N,C,H,W of float32."""
        frames = [
            pixview.video_frame(tuple(map(self.here, planes)), **colours)
            for planes, colours in group
        ]
        how = {"size": (CANVAS, CANVAS), "fit": "letterbox", "scale": 1 / 255}
        if self.arrays or self.device == "cpu":
            batch = pixview.stack(frames, to="image", **how)
            download = None if self.device == "cpu" else True
            return pixview.as_numpy(batch, layout="NCHW", copy=download) if self.arrays else batch
        out = self.frame_like((len(frames), 3, CANVAS, CANVAS), "NCHW")
        return pixview.stack(frames, out=out, **how)


@ray.remote(enable_tensor_transport=True)  # who is given Images in GPU memory, too
class Model(Node):
    """Small ones: yours go here."""

    def __init__(self, what, arrays):
        super().__init__(arrays)
        self.what = what

    def run(self, batch):
        batch = pixview.as_torch(self.here(batch), src_layout="NCHW", allow_readonly=True)
        with torch.inference_mode():
            return getattr(self, self.what)(batch).cpu().numpy()

    def brightest(self, batch):
        """Where the brightest window of 16 x 16 is: N of an index."""
        return torch.nn.functional.avg_pool2d(batch.mean(1, keepdim=True), 16).flatten(1).argmax(1)

    def colour(self, batch):
        """The mean colour: N,3."""
        return batch.mean((2, 3))


@ray.remote
class Sink:
    """Counts, and adds up what the models say, so that the two ways can be compared."""

    def __init__(self):
        self.frames, self.sum = 0, 0.0

    def add(self, where, colour):
        self.frames += len(where)
        self.sum += float(where.sum() + colour.sum())
        return self.frames

    def total(self):
        return self.frames, self.sum


def measure(paths, groups, arrays, gpus):
    """Frames a second, and the sum of what the models said."""
    share = {"num_cpus": 0.1, "num_gpus": 0.2 if gpus else 0}
    alone = {"num_cpus": 0.1, "num_gpus": 1} if gpus > 1 else share
    transport = {"tensor_transport": "pixview"} if gpus and not arrays else {}
    decoders = [Decoder.options(**share).remote(path, arrays) for path in paths]
    preprocessing = Preprocessing.options(**share).remote(arrays)
    models = [
        Model.options(**how).remote(what, arrays)
        for what, how in (("brightest", share), ("colour", alone))
    ]
    sink = Sink.options(num_cpus=0.1).remote()

    def start(decoder):
        group = decoder.read.options(**transport).remote()
        batch = preprocessing.run.options(**transport).remote(group)
        return sink.add.remote(*[model.run.remote(batch) for model in models])

    ray.get([start(decoder) for decoder in decoders])  # the processes are there then
    begin = shown = time.monotonic()
    waiting = collections.deque()
    for index in range(groups):
        if len(waiting) == IN_FLIGHT:
            ray.get(waiting.popleft())  # the back-pressure
        waiting.append(start(decoders[index % DECODERS]))
        if time.monotonic() > shown + 2:
            shown = time.monotonic()
            print(f"{NAMES[arrays]}: group {index} of {groups}", file=sys.stderr)
    ray.get(list(waiting))
    rate = groups * GROUP / (time.monotonic() - begin)
    total = ray.get(sink.total.remote())
    for actor in (*decoders, preprocessing, *models, sink):
        ray.kill(actor)
    return rate, total


def make_clip(path, number, n=48, h=1080, w=1920):
    """A clip of moving ramps of colour, of n frames."""
    y, x = np.ogrid[:h, :w]
    with av.open(path, "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "23"})
        stream.height, stream.width, stream.pix_fmt = h, w, "yuv420p"
        stream.codec_context.colorspace, stream.codec_context.color_range = 1, 1  # BT.709, limited
        for i in range(n):
            planes = np.empty((h * 3 // 2, w), np.uint8)
            planes[:h] = 16 + (x // 8 + y // 8 + 4 * i) % 220
            planes[h:] = 100 + 20 * number + i
            out.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        out.mux(stream.encode(None))


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--arrays", action="store_true", help="NumPy arrays only")
    parser.add_argument("--images", action="store_true", help="pixview Images only")
    parser.add_argument("--groups", type=int, default=20, help=f"of {GROUP} frames; %(default)s")
    parser.add_argument("--height", type=int, default=1080, help="of the clips; %(default)s")
    gpus = min(torch.cuda.device_count(), 2)
    parser.add_argument("--gpus", type=int, default=gpus, help="0 to 2; here %(default)s")
    parser.add_argument("--address", help="of a running cluster; by default Ray is started here")
    args = parser.parse_args()
    # All actors see every GPU, so that one can read the memory of another's.
    env = {"RAY_EXPERIMENTAL_NOSET_CUDA_VISIBLE_DEVICES": "1"}
    os.environ.update(env)
    how = {"num_cpus": 2, "num_gpus": args.gpus, "object_store_memory": 200 << 20}
    ray.init(
        runtime_env={"worker_process_setup_hook": "pixview.ray.register", "env_vars": env},
        logging_level="ERROR",
        **({"address": args.address} if args.address else how | {"include_dashboard": False}),
    )
    ways = [arrays for arrays in (False, True) if not (args.images if arrays else args.arrays)]
    rates, totals = {}, []
    with tempfile.TemporaryDirectory() as folder:
        paths = [os.path.join(folder, f"{i}.mp4") for i in range(DECODERS)]
        for number, path in enumerate(paths):
            make_clip(path, number, h=args.height, w=args.height * 16 // 9 // 2 * 2)
        for arrays in ways * ROUNDS:  # by turns: the first to use the object store is slower
            rate, total = measure(paths, args.groups, arrays, args.gpus)
            rates[arrays] = max(rate, rates.get(arrays, 0))
            totals.append(total)
    ray.shutdown()
    for arrays, rate in rates.items():
        print(f"{NAMES[arrays]}: {rate:.0f} frames a second")
    if len(rates) == 2:
        print(f"Images beside arrays: {rates[False] / rates[True]:.2f} times the frames")
    if not np.allclose(totals, totals[0], rtol=1e-4):
        sys.exit(f"the ways differ: {totals}")


if __name__ == "__main__":
    main()
