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
from ilsvrc_replay.data.packing import Packed
from ilsvrc_replay.devices import choose_device
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.evaluation import originals
from ilsvrc_replay.evaluation.protocols import Examiner, parse, predict
from ilsvrc_replay.params import Study, tested_on

WEIGHTS, RECORD = "weights.safetensors", "training.json"


def evaluate(
    study: Study, name: str, packed: Packed, run: Path, predictions: Path, raw: Path | None = None
) -> dict[str, Any]:
    """Test the entry `name` with the weights in the folder `run`, as its record says that they want to be tested.

    Writes `predictions` (float32 probabilities (N, K) by protocol, the labels, the weights' sha256) and returns the
    metrics: parameters, multiply-adds and, by protocol, images and top-1 and top-5 error in %. A library's published
    weights are tested on the original images, which `raw` leads to; others on the packed ones.
    """
    entry, device = study.entry(name), choose_device(study.compute)
    published = pretrained.find(entry)
    shape = packed.shape | ({"image_size": published.image_size} if published else {})
    net, factor = registry.build_entry(entry, shape)
    pretrained.adapt(net, entry)
    metrics: dict[str, Any] = {
        "param_count": count_parameters(net),
        "gmacs": round(count_macs(net, shape["image_size"], shape["channels"]) / 1e9, 6),
        "compact": factor,
    }
    load_weights(net, run / WEIGHTS)
    net.to(device=device, memory_format=torch.channels_last).eval()
    pixels = packed.pixels(device, registry.find(entry.architecture)[1].normalisation)
    test_scale = files.read_json(run / RECORD)["recipe"].get("test_scale", 1.0)  # weights from a file have no recipe
    examiner = Examiner(net, pixels, shape["image_size"], test_scale)
    arrays = {"weights_sha256": np.array(files.sha256(run / WEIGHTS))}
    for protocol in study.protocols(name):
        kind, limit = parse(protocol)
        split, known = tested_on(protocol)
        if published:
            pictures = originals.open_originals(study.dataset, raw)
            batches = originals.OriginalBatches(
                pictures, published, batch_size=study.evaluation.batch_size, device=device, limit=limit
            )
            probabilities = originals.predict(net, batches)
        else:
            probabilities = predict(examiner, kind, packed.images(split)[:limit], study.evaluation.batch_size)
        labels = packed.labels(split)
        arrays |= {protocol: probabilities.numpy(), known: labels.numpy()}
        metrics[protocol] = {
            "images": len(probabilities),
            "crop_pct": published.crop_pct if published else examiner.crop_share(kind),
            "top1_err": scores.error(probabilities, labels[:limit], 1),
            "top5_err": scores.error(probabilities, labels[:limit], 5),
        }
    files.write_npz(predictions, arrays)
    return metrics


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a run's weights. Raises StudyError if the file is damaged, belongs to another net or holds no numbers."""
    try:
        weights = load_file(path)
        net.to_empty(device="cpu")
        net.load_state_dict(weights)
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: run `dvc repro train` first") from None
    except (SafetensorError, RuntimeError) as error:
        raise StudyError(f"{path} does not hold this net's weights: {str(error).splitlines()[0]}") from None
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise StudyError(f"{path}: {name} holds values that are no numbers: train the run again with a lower lr")
