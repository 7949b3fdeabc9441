"""Bad params are one clear line that names the key and what it may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import load_study
from ilsvrc_replay.recipes.check import check

ROOT = Path(__file__).parents[1]
STUDIES = sorted((ROOT / "pipelines/studies").glob("*.yaml"))


def write(path: Path, change: dict[str, Any]) -> Path:
    """The quick study with the values of `change`, by dotted key; None as a value's name `DELETE` removes it."""
    content = YAML(typ="safe", pure=True).load((ROOT / "pipelines/studies/quick.yaml").read_text())
    for dotted, value in change.items():
        *parents, key = dotted.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        if value == "DELETE":
            del place[key]
        else:
            place[key] = value
    YAML().dump(content, path)
    return path


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_study_is_valid_and_named_like_its_file(path: Path) -> None:
    study = load_study(path)
    check(study)
    assert study.study == path.stem


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"entries.alexnet.lrr": 1.0}, "entries.alexnet.lrr is not a known key; did you mean lr?"),
        ({"entries.alexnet.schedule": {"knd": "step"}}, "entries.alexnet.schedule.kind is missing"),
        ({"sedes": [1]}, "sedes is not a known key; did you mean seeds?"),
        ({"compute.treads": 1}, "compute.treads is not a known key; did you mean threads?"),
        ({"dataset.zzz": 1}, "dataset.zzz is not a known key; valid keys are name, image_size"),
        ({"entries.alexnet.lr": "fast"}, "entries.alexnet.lr is 'fast': input should be a valid number"),
        ({"entries.alexnet.lr": -1.0}, "entries.alexnet.lr is -1.0: input should be greater than 0"),
        ({"entries.alexnet.lr": float("nan")}, "entries.alexnet.lr is nan: input should be a finite number"),
        ({"entries.alexnet.compact": 3}, "entries.alexnet.compact is 3: input should be 'auto', 1, 2, 4, 8 or 16"),
        (
            {"dataset.name": "fashion"},
            "dataset.name: there is no data set 'fashion'; there are cifar10, digits, fashion-mnist",
        ),
        ({"dataset.image_size": 8}, "dataset.image_size is 8: input should be greater than or equal to 28"),
        ({"seeds": [0, 0]}, "seeds: the same seed stands there twice"),
        ({"seeds": "DELETE"}, "seeds is missing"),
        ({"seeds": []}, "seeds is []: list should have at least 1 item"),
        ({"entries.alexnet": None}, "entries.alexnet is None: input should be a valid dictionary"),
        ({"entries.Alex Net": {}}, "entries.Alex Net"),
        ({"study": "../else"}, "study is '../else': string should match pattern"),
    ],
)
def test_a_bad_value_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        load_study(write(tmp_path / "params.yaml", change))
    assert str(caught.value).startswith(f"{tmp_path}/params.yaml: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"entries.alexnet.recipe": "eara"},
            "entries.alexnet: there is no recipe 'eara'; there are era, modern and pretrained",
        ),
        ({"entries.vgg16.architecture": "vgg61"}, "entries.vgg16: there is no architecture 'vgg61'; the nearest names"),
        (
            {"entries.resnet50.protocols": ["dense_3_scales"], "entries.resnet50.architecture": "googlenet"},
            "entries.resnet50: the protocol dense_3_scales is for",
        ),
    ],
)
def test_an_entry_that_names_no_net_or_recipe_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        check(load_study(write(tmp_path / "params.yaml", change)))
    assert str(caught.value).startswith(message)


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    path = write(tmp_path / "params.yaml", {"entries.googlenet.lr": 0.625})
    path.write_text(path.read_text().replace("lr: 0.625", "lr: 625e-3"))
    assert load_study(path).entries["googlenet"].lr == 0.625


@pytest.mark.parametrize(
    ("content", "message"), [(b"a: [", "is not YAML"), (b"\xff", "is not YAML"), (b"", "the file is None")]
)
def test_a_file_that_is_no_study(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(StudyError, match=message):
        load_study(tmp_path / "params.yaml")


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is missing: run from the repository's root"):
        load_study(tmp_path / "params.yaml")
