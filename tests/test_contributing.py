"""What CONTRIBUTING.md says is true: the files it names are there, and what one adds is found."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clone import ROOT

PACKAGE = ROOT / "src/ilsvrc_replay"
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_files_and_rooms_that_it_names_exist() -> None:
    named = {name for name in re.findall(r"`([\w./-]+(?:/|\.\w+))`", TEXT) if "<" not in name}
    assert len(named) > 20
    assert [name for name in named if not ((PACKAGE / name).exists() or (ROOT / name).exists())] == []


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to add things to."""
    shutil.copytree(PACKAGE, tmp_path / "ilsvrc_replay", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "ilsvrc_replay"


def python(package: Path, code: str) -> str:
    environment = {"PYTHONPATH": str(package.parent), "PATH": "/usr/bin:/bin"}
    return subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)


def test_a_net_is_a_line_in_its_familys_file(package: Path) -> None:
    file = package / "nets/alexnet.py"
    file.write_text(file.read_text().replace("NETS = {", 'NETS = {"mine": Architecture(AlexNet, initialise), ', 1))
    code = "from ilsvrc_replay import nets; from ilsvrc_replay.models.registry import find\n"
    assert python(package, code + "print(nets.family('mine'), find('mine').input_size)") == "alexnet 224\n"


def test_a_family_is_a_file(package: Path) -> None:
    shutil.copyfile(package / "nets/zfnet.py", package / "nets/mine.py")
    file = package / "nets/mine.py"
    file.write_text(file.read_text().replace('"zfnet":', '"mynet":').replace('"zfnet_b":', '"mynet_b":'))
    assert python(package, "from ilsvrc_replay import nets; print(nets.family('mynet'))") == "mine\n"


def test_a_data_set_is_a_file(package: Path) -> None:
    (package / "datasets/my_photos.py").write_text("def acquire(target, folder):\n    return 'here'\n")
    code = "from ilsvrc_replay.datasets import Dataset; print(Dataset(name='my-photos').acquire(None))"
    assert python(package, code) == "here\n"


def test_a_recipe_of_an_era_is_a_block_of_yaml(package: Path) -> None:
    file = package / "recipes/recipes.yaml"
    file.write_text(file.read_text().replace("era:\n", "era:\n  resnet50:\n    lr: 0.123\n", 1))
    code = "from ilsvrc_replay.recipes.catalogue import of_net; print(of_net('era', 'resnet50')['lr'])"
    assert python(package, code) == "0.123\n"


def test_a_recipe_with_a_name_of_its_own_is_a_block_of_yaml(package: Path) -> None:
    file = package / "recipes/recipes.yaml"
    file.write_text(file.read_text() + "short:\n  lr: 0.123\n  optimizer: adamw\n")
    code = """
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
study = {"study": "s", "dataset": {"name": "digits", "image_size": 28, "val_images": 100}, "seeds": [0]}
study |= {"evaluation": {"protocols": ["single_crop"], "batch_size": 500}, "defaults": {"recipe": "short"}}
run = resolve(Study.model_validate(study | {"entries": {"resnet18": {}}}), "resnet18")
print(run.recipe_name, run.recipe.lr, run.recipe.optimizer, run.recipe.batch_size)
"""
    assert python(package, code) == "short 0.123 adamw 128\n"
