"""A study of published weights alone, from files to a board and a page without training curves."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator

import drawn
import pytest
import torch
from clone import Clone
from safetensors.torch import save_file

from ilsvrc_replay.models import registry

CLASSES = ("bar", "cross", "disc")
NETS = {  # by entry: the architecture, and the file of its weights
    "resnet": ("timm/test_resnet.r160_in1k", "resnet.safetensors"),
    "mobilenet": ("torchvision/mobilenet_v3_small", "mobilenet.pth"),
}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    parent = tmp_path_factory.mktemp("published")
    folder = drawn.folder_of_classes(parent / "images", CLASSES, train=4, test=9)
    clone = Clone(parent / "clone")
    clone.set("dataset", {"name": "imagefolder", "folder": str(folder), "image_size": 32, "val_images": 3})
    clone.set("compact", 1)
    clone.set("defaults", {"recipe": "pretrained"})
    torch.manual_seed(0)
    entries = {}
    for entry, (architecture, file) in NETS.items():
        net, _ = registry.build(architecture, image_size=32, channels=3, classes=len(CLASSES))
        net = net.to_empty(device="cpu")
        for tensor in net.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape).abs() if tensor.is_floating_point() else torch.zeros(()))
        path = clone.folder / file
        save_file(net.state_dict(), path) if path.suffix == ".safetensors" else torch.save(net.state_dict(), path)
        entries[entry] = {"architecture": architecture, "weights": file}
    clone.set("entries", entries)
    clone.commit()
    clone.run("dvc", "repro")
    yield clone
    #shutil.rmtree(parent, ignore_errors=True)


def test_published_weights_alone_become_a_board(clone: Clone) -> None:
    rows = clone.board()
    assert sorted((row["entry"], row["recipe"], row["images"]) for row in rows) == [
        ("mobilenet", "pretrained", "27"),
        ("resnet", "pretrained", "27"),
    ]
    results = clone.folder / "results/miniature"
    with (results / "curves.csv").open() as file:
        table = csv.DictReader(file)
        assert (list(table), table.fieldnames[:4]) == ([], ["run", "entry", "seed", "step"])
    record = json.loads((clone.folder / "runs/resnet-0/training.json").read_text())
    assert (record["recipe"], record["source"]["file"]) == (None, "resnet.safetensors")
