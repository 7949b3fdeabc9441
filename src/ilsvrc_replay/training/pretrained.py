"""The recipe `pretrained`: no training, but published weights, fetched once, verified, and filed as a run's own."""

from __future__ import annotations

import urllib.request
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from ilsvrc_replay import files
from ilsvrc_replay.errors import StudyError, first_line, memory_is_short
from ilsvrc_replay.models import library_weights, registry
from ilsvrc_replay.models.counting import count_macs, count_parameters
from ilsvrc_replay.models.library_weights import LibraryWeights
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.run import CURVE, CURVE_COLUMNS, RECORD, WEIGHTS, Run

PROBE = 5  # seconds to wait for the publisher's first word


def set_up(run: Run, seed: int, packed: Packed) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of an entry, and the record of where they come from. Raises StudyError if they do not fit the data
    or the net, are damaged, or are not here and cannot be fetched."""
    found = library_weights.find(run)
    shape = packed.shape
    if found:
        library_weights.check_classes(run.weights.name, packed.meta["classes"])
        shape |= {"image_size": found.image_size}
    net, factor = registry.build_net(run.net, shape)
    path = locate(found) if found else files.path_of(run.weights.name).expanduser()
    checksum = files.sha256(path)
    if found:
        check_original(found, path, checksum)
    elif checksum != run.weights.sha256:
        raise StudyError(f"weights {run.weights.name} were replaced after stage resolve had read them: run again")
    weights = library_weights.state_of(found.load(str(path))) if found else read(path)
    refit(net.state_dict(), weights, run)
    record = {
        **run.model_dump(exclude={"testing"}),
        "seed": seed,
        "compact": factor,
        "param_count": count_parameters(net),
        "macs": count_macs(net, shape["image_size"], shape["channels"]),
        "source": {"file": path.name, "sha256": checksum, "address": found.address if found else None},
        "preset": found.preset if found else None,
        "stated": found.stated if found else None,
        "data": {"name": packed.meta["name"], "sha256": packed.meta["sha256"]},
    }
    return weights, record


def write(folder: Path, weights: dict[str, Tensor], record: dict[str, Any]) -> dict[str, Any]:
    """Write the three files of a run into `folder`, the curve without a row; returns the full record."""
    with files.whole_file(folder / WEIGHTS) as partial:
        partial.write_bytes(save(weights))
    files.write_text(folder / CURVE, files.as_csv([], CURVE_COLUMNS))
    record = {**record, "weights_sha256": files.sha256(folder / WEIGHTS)}
    files.write_json(folder / RECORD, record)
    return record


def refit(expected: dict[str, Tensor], weights: dict[str, Tensor], run: Run) -> None:
    """Raises StudyError naming the first tensor that the net has and the weights have not, or otherwise."""
    for name in sorted(expected.keys() | weights.keys()):
        ours, theirs = expected.get(name), weights.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            shapes = [f"{tuple(tensor.shape)}" if tensor is not None else "nothing" for tensor in (theirs, ours)]
            raise StudyError(
                f"weights {run.weights.name} do not fit {run.net.architecture} on this data set: {name} is {shapes[0]}"
                f" in them and {shapes[1]} in the net"
            )


def read(path: Path) -> dict[str, Tensor]:
    """The state dict in a file. Raises StudyError if it is none, or a pickle of more than tensors and plain values, as
    reading it could run any code."""
    try:
        with files.open_file(path) as file:
            stored = path.suffix == ".safetensors"
            content = load_file(path) if stored else torch.load(file, map_location="cpu", weights_only=True)
    except StudyError as error:
        raise StudyError(f"weights {error}") from None
    except Exception as error:  # of many types; torch's text says how to read the file all the same
        if memory_is_short(error):
            raise
        raise StudyError(
            f"weights {path} are damaged, or hold more than tensors, and are not read: save the net's state_dict()"
        ) from None
    if isinstance(content, dict):
        content = content.get("state_dict", content.get("model", content))
    tensors = content.items() if isinstance(content, dict) else [("", content)]
    if not all(name and isinstance(name, str) and isinstance(value, Tensor) for name, value in tensors):
        raise StudyError(f"weights {path} are no state dict, which is tensors by name")
    return {name: tensor.contiguous() for name, tensor in tensors}


def locate(found: LibraryWeights) -> Path:
    """The file of a library's weights in that library's cache, fetched if it is not there yet."""
    return locate_on_hub(found) if found.repository else locate_of_torch(found)


def check_original(found: LibraryWeights, path: Path, checksum: str) -> None:
    """Raises StudyError unless the file is the one that the study names by the start of its sha256: a publisher may put
    another in its place."""
    if not found.sha256:
        raise StudyError(
            f"weights {found.library}/{found.model} may be replaced by their publisher: name this file of theirs,"
            f" weights: {found.library}/{found.model}@{checksum[:12]}"
        )
    if not checksum.startswith(found.sha256):
        raise StudyError(
            f"{path} is not the file that the study names, or damaged: its sha256 starts with {checksum[:12]}, not with"
            f" {found.sha256}; delete it to fetch it again, or name this one"
        )


def locate_of_torch(found: LibraryWeights) -> Path:
    """In torch.hub's cache."""
    path = Path(torch.hub.get_dir()) / "checkpoints" / found.file
    if not path.is_file():
        probe(found, path)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(found.address, str(path), found.sha256, progress=False)
        except (OSError, RuntimeError) as error:
            raise StudyError(f"{found.address} could not be fetched: {error}") from None
    return path


def locate_on_hub(found: LibraryWeights) -> Path:
    """In the cache of the Hugging Face hub."""
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    cached = try_to_load_from_cache(found.repository, found.file)
    if isinstance(cached, str):
        return Path(cached)
    probe(found, Path(constants.HF_HUB_CACHE))
    try:
        return Path(hf_hub_download(found.repository, found.file))
    except Exception as error:  # requests', httpx's or the hub's own, by its version
        raise StudyError(f"{found.address} could not be fetched: {first_line(error)}") from None


def probe(found: LibraryWeights, place: Path) -> None:
    """Raises StudyError at once where the libraries would try again for a minute."""
    try:
        with urllib.request.urlopen(urllib.request.Request(found.address, method="HEAD"), timeout=PROBE):
            return
    except OSError as error:
        raise StudyError(
            f"weights {found.library}/{found.model} are not at {place} and {found.address} does not answer"
            f" ({getattr(error, 'reason', error)}): connect, or put the file there"
        ) from None
