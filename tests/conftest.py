"""What the tests share: a small packed data set of real images, and studies over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ilsvrc_replay.compat import make_torchvision_importable
from ilsvrc_replay.data import digits, packing
from ilsvrc_replay.params import Study

make_torchvision_importable()

FAMILIES = {"alexnet": "alexnet", "zfnet": "zfnet", "vgg16": "vgg", "googlenet": "googlenet", "resnet50": "resnet"}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> packing.Packed:
    """scikit-learn's digits at 32 px: 1,100 training, 197 val and 500 test images."""
    raw, folder = tmp_path_factory.mktemp("raw"), tmp_path_factory.mktemp("packed")
    digits.acquire(raw, None)
    packing.pack(digits.read(raw), "digits", 32, 197, folder)
    return packing.load(folder)


def make_study(architecture: str = "alexnet", **entry: Any) -> Study:
    """A study of one entry called "net"."""
    values = {"architecture": architecture, "family": FAMILIES[architecture], "recipe": "modern", "width": 0.125}
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "digits", "val_images": 197},
            "compute": {"device": "cpu", "threads": 1},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500},
            "seeds": [0],
            "entries": {"net": values | entry},
        }
    )


@pytest.fixture(scope="session")
def study() -> Callable[..., Study]:
    return make_study
