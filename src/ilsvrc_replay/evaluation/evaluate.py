"""Test a run's weights: class probabilities by protocol, and their errors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ilsvrc_replay import files, metrics
from ilsvrc_replay.device import choose_device
from ilsvrc_replay.errors import StudyError, first_line, memory_is_short
from ilsvrc_replay.evaluation import image_files
from ilsvrc_replay.evaluation.predictor import Predictor, predict
from ilsvrc_replay.evaluation.protocols import parse, tested_on
from ilsvrc_replay.models import input_scale, library_weights, registry
from ilsvrc_replay.models.counting import count_macs, count_parameters
from ilsvrc_replay.originals.labelled_images import LabelledFiles
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.run import RECORD, WEIGHTS, Run


def evaluate(
    run: Run, packed: Packed, folder: Path, predictions: Path, originals: Callable[[], LabelledFiles] | None = None
) -> dict[str, Any]:
    """Test `run` with the weights in `folder`, at the scale that the training record beside them names.

    Writes `predictions` (float32 probabilities (N, K) by protocol, the labels, the weights' sha256) and returns the
    metrics: parameters, multiply-adds and, by protocol, images and top-1 and top-5 error in %. A library's published
    weights are tested on the images that `originals` reads; others on the packed ones.
    """
    device = choose_device(run.compute)
    published = library_weights.find(run)
    shape = packed.shape | ({"image_size": published.image_size} if published else {})
    net, factor = registry.build_net(run.net, shape)
    library_weights.adapt(net, run)
    measured: dict[str, Any] = {
        "param_count": count_parameters(net),
        "gmacs": round(count_macs(net, shape["image_size"], shape["channels"]) / 1e9, 6),
        "compact": factor,
    }
    load_weights(net, folder / WEIGHTS)
    net.to(device=device, memory_format=torch.channels_last).eval()
    pixels = input_scale.pixels_for(net, registry.find(run.net.architecture), packed, device)
    recipe = files.read_json(folder / RECORD)["recipe"]  # weights from a file have none
    test_scale = recipe["test_scale"] if recipe else 1.0
    predictor = Predictor(net, pixels, shape["image_size"], test_scale)
    arrays = {"weights_sha256": np.array(files.sha256(folder / WEIGHTS))}
    for protocol in run.testing.protocols:
        kind, limit = parse(protocol)
        split, known = tested_on(protocol)
        if published:
            batches = image_files.OriginalBatches(
                originals(), published, batch_size=run.testing.batch_size, device=device, limit=limit
            )
            probabilities = image_files.predict(net, batches)
        else:
            probabilities = predict(predictor, kind, packed.images(split)[:limit], run.testing.batch_size)
        if not probabilities.isfinite().all():
            raise StudyError(f"{folder / WEIGHTS}: the net's outputs on {split} are no numbers: its weights are unfit")
        labels = packed.labels(split)
        arrays |= {protocol: probabilities.numpy(), known: labels.numpy()}
        measured[protocol] = {
            "images": len(probabilities),
            "crop_pct": published.crop_pct if published else predictor.crop_share(kind),
            "top1_err": metrics.error(probabilities, labels[:limit], 1),
            "top5_err": metrics.error(probabilities, labels[:limit], 5),
        }
    files.write_npz(predictions, arrays)
    return measured


def load_weights(net: nn.Module, path: Path) -> None:
    """Load a run's weights. Raises StudyError if the file is missing or damaged, or does not fit the net, or if a value
    is not finite."""
    try:
        weights = load_file(path)
        net.to_empty(device="cpu")
        net.load_state_dict(weights)
    except FileNotFoundError:
        raise StudyError(f"{path} is missing: run `dvc repro train` first") from None
    except (SafetensorError, RuntimeError) as error:
        if memory_is_short(error):
            raise
        raise StudyError(f"{path} does not hold this net's weights: {first_line(error)}") from None
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise StudyError(f"{path}: {name} holds values that are no numbers: train the run again with a lower lr")
