"""Bad params are one clear line that names the key and what it may be."""

from __future__ import annotations

import os
import pickle
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from ilsvrc_replay.datasets import Dataset
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.params import Defaults, EnsembleParams, Entry, Evaluation, Study, load_study
from ilsvrc_replay.recipes.check import check
from ilsvrc_replay.recipes.resolve import resolve_all
from ilsvrc_replay.run import Compute, Recipe

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
            place.pop(key, None)
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
        ({"entries.alexnet.learning_rate": 1.0}, "entries.alexnet.learning_rate is not a known key; did you mean lr?"),
        ({"entries.alexnet.zzz": 1.0}, "entries.alexnet.zzz is not a known key; the nearest are optimizer"),
        (
            {"entries.alexnet.crop": {"kind": "pad", "padd": 1.0}},
            "entries.alexnet.crop.padd is not a known key; did yo",
        ),
        ({"defaults.schedule": {"kind": "step", "pover": 1}}, "defaults.schedule.pover is not a known key; did you me"),
        (
            {"evaluation.ensembles.resnets.member": []},
            "evaluation.ensembles.resnets.member is not a known key; did you mean members?",
        ),
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
        ({"entries.alexnet.lr": {"search": [0.1]}}, "entries.alexnet.lr.search is [0.1]: list should have at least 2"),
        ({"entries.alexnet.lr": {"serch": [0.1, 0.2]}}, "entries.alexnet.lr.search is missing"),
        ({"entries.alexnet.lr": {"search": [0.1, 0.2], "x": 1}}, "entries.alexnet.lr.x is not a known key; valid keys"),
        ({"entries.alexnet.lr": {"search": [0.1, -0.2]}}, "entries.alexnet.lr.search.1 is -0.2: input should be great"),
        ({"entries.alexnet.lr": {"search": [0.1, 0.1]}}, "entries.alexnet.lr: the same value stands there twice"),
        ({"entries.alexnet.clip": {"search": [0.1, None]}}, "entries.alexnet.clip: null is no number to search"),
        ({"entries.alexnet.epochs": {"search": [1.0, 2.0]}}, "entries.alexnet.epochs is {'search': [1.0, 2.0]}: input"),
        (
            {"defaults.weight_decay": {"search": [0.1, 0.2]}, "entries.alexnet.lr": {"search": [0.1, 0.2]}},
            "entries.alexnet: lr and weight_decay are both searched: search one of them",
        ),
        ({"tuning": {"seed": 1}}, "tuning.seed: 1 is also one of seeds: give the search one of its own"),
        ({"tuning": {"shre": 0.1}}, "tuning.shre is not a known key; did you mean share?"),
        ({"steps": [["alexnet", "alexnte"]]}, "steps: there is no entry 'alexnte'"),
        ({"steps": [["alexnet", "alexnet"]]}, "steps: [alexnet, alexnet] leads from an entry to itself"),
        ({"steps": [["alexnet"]]}, "steps.0 is ['alexnet']: list should have at least 2 items"),
        ({"entries": {"two\nlines": {}}}, r"entries.'two\nlines'.[key] is 'two\nlines': string should match"),
        ({"entries": {"a" * 300: {}}}, "entries.aaa"),
        ({"study": {"a": list(range(999))}}, "study is {'a': [0, 1, 2, 3, 4, 5, ...]}: input should be a valid string"),
        ({"study": "../else"}, "study is '../else': string should match pattern"),
        ({"entries.alexnet.width": 1e300}, "entries.alexnet.width is 1e+300: input should be less than or equal to 16"),
        ({"compute.threads": 10**20}, "compute.threads is 100000000000000000000: at most 1,024"),
        ({"compute.devices": 10_000_000}, "compute.devices is 10000000: at most 1,024"),
        (
            {"compute.engine": "trainer", "compute.trainer": {"limit_train_batches": date(2020, 1, 1)}},
            "compute.trainer.limit_train_batches: datetim",
        ),
        ({"defaults.callbacks": {"a.B": {"x": date(2020, 1, 1)}}}, "defaults.callbacks.a.B.x is datetime.date(2020, 1"),
        ({"defaults.callbacks": {"a.B": {"x": b"hi"}}}, "defaults.callbacks.a.B.x is b'hi'"),
        ({"compact": True}, "compact: true and false are no factors"),
        ({"entries.alexnet.compact": True}, "entries.alexnet.compact: true and false are no factors"),
        ({"evaluation.protocols": ["ten_crop", "ten_crop"]}, "evaluation.protocols: ten_crop stands there twice"),
        (
            {"evaluation.ensembles.resnets.members": ["resnet50", "resnet50"]},
            "evaluation.ensembles.resnets.members: resnet50 stands there twice",
        ),
        ({"steps": [["alexnet", "zfnet"], ["zfnet", "alexnet"]]}, "steps: alexnet and zfnet are compared twice"),
        ({"dataset.folder": "~nobody-here/x"}, "dataset.folder: there is no user ~nobody-here"),
        ({"dataset.folder": "x" * 3000}, "dataset.folder: no file has a name of over 255 letters"),
        ({"dataset.folder": "a\0b"}, "dataset.folder: no file has a name with a NUL"),
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
        (
            {"entries.alexnet.crop": {"kind": "resize", "scale": [2.0, 1.0]}},
            "entries.alexnet: crop",
        ),
        (
            {"evaluation.ensembles.resnets.stands_for": "nope"},
            "evaluation.ensembles.resnets.stands_for names no net; did you mean ",
        ),
    ],
)
def test_an_entry_that_names_no_net_or_recipe_is_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(StudyError) as caught:
        check(load_study(write(tmp_path / "params.yaml", change)))
    assert str(caught.value).startswith(message)


