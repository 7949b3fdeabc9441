"""Test one run's weights: probabilities by protocol, and the errors they amount to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ilsvrc_replay import files, scores
from ilsvrc_replay.architectures import pretrained, registry
from ilsvrc_replay.architectures.counting import count_macs, count_parameters
from ilsvrc_replay.data.batches import OrderedBatches, resident
from ilsvrc_replay.data.packing import Packed
from ilsvrc_replay.data.views import test_view
from ilsvrc_replay.devices import choose_device
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation import originals
from ilsvrc_replay.evaluation.protocols import predict
from ilsvrc_replay.params import Entry, Study


def evaluate(
    study: Study, entry: Entry, packed: Packed, weights: Path, predictions: Path, raw: Path | None = None
) -> dict[str, Any]:
    """Write `predictions` (float32 probabilities (N, K) by protocol, the labels, the weights' sha256) and return the
    metrics: images, parameters, multiply-adds and, by protocol, top-1 and top-5 error in %.

    A library's published weights are tested on the original images, which `raw` leads to; others on the packed ones.
    """
    device = choose_device(study.compute)
    architecture = registry.find(entry.architecture)[1]
    published = pretrained.find(entry)
    shape = packed.shape | ({"image_size": published.image_size} if published else {})
    net, factor = registry.build(
        entry.architecture, width=entry.width, compact_factor=1 if published else entry.compact, **shape
    )
    pretrained.adapt(net, entry)
    metrics: dict[str, Any] = {
        "images": packed.meta["images"]["test"],
        "param_count": count_parameters(net),
        "gmacs": round(count_macs(net, shape["image_size"], shape["channels"]) / 1e9, 6),
        "compact": factor,
    }
    load_weights(net, weights)
    net.to(device=device, memory_format=torch.channels_last).eval()
    size = study.evaluation.batch_size
    if published:
        pictures = originals.open_originals(study.dataset, raw)
        batches = originals.OriginalBatches(pictures, published, batch_size=size, device=device)
    else:
        view = test_view(packed.pixels(device, architecture.normalisation))
        images, labels = resident(packed.images("test"), device), packed.labels("test").to(device)
        batches = OrderedBatches(images, labels, batch_size=size, view=view)
    arrays = {"weights_sha256": np.array(files.sha256(weights))}
    for protocol in study.evaluation.protocols:
        probabilities, labels = predict(net, protocol, batches)
        metrics[protocol] = {
            "top1_err": scores.error(probabilities, labels, 1),
            "top5_err": scores.error(probabilities, labels, 5),
        }
        arrays |= {protocol: probabilities.numpy(), "labels": labels.numpy()}
    with files.whole_file(predictions) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)
    return metrics


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a run's weights. Raises StudyError if the file is damaged or belongs to another net."""
    try:
        net.to_empty(device="cpu")
        net.load_state_dict(load_file(path))
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: run `dvc repro train` first") from None
    except (SafetensorError, RuntimeError) as error:
        raise StudyError(f"{path} does not hold this net's weights: {str(error).splitlines()[0]}") from None
