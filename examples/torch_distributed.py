# SPDX-License-Identifier: Apache-2.0
"""Scatter cv2.cuda.GpuMats from rank 0 and gather them back by torch.distributed, without packing.

rank 0: GpuMats -> padded rows as dense tensors -> NCCL -> padded rows, a GpuMat over them: other ranks
                                                <- NCCL <- inverted there by cv2.cuda

NCCL moves dense bytes, and a GpuMat's rows have a pitch. So the rows travel with their padding, as a
tensor over the same memory, and pixview copies nothing. Every pixel is checked on both ends, and the
rate is printed beside that of plain dense tensors of as many bytes.

    torchrun --nproc_per_node=2 examples/torch_distributed.py                 # a GPU for each rank
    torchrun --nproc_per_node=2 examples/torch_distributed.py --device cpu    # gloo, host memory

On several hosts, the same command on each, with a port of one host that the others reach:

    torchrun --nnodes=2 --nproc_per_node=8 --rdzv_backend=c10d --rdzv_endpoint=HOST:29500 \\
        examples/torch_distributed.py

If NCCL picks a wrong network there, NCCL_SOCKET_IFNAME names the right one. Without an OpenCV built
with CUDA, and in host memory, a pixview.Image over rows with padding stands in for the GpuMat.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from datetime import timedelta

import pixview
import torch
import torch.distributed as dist

try:
    import cv2
except ImportError:
    cv2 = None

TIMEOUT = timedelta(seconds=60)  # of each wait for another rank
TRIES = 3  # of which the best counts
ROUNDS = 8  # of a try: the next is queued while one travels
ALIGNMENT = 512  # bytes: of the rows that stand in for a GpuMat's


def new_frame(h, w, device, mats):
    """A frame of h x w pixels of 3 bytes, whose rows have a pitch."""
    if mats:
        return cv2.cuda.GpuMat(h, w, cv2.CV_8UC3)
    pitch = -(-3 * w // ALIGNMENT) * ALIGNMENT
    return frame_over(torch.zeros(h, pitch, dtype=torch.uint8, device=device), w, mats)


def padded_rows(frame):
    """All bytes of a frame as a dense H,pitch tensor over the same memory, which it keeps alive.

    The frame must be whole: between the rows of a region are pixels of the frame around it.
    """
    image = pixview.view(frame, copy=False)
    shape = image.shape[0], image.strides[0]
    rows = pixview.from_pointer(image.ptr, shape, "uint8", device=image.device, owner=image)
    return pixview.as_torch(rows, copy=False)


def frame_over(rows, w, mats):
    """The other way: a frame of w pixels a row over an H,pitch tensor, which it keeps alive."""
    pixels = rows[:, : 3 * w].unflatten(1, (w, 3))
    convert = pixview.as_gpumat if mats else pixview.view
    return convert(pixels, src_layout="HWC", copy=False)


def invert(frame, mats):
    """What the other ranks do with a frame. Your work goes here."""
    if mats:
        cv2.cuda.bitwise_not(frame, frame)
    else:
        pixview.as_torch(frame).bitwise_not_()


def pattern(i, h, w, device):
    """The pixels of frame i: neighbours differ, and so do frames."""
    values = torch.arange(h * w * 3, dtype=torch.int32, device=device)
    return ((values + 7 * i) % 251).to(torch.uint8).view(h, w, 3)


def count_wrong(frames, sizes, device, inverted):
    """How many frames have a wrong pixel."""
    wrong = 0
    for i, frame in frames.items():
        wanted = pattern(i, *sizes[i][:2], device)
        got = pixview.as_torch(frame, layout="HWC", copy=False)
        wrong += not torch.equal(got, wanted.bitwise_not() if inverted else wanted)
    return wrong


def operations(parts, send):
    """What sends the tensors for each rank, or receives them: the order is the same on both ends."""
    operation = dist.isend if send else dist.irecv
    return [dist.P2POp(operation, t, peer) for peer, tensors in parts.items() for t in tensors]


def gb_per_second(parts, send, device):
    """Exchange the tensors. A try has ended when it has ended on every rank."""
    batch = operations(parts, send)

    def exchange():
        for work in dist.batch_isend_irecv(batch):  # NCCL: all of them in one group
            work.wait()

    exchange()  # connects
    best = float("inf")
    for _ in range(TRIES):
        dist.barrier()
        synchronize(device)
        start = time.perf_counter()
        for _ in range(ROUNDS):
            exchange()
        synchronize(device)
        seconds = torch.tensor(time.perf_counter() - start, device=device)
        dist.all_reduce(seconds, dist.ReduceOp.MAX)
        best = min(best, seconds.item() / ROUNDS)
    return sum(operation.tensor.nbytes for operation in batch) / best / 1e9


def synchronize(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def nvlink_rate(device):
    """GB/s of all NVLinks of a GPU, in one direction, as nvidia-smi states them; 0 if it does not."""
    try:
        name = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        command = ["nvidia-smi", "nvlink", "--status", "-i", name]
        said = subprocess.run(command, capture_output=True, text=True, timeout=30).stdout
    except (
        AttributeError,
        OSError,
        subprocess.TimeoutExpired,
    ):  # a torch without uuid, no nvidia-smi
        return 0
    return sum(float(rate) for rate in re.findall(r"([\d.]+) GB/s", said))


def share(n, rank, world):
    """Which of n frames belong to a rank."""
    return range(rank * n // world, (rank + 1) * n // world)


def run(args, rank, world, device, mats):
    """Scatter, invert, gather. Returns how many frames were wrong, the same on every rank."""
    frames, sizes = {}, [[]]
    if rank == 0:
        for i in range(args.frames):
            # Every other frame is smaller and has a pitch of its own.
            h, w = (
                (args.height, args.width)
                if i % 2 == 0
                else (args.height * 2 // 3, args.width * 2 // 3)
            )
            frames[i] = new_frame(h, w, device, mats)
            pixview.as_torch(frames[i], layout="HWC", copy=False)[:] = pattern(i, h, w, device)
            sizes[0].append((h, w, pixview.view(frames[i]).strides[0]))
    dist.broadcast_object_list(sizes, src=0)
    sizes = sizes[0]

    own = share(len(sizes), rank, world)
    if rank == 0:
        peers = range(1, world)
        parts = {r: [padded_rows(frames[i]) for i in share(len(sizes), r, world)] for r in peers}
    else:
        shapes = [(sizes[i][0], sizes[i][2]) for i in own]
        parts = {0: [torch.zeros(s, dtype=torch.uint8, device=device) for s in shapes]}
        frames = {i: frame_over(t, sizes[i][1], mats) for i, t in zip(own, parts[0], strict=True)}

    rates = {"scatter": gb_per_second(parts, rank == 0, device)}
    wrong = torch.zeros(2, dtype=torch.int64, device=device)
    if rank:
        wrong[0] = count_wrong(frames, sizes, device, inverted=False)
    for i in own:
        invert(frames[i], mats)
    rates["gather"] = gb_per_second(parts, rank != 0, device)
    if rank == 0:
        wrong[1] = count_wrong(frames, sizes, device, inverted=True)
    dist.all_reduce(wrong)

    dense = {peer: [torch.cat([t.flatten() for t in tensors])] for peer, tensors in parts.items()}
    rates["one dense tensor to each"] = gb_per_second(dense, rank == 0, device)

    wrong = wrong.tolist()
    if rank == 0:
        report(rates, sizes, wrong, world, device, mats)
    return sum(wrong)


def report(rates, sizes, wrong, world, device, mats):
    kind = "cv2.cuda.GpuMats" if mats else "pixview.Images"
    if device.type == "cuda" and not mats:
        kind += " (no OpenCV built with CUDA)"
    print(f"{len(sizes)} {kind}, {world} ranks, {dist.get_backend()} on {device.type}")
    if any(wrong):
        print(f"with wrong pixels: {wrong[0]} after scatter, {wrong[1]} after gather")
    else:
        print("every pixel is right, after scatter and after gather")
    if device.type == "cuda" and os.environ["LOCAL_WORLD_SIZE"] == os.environ["WORLD_SIZE"]:
        rates["NVLinks of a GPU, one way"] = nvlink_rate(device)
    for name, rate in rates.items():
        print(f"{name:26}", f"{rate:8.2f} GB/s" if rate else "nvidia-smi states none")
    pixels = sum(h * w * 3 for h, w, _ in sizes) / sum(h * pitch for h, _, pitch in sizes)
    print(f"{pixels:.0%} of the bytes of a frame are pixels, the rest is padding", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default=device, help="here %(default)s"
    )
    parser.add_argument("--frames", type=int, help="128 on GPUs, 16 in host memory")
    parser.add_argument("--height", type=int, default=1080, help="%(default)s")
    parser.add_argument("--width", type=int, default=1920, help="%(default)s")
    args = parser.parse_args()
    if "LOCAL_WORLD_SIZE" not in os.environ:
        parser.error("start it by torchrun --nproc_per_node=2")
    rank, world, local = (int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
    args.frames = args.frames or (128 if args.device == "cuda" else 16)
    if not 2 <= world <= args.frames:
        parser.error(
            f"{world} ranks, {args.frames} frames: it takes two ranks, and a frame for each"
        )
    mats = False
    if args.device == "cuda":
        if local >= torch.cuda.device_count():
            parser.error(f"{torch.cuda.device_count()} GPUs, one for each rank: pass --device cpu")
        torch.cuda.set_device(local)
        if cv2 and cv2.cuda.getCudaEnabledDeviceCount() > 0:
            mats = True
            cv2.cuda.setDevice(local)
    device = torch.device(args.device, local if args.device == "cuda" else None)
    backend, where = ("nccl", device) if device.type == "cuda" else ("gloo", None)
    dist.init_process_group(backend, timeout=TIMEOUT, device_id=where)
    wrong = run(args, rank, world, device, mats)
    dist.destroy_process_group()
    if wrong:
        sys.exit(f"rank {rank} ends: frames arrived wrong")


if __name__ == "__main__":
    main()
