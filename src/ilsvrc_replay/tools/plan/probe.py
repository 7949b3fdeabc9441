"""What one run of an entry takes on this machine: a second or two of its training and of its tests, timed."""

from __future__ import annotations

import math
import time
from pathlib import Path

import torch
from torch import nn

from ilsvrc_replay.device import choose_device
from ilsvrc_replay.evaluation.predictor import Predictor, predict
from ilsvrc_replay.evaluation.protocols import parse, tested_on
from ilsvrc_replay.models import input_scale, registry
from ilsvrc_replay.models.initial_weights import materialise
from ilsvrc_replay.packed import packed_data
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Run
from ilsvrc_replay.tools.bench import measure, stepping
from ilsvrc_replay.tools.plan.timings import Probe
from ilsvrc_replay.training import fit

VIEWED = 64  # images that a protocol is timed on at a time


def ready(asked: float) -> float:
    """Seconds that a process takes to start and load its libraries. `asked`: when it was asked for, by time.time()."""
    return time.time() - asked


def probe(study: Study, entry: str, seconds: float) -> Probe:
    """Time an entry for `seconds` of its training and as long for each protocol. No test image is read: training images
    are as large."""
    begun = time.perf_counter()
    run, seed = resolve(study, entry), study.seeds[0]
    packed = packed_data.load(Path("data/packed") / study.dataset.name)
    device = choose_device(run.compute)
    measure.forget_peak(device)
    job = fit.set_up(run, seed, packed) if run.recipe else None
    net = job.module.net if job else untrained(run, seed, packed)
    build_s = time.perf_counter() - begun
    steps = job.module.steps if job else 0
    validations = steps // job.interval if job else 0
    speed = stepping.real_loop(job, seconds).images_per_s if job else math.inf
    pixels = input_scale.pixels_for(net, registry.find(run.net.architecture), packed, device)
    scale = run.recipe.test_scale if run.recipe else 1.0
    predictor = Predictor(net.to(device).eval(), pixels, packed.shape["image_size"], scale)
    rates = {kind: rate(predictor, kind, packed, seconds) for kind in kinds(run)}
    read = [(images(protocol, packed), rates[parse(protocol)[0]]) for protocol in run.testing.protocols]
    looked = validations * packed.meta["images"]["val"] / rates["single_crop"]
    weights = sum(tensor.nbytes for tensor in net.state_dict().values())
    return Probe(
        entry=entry,
        steps=steps,
        images_per_s=speed,
        train_s=(steps * run.recipe.batch_size / speed if job else 0.0) + looked,
        test_s=sum(count / per_second for count, per_second in read),
        build_s=build_s,
        memory_mib=measure.peak_memory(device),
        saved_bytes=weights + 4 * packed.shape["classes"] * sum(count for count, _ in read),
    )


def kinds(run: Run) -> set[str]:
    """The protocols of a run without the number of images, and that of its validation."""
    return {"single_crop", *(parse(protocol)[0] for protocol in run.testing.protocols)}


def untrained(run: Run, seed: int, packed: Packed) -> nn.Module:
    """The net of published weights, which takes as long with any others."""
    net, _ = registry.build_net(run.net, packed.shape)
    return materialise(net, registry.find(run.net.architecture), "paper", seed)


def images(protocol: str, packed: Packed) -> int:
    """How many images a protocol reads."""
    (split, _), (_, limit) = tested_on(protocol), parse(protocol)
    return min(limit or packed.meta["images"][split], packed.meta["images"][split])


def rate(predictor: Predictor, kind: str, packed: Packed, seconds: float) -> float:
    """Images a second of a protocol."""
    batch = packed.images("train")[:VIEWED]
    predict(predictor, kind, batch, VIEWED)
    started, count = time.perf_counter(), 0
    while not count or time.perf_counter() - started < seconds / 2:
        predict(predictor, kind, batch, VIEWED)
        count += len(batch)
    if predictor.pixels.mean.device.type == "cuda":
        torch.cuda.synchronize()
    return count / (time.perf_counter() - started)
