"""A study of published weights alone, from files to a board and a page without training curves."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Iterator

import drawn
import pytest
import timm
import torch
import torchvision
from browser import browser, window
from clone import Clone
from safetensors.torch import save_file
from torch import nn

CLASSES = ("bar", "cross", "disc")
NETS = {  # by entry: the architecture, and the file of its weights
    "resnet18": ("torchvision/resnet18", "resnet18.safetensors"),
    "mobilenet_v2": ("torchvision/mobilenet_v2", "mobilenet_v2.pth"),
    "small": ("timm/test_resnet.r160_in1k", "small.pth"),
}


def construct(architecture: str) -> nn.Module:
    """The library's net with its own initial weights."""
    library, name = architecture.split("/")
    make = timm.create_model if library == "timm" else torchvision.models.get_model
    return make(name, num_classes=len(CLASSES))


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    parent = tmp_path_factory.mktemp("published")
    folder = drawn.folder_of_classes(parent / "images", CLASSES, train=4, test=9)
    clone = Clone(parent / "clone")
    clone.set("dataset", {"name": "imagefolder", "folder": str(folder), "image_size": 32, "val_images": 3})
    clone.set("compact", 1)
    clone.set("defaults", {"recipe": "pretrained"})
    clone.set("entries", {name: {"architecture": net, "weights": file} for name, (net, file) in NETS.items()})
    torch.manual_seed(0)
    for architecture, file in NETS.values():
        weights, path = construct(architecture).state_dict(), clone.folder / file
        save_file(weights, path) if path.suffix == ".safetensors" else torch.save(weights, path)
    clone.commit()
    clone.run("dvc", "repro")
    yield clone
    shutil.rmtree(parent, ignore_errors=True)


def test_published_weights_alone_become_a_board(clone: Clone) -> None:
    rows = {row["entry"]: row for row in clone.board()}
    assert rows.keys() == NETS.keys()
    assert {(row["recipe"], row["images"]) for row in rows.values()} == {("pretrained", "27")}
    results = clone.folder / "results/miniature"
    with (results / "curves.csv").open() as file:
        table = csv.DictReader(file)
        assert (list(table), table.fieldnames[:4]) == ([], ["run", "entry", "seed", "step"])
    record = json.loads((clone.folder / "runs/resnet18-0/training.json").read_text())
    assert (record["recipe"], record["source"]["file"]) == (None, "resnet18.safetensors")


def test_its_page_speaks_of_no_training_and_has_no_empty_chart(clone: Clone) -> None:
    results = clone.folder / "results/miniature"
    assert sorted(path.stem for path in (results / "figures").glob("*.svg")) == [
        "error-by-macs",
        "error-by-parameters",
        "history",
    ]
    with browser() as started, window(started) as sight:
        page = sight.open(results / "index.html")
        page.wait_for_selector("body[data-ready]")
        assert sight.complaints == []
        assert "3 entries tested, with weights that others have trained" in page.inner_text("header .note")
        assert [place.get_attribute("id") for place in page.query_selector_all("main > section")] == [
            *("history", "board", "cost", "remake", "sources"),
        ]
        for chart in page.query_selector_all(".chart"):
            assert chart.query_selector("svg .mark-symbol path, canvas"), chart.get_attribute("id")
        titles = page.query_selector_all("#board-table thead tr:last-child th")
        texts = [
            page.eval_on_selector_all(
                f"#board-table tbody tr > :nth-child({place})", "cells => cells.map(c => c.innerText).join('')"
            )
            for place in range(1, len(titles) + 1)
        ]
        assert len(texts) > 5
        assert all(texts)