def test_an_entrys_number_takes_the_place_of_a_search_for_all(tmp_path: Path) -> None:
    search = {"search": [0.001, 0.002]}
    change = {"defaults.lr": search, "entries.zfnet": {}, "entries.vgg16": {"weight_decay": {"search": [0.0, 0.1]}}}
    study = load_study(write(tmp_path / "params.yaml", change | {"entries.vgg16.lr": 0.1, "entries.alexnet.lr": 0.003}))
    grids = {name: study.grids(name) for name in ("alexnet", "zfnet", "vgg16")}
    assert grids == {"alexnet": {}, "zfnet": {"lr": [0.001, 0.002]}, "vgg16": {"weight_decay": [0.0, 0.1]}}
    kept = study.model_dump(exclude_unset=True)
    assert (kept["defaults"]["lr"], kept["entries"]["alexnet"]["lr"]) == (search, 0.003)
    assert pickle.loads(pickle.dumps(study)) == study, "processes pass it on"  # noqa: S301


def test_numbers_are_read_as_dvc_reads_them(tmp_path: Path) -> None:
    path = write(tmp_path / "params.yaml", {"entries.googlenet.lr": 0.625})
    path.write_text(path.read_text().replace("lr: 0.625", "lr: 625e-3"))
    assert load_study(path).entries["googlenet"].lr == 0.625


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a: [", "is not YAML: while parsing a flow node"),
        (b"\xff", "is not YAML"),
        (b"", "the file is None"),
        (b"a: !!int ''", "is not YAML"),
        (b"a: !!float ''", "is not YAML"),
        (rb'question: "\ud800"', "is not YAML: line 1 holds half of a character"),
        (b"study: a\n<<<<<<< HEAD\nseeds: [0]\n", "line 2: git could not merge it"),
    ],
)
def test_a_file_that_is_no_study(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(StudyError, match=message):
        load_study(tmp_path / "params.yaml")


NINE = ", ".join(["*a{0}"] * 9)
LEVELS = range(9)
ENDLESS = {
    "aliases of aliases": "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [{NINE.format(n)}]\n" for n in LEVELS),
    "merged aliases": "a0: &a0 {x: 1}\n" + "".join(f"a{n + 1}: &a{n + 1} {{<<: [{NINE.format(n)}]}}\n" for n in LEVELS),
    "a list in itself": "a: &a [*a]\n",
    "lists in lists": "a: " + "[" * 10_000,
    "keys in keys": "\n".join(" " * depth + "a:" for depth in range(1000)),
    "a long number": "a: " + "9" * 10_000,
    "a long file": "a: [" + "1, " * 1_000_000,
    "no date": "study: 2020-13-45",
    "a tag that does not fit": "study: !!bool x",
}


@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_could_go_on_without_end_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(ENDLESS[kind])
    with pytest.raises(StudyError, match=r"params\.yaml is not YAML: ") as caught:
        load_study(tmp_path / "params.yaml")
    assert "\n" not in str(caught.value)


def defaults_of(model: type[BaseModel], at: str) -> list[tuple[str, Any]]:
    """The keys under `at` that may be left out, with what then stands for them; a recipe's values come from it."""
    fields = {name: field for name, field in model.model_fields.items() if name not in Recipe.model_fields}
    return [
        (f"{at}{name}", plain(field.get_default(call_default_factory=True)))
        for name, field in fields.items()
        if not field.is_required()
    ]


def plain(value: Any) -> Any:
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


INHERITED = {"recipe": "modern", "width": 0.125, "activation": "relu", "protocols": ["single_crop"]}  # of quick.yaml
LEFT_OUT = [
    *defaults_of(Study, ""),
    *defaults_of(Dataset, "dataset."),
    *defaults_of(Compute, "compute."),
    *defaults_of(Evaluation, "evaluation."),
    *defaults_of(EnsembleParams, "evaluation.ensembles.resnets."),
    *defaults_of(Defaults, "defaults."),
    *((key, INHERITED.get(key.split(".")[-1], value)) for key, value in defaults_of(Entry, "entries.alexnet.")),
]


@pytest.mark.parametrize(("key", "default"), LEFT_OUT, ids=[key for key, _ in LEFT_OUT])
def test_a_key_that_has_a_default_may_be_left_out(key: str, default: Any, tmp_path: Path) -> None:
    given = write(tmp_path / "given.yaml", {key: default})
    without = write(tmp_path / "without.yaml", {key: "DELETE"})
    if key != "defaults":
        assert given.read_text() != without.read_text()
    one, other = load_study(given), load_study(without)
    assert resolve_all(one) == resolve_all(other)
    assert (one.dataset, one.compute, one.evaluation) == (other.dataset, other.compute, other.evaluation)


def test_what_dvc_reads_itself_is_what_the_schema_requires() -> None:
    read = set(re.findall(r"\$\{([a-z_.]+)\}", (ROOT / "dvc.yaml").read_text())) - {"key", "item.entry", "item.seed"}
    assert read == {"study", "dataset.name", "entries", "seeds"}
    for key in read:
        model = Dataset if key.startswith("dataset.") else Study
        assert model.model_fields[key.split(".")[-1]].is_required(), key


@pytest.mark.timeout(5)
@pytest.mark.parametrize("kind", ["a folder", "a named pipe", "a link to itself"])
def test_a_study_that_is_no_file_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    make = {
        "a folder": path.mkdir,
        "a named pipe": lambda: os.mkfifo(path),
        "a link to itself": lambda: path.symlink_to(path),
    }
    make[kind]()
    with pytest.raises(StudyError, match=kind if kind != "a link to itself" else "cannot be read: Too many levels"):
        load_study(path)


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is missing: run from the repository's root"):
        load_study(tmp_path / "params.yaml")
