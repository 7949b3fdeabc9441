"""What DVC takes for decisive is what decides: no edit leaves a stale result, and none trains a net in vain."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
import sources
from clone import NETS, ROOT, Clone, read_until, stages_run
from dvc.repo import Repo
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import load_file, save_file

from ilsvrc_replay.files import sha256
from ilsvrc_replay.recipes import fingerprints

SOURCE = "src/ilsvrc_replay"
MODULES = sources.modules(ROOT / SOURCE)
PIPELINE = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES = {name: stage["deps"] for name, stage in PIPELINE["stages"].items() if name != "resolve"}  # it always runs
INERT = ("", "cli", "commands", "errors", "runtime", "tools")  # rooms that decide nothing; "" is the package itself
DECISIVE = {name: path for name, path in MODULES.items() if sources.room(name) not in INERT}


@pytest.fixture(autouse=True)
def as_committed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test finds the study as it was committed."""
    yield
    if "clone" in request.fixturenames:
        request.getfixturevalue("clone").run("git", "checkout", "-q", "params.yaml", "src")


def unlisted(stage: str, names: set[str], own: set[str]) -> list[str]:
    """The files of modules, with the data beside them, that dvc.yaml does not list for a stage; but for those that its
    resolved file names, which are `own`."""
    paths = [DECISIVE[name] for name in names if DECISIVE[name].read_text().strip()]
    files = {file.relative_to(ROOT) for path in paths for file in path.parent.glob(f"{path.stem}.*")}
    beside = {str(path.relative_to(SOURCE)) for path in files if not any(map(path.is_relative_to, STAGES[stage]))}
    return sorted(beside - own)


def script(stage: str) -> Path:
    return ROOT / f"pipelines/{stage}.py"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_every_module_that_it_can_import(stage: str) -> None:
    assert unlisted(stage, sources.reached(DECISIVE, script(stage)), set()) == []


@pytest.mark.parametrize("stage", ["acquire", "prepare", "tune", "train", "evaluate"])
def test_a_stage_lists_all_that_any_net_or_data_set_can_import(stage: str) -> None:
    for room in {"acquire": ["datasets"], "prepare": ["datasets"], "tune": ["nets"], "train": ["nets"]}.get(
        stage, ["datasets", "nets"]
    ):
        for path in (ROOT / SOURCE / room).glob("[a-z]*.py"):
            own = set(fingerprints.checksums(room, path.stem))
            assert unlisted(stage, sources.reached(DECISIVE, path), own) == [], path


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_lists_no_module_that_it_cannot_import(stage: str) -> None:
    paths = [script(stage), *(ROOT / SOURCE / "datasets").glob("[a-z]*.py")]
    reached = [DECISIVE[name].relative_to(ROOT) for name in sources.reached(DECISIVE, *paths)]
    listed = [path for path in STAGES[stage] if path.startswith("src/") and Path(path).suffix in ("", ".py")]
    assert [path for path in listed if not any(module.is_relative_to(path) for module in reached)] == []


@pytest.mark.parametrize("stage", STAGES)
def test_what_a_stage_has_loaded_is_what_its_text_tells(stage: str, clone: Clone) -> None:
    note = clone.folder.parent / "noted" / stage
    if not note.exists():  # it was up to date, and has not run
        noting = f"{ROOT / 'tests/noting'}:{clone.environment['PYTHONPATH']}"
        clone.run("python", f"pipelines/{stage}.py", NOTED=str(note.parent), PYTHONPATH=noting)
    loaded, own = set(note.read_text().split()), code(clone, stage)
    scripts = [script(stage), *(ROOT / SOURCE / path for path in own if path.endswith(".py"))]
    untold = loaded - sources.reached(MODULES, *scripts)
    assert "ilsvrc_replay.runtime.stage" in loaded
    assert unlisted(stage, untold & DECISIVE.keys(), own) == []
    assert {sources.room(name) for name in untold} <= {"nets", "datasets"}, "these alone are found by their names"
    assert unlisted(stage, sources.reached(DECISIVE, *scripts), own) == []


def code(clone: Clone, stage: str) -> set[str]:
    """The sources that the resolved files of a stage name, as paths in the package."""
    listed = [path for path in STAGES[stage] if path.startswith(("resolved/", "tuning/"))]
    patterns = [path.replace("${item.entry}", "*") for path in listed]
    paths = [path for pattern in patterns for path in clone.folder.glob(pattern) if path.is_file()]
    found = [json.loads(path.read_text()) for path in paths]
    return {path for content in found for path in content.get("code", {})}


def test_what_the_pipeline_lists_exists() -> None:
    paths = {path for stage in PIPELINE["stages"].values() for path in stage["deps"]}
    made = ("data/", "metrics", "predictions", "resolved", "results/", "runs", "tuning")
    assert [path for path in sorted(paths) if not path.startswith(made) and not (ROOT / path).exists()] == []
    outs = str([stage.get("outs", []) + stage.get("metrics", []) for stage in PIPELINE["stages"].values()])
    assert [path for path in sorted(paths) if path.startswith(made) and path.split("/")[0] not in outs] == []


INERT_FILES = [  # of rooms that decide nothing, and of data sets that the study does not have
    *("runtime/progress.py", "runtime/checkpoint.py", "runtime/stage.py", "tools/leaderboard_table.py"),
    *("errors.py", "cli.py", "datasets/cifar10.py"),
]
TRAIN, EVALUATE = {f"train@{net}-0" for net in NETS}, {f"evaluate@{net}-0" for net in NETS}
TUNE = {f"tune@{net}" for net in NETS}  # trainings follow where it passes on another run
TOUCHED = [  # an edit, and the stages that run after it; those that follow them run if their results are others
    ("recipes/recipes.yaml", "label_smoothing: 0.0", "label_smoothing: 0.3", TUNE | {"claims"}),
    ("recipes/recipes.yaml", "epochs: 70.0", "epochs: 71.0", {"claims"}),  # of an era recipe that no entry has
    ("models/registry.py", "", "", TUNE | TRAIN | EVALUATE | {"claims"}),
    ("models/counting.py", "", "", TUNE | TRAIN | EVALUATE | {"claims"}),
    ("nets/alexnet.py", "", "", {"tune@alexnet", "evaluate@alexnet-0", "claims"}),
    ("input/seeding.py", "", "", TUNE | TRAIN | EVALUATE),
    ("training/schedule.py", "", "", TUNE | TRAIN),
    ("search.py", "", "", TUNE | {"aggregate", "page"}),
    ("metrics.py", "", "", TUNE | TRAIN | EVALUATE | {"prepare", "aggregate"}),
    ("run.py", "", "", TUNE | TRAIN | EVALUATE | {"claims", "aggregate", "page"}),
    ("datasets/digits.py", "", "", {"acquire", "prepare"}),
    ("originals/manifest.py", "", "", {"acquire", "prepare"} | EVALUATE),
    ("claims/about_vgg.py", "", "", {"claims"}),
    ("papers/net_claims.yaml", "", "", {"claims"}),
    ("papers/published.yaml", "", "", {"aggregate", "claims", "page"}),
    ("papers/run_claims.yaml", "", "", {"aggregate"}),
    ("page/document.py", "", "", {"page"}),
]


@pytest.mark.parametrize(
    ("name", "old", "new", "stages"), TOUCHED, ids=[f"{row[0]} {row[2]}".strip() for row in TOUCHED]
)
def test_an_edit_touches_the_stages_that_it_can_change(
    clone: Clone, name: str, old: str, new: str, stages: set[str]
) -> None:
    with edited(clone, name, old, new):
        assert outdated(clone) == stages


def test_an_edit_of_what_decides_nothing_touches_no_stage(clone: Clone) -> None:
    with ExitStack() as edits:
        for name in INERT_FILES:
            edits.enter_context(edited(clone, name))
        assert outdated(clone) == set()


@contextmanager
def edited(clone: Clone, name: str, old: str = "", new: str = "") -> Iterator[None]:
    """A source of the clone with `new` for `old`, or with a line more at its end, while the block lasts."""
    path = clone.folder / SOURCE / name
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1) if old else f"{before}\n# edited\n")
    try:
        yield
    finally:
        path.write_text(before)


def outdated(clone: Clone, **environment: str) -> set[str]:
    """The stages that are not up to date by themselves, as `dvc status` has them after `dvc repro resolve`."""
    clone.run("python", "pipelines/resolve.py", **environment)
    with Repo(str(clone.folder)) as repo:
        return {name.split(":")[-1] for name in repo.status()} - {"resolve"}


@pytest.mark.parametrize(
    ("library", "stages"),
    [
        ("torch", {"prepare", "aggregate"} | TUNE | EVALUATE),
        ("pytorch-lightning", TUNE),
        ("pillow", {"prepare", "page", "viewer"} | EVALUATE),
        ("altair", {"page", "viewer"}),
        ("mlflow", set()),
    ],
)
def test_another_version_of_a_library_touches_the_stages_that_compute_with_it(
    clone: Clone, library: str, stages: set[str], tmp_path: Path
) -> None:
    metadata = tmp_path / f"{library.replace('-', '_')}-0.1.dist-info/METADATA"
    metadata.parent.mkdir()
    metadata.write_text(f"Metadata-Version: 2.1\nName: {library}\nVersion: 0.1\n")
    assert outdated(clone, PYTHONPATH=f"{tmp_path}:{clone.environment['PYTHONPATH']}") == stages


ENTRIES = {
    "alexnet": {},
    "smoothed": {"architecture": "alexnet", "label_smoothing": 0.1},
    "alexnet-era": {"architecture": "alexnet", "recipe": "era"},
    "zfnet-era": {"architecture": "zfnet", "recipe": "era"},
    "inception_v3-era": {"architecture": "inception_v3", "recipe": "era", "width": 0.25},
}


@pytest.mark.parametrize(
    ("old", "new", "entries"),
    [
        ("label_smoothing: 0.0", "label_smoothing: 0.3", {"alexnet", "alexnet-era", "zfnet-era"}),
        ("test_scale: 1.0\n", "test_scale: 1.2\n", {"alexnet", "smoothed"}),
        ("init: orthogonal", "init: he", {"alexnet", "smoothed"}),  # of the modern recipe
        ("weight decay not stated\n    init: paper", "x\n    init: he", {"zfnet-era"}),  # of its own
    ],
)
def test_a_value_of_a_recipe_touches_the_entries_that_have_it(
    clone: Clone, old: str, new: str, entries: set[str]
) -> None:
    clone.set("evaluation.ensembles", {})
    clone.set("entries", ENTRIES)
    before = resolved(clone)
    with edited(clone, "recipes/recipes.yaml", old, new):
        assert changed(before, resolved(clone)) == {f"tune/{name}" for name in entries}


def test_another_file_of_weights_at_the_same_path_touches_its_entry(clone: Clone, tmp_path: Path) -> None:
    weights = shutil.copy(clone.folder / "runs/alexnet-0/weights.safetensors", tmp_path)
    clone.set("entries.mine", {"architecture": "alexnet", "recipe": "pretrained", "weights": weights})
    before = resolved(clone)
    Path(weights).write_bytes(Path(weights).read_bytes()[:-1] + b"\1")
    assert changed(before, resolved(clone)) == {"tune/mine", "evaluate/mine"}


def test_other_images_in_a_folder_of_the_users_touch_what_reads_them(clone: Clone, tmp_path: Path) -> None:
    paint(tmp_path / "train/a/1.png", 0)
    clone.set("dataset", {"name": "imagefolder", "folder": str(tmp_path), "val_images": 1})
    states = [resolved(clone)]
    for number, colour in ((2, 0), (1, 200), (1, 201)):  # one more, another in a file's place, another of equal length
        paint(tmp_path / f"train/a/{number}.png", colour)
        states.append(resolved(clone))
    assert [changed(*pair) for pair in pairwise(states)] == [{"acquire"}] * 3


def paint(path: Path, colour: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), (colour, 0, 0)).save(path)


def resolved(clone: Clone) -> dict[str, str]:
    """What stage resolve files of the study in place, by name."""
    clone.run("python", "pipelines/resolve.py")
    folder = clone.folder / "resolved"
    return {str(path.relative_to(folder).with_suffix("")): path.read_text() for path in sorted(folder.rglob("*.json"))}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


def test_a_source_that_is_edited_while_its_stage_runs_leaves_no_result(clone: Clone) -> None:
    clone.set("entries.alexnet.epochs", 0.5)
    assert outdated(clone) == {"tune@alexnet", "aggregate", "page"}
    clone.run("dvc", "repro", "--single-item", "tune@alexnet")
    lock = (clone.folder / "dvc.lock").read_bytes()
    stage = clone.start("dvc", "repro", "--single-item", "train@alexnet-0")
    read_until(stage, " epoch ")
    with edited(clone, "metrics.py"):
        said = stage.communicate()[0]
        assert stage.returncode
        assert [line for line in said.splitlines() if line.startswith("error:")] == [
            "error: src/ilsvrc_replay/metrics.py was edited while this stage ran on it as it was: run again"
        ]
        assert "Traceback" not in said
        assert (clone.folder / "dvc.lock").read_bytes() == lock
        assert "train@alexnet-0" in outdated(clone)
    clone.run("dvc", "checkout", "-q", "--force", "tune@alexnet", "train@alexnet-0")


def test_a_source_that_is_edited_after_it_was_resolved_is_not_run(clone: Clone) -> None:
    clone.run("python", "pipelines/resolve.py")
    with edited(clone, "nets/alexnet.py"):
        said = clone.run("python", "pipelines/train.py", "--entry", "alexnet", "--seed", "0", code=1)
    edit = "src/ilsvrc_replay/nets/alexnet.py was edited after stage resolve had read it"
    assert said == f"error: {edit}: run again, by `dvc repro`\n"


@pytest.mark.long
def test_an_edit_of_what_decides_nothing_changes_no_byte(clone: Clone) -> None:
    made = without_resolve(clone)
    with ExitStack() as edits:
        for name in INERT_FILES[1:]:
            edits.enter_context(edited(clone, name))
        edits.enter_context(edited(clone, "runtime/progress.py", "images/s", "images a second"))
        said = clone.run("dvc", "repro", "--force", *(f"evaluate@{net}-0" for net in NETS))
        assert "images a second" in said
        assert {f"train@{net}-0" for net in NETS} <= set(stages_run(said))
        assert without_resolve(clone) == made


def test_the_arguments_and_the_source_of_a_callback_decide_what_its_entry_trains(clone: Clone) -> None:
    source = clone.folder / "my_callbacks.py"
    source.write_text("from pytorch_lightning import Callback\n\n\n" + IDLE)
    clone.set("entries.alexnet.callbacks", {"my_callbacks.Idle": {"value": 1}})
    assert "tuning/alexnet/run.json" in waiting(clone)
    clone.run("dvc", "repro", "train@alexnet-0")
    record = json.loads((clone.folder / "runs/alexnet-0/training.json").read_text())
    assert record["callbacks"] == {"my_callbacks.Idle": {"value": 1}}
    assert "alexnet" not in waiting(clone)
    clone.set("entries.alexnet.callbacks", {"my_callbacks.Idle": {"value": 2}})
    assert "tuning/alexnet/run.json" in waiting(clone)
    clone.set("entries.alexnet.callbacks", {"my_callbacks.Idle": {"value": 1}})
    assert "alexnet" not in waiting(clone)
    source.write_text(source.read_text() + "\n# edited\n")
    assert "tuning/alexnet/run.json" in waiting(clone)
    assert "zfnet" not in waiting(clone)
    source.unlink()


IDLE = "class Idle(Callback):\n    def __init__(self, value):\n        self.value = value\n"


def waiting(clone: Clone) -> str:
    """What `dvc status` says of the nets' trainings, after stages resolve and tune."""
    clone.run("python", "pipelines/resolve.py")
    for net in NETS:
        clone.run("python", "pipelines/tune.py", "--entry", net)
    return clone.run("dvc", "status", *(f"train@{net}-0" for net in NETS))


def without_resolve(clone: Clone) -> dict[str, object]:
    """The bytes of all results and the lock, but for stage resolve's own record: it lists every data set's file."""
    return {name: content for name, content in clone.made().items() if name != "resolve"}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("recipes/recipes.yaml", "label_smoothing: 0.0", "label_smoothing: 0.5"),
        ("recipes/recipes.yaml", "test_scale: 1.0\n", "test_scale: 2.0\n"),
        ("models/registry.py", "activation=net.activation", 'activation="tanh"'),
        ("models/counting.py", "get_total_flops() // 2", "get_total_flops() // 4"),
        ("metrics.py", "topk(min(k, ", "topk(min(k + 3, "),
    ],
)
def test_an_edit_reaches_the_result_and_its_end_brings_the_old_one_back(
    clone: Clone, name: str, old: str, new: str
) -> None:
    first = outcome(clone)
    with edited(clone, name, old, new):
        assert outcome(clone) != first
    assert outcome(clone) == first


def outcome(clone: Clone) -> tuple[str, str]:
    """A net's measures and its weights' checksum, brought up to date."""
    clone.run("dvc", "repro", "-q", "evaluate@alexnet-0")
    return (clone.folder / "metrics/alexnet-0.json").read_text(), sha256(
        clone.folder / "runs/alexnet-0/weights.safetensors"
    )


@pytest.mark.long
def test_another_file_of_weights_at_the_same_path_is_tested(clone: Clone, tmp_path: Path) -> None:
    path, metrics = tmp_path / "mine.safetensors", clone.folder / "metrics/mine-0.json"
    weights = load_file(clone.folder / "runs/alexnet-0/weights.safetensors")
    clone.set("entries.mine", {"architecture": "alexnet", "recipe": "pretrained", "weights": str(path)})
    errors = []
    for factor in (1, 0, 1):
        save_file({name: factor * tensor for name, tensor in weights.items()}, path)
        clone.run("dvc", "repro", "-q", "evaluate@mine-0")
        errors.append(json.loads(metrics.read_text())["single_crop"]["top1_err"])
    assert errors[0] == errors[2] == float(clone.board()[0]["top1_err"])
    assert errors[1] > 80


@pytest.mark.long
def test_other_images_at_the_same_place_are_packed(clone: Clone, tmp_path: Path) -> None:
    for number in range(4):
        paint(tmp_path / f"train/a/{number}.png", 100)
        paint(tmp_path / f"train/b/{number}.png", 50)
        paint(tmp_path / f"test/{'ab'[number % 2]}/{number}.png", 50)
    clone.set("dataset", {"name": "imagefolder", "folder": str(tmp_path), "val_images": 2})
    packed = []
    for name, colour in (("train/a/0.png", 100), ("train/a/0.png", 101), ("train/a/9.png", 100)):
        paint(tmp_path / name, colour)
        clone.run("dvc", "repro", "-q", "prepare")
        packed.append(json.loads((clone.folder / "data/packed/imagefolder/meta.json").read_text())["sha256"])
    assert len(set(packed)) == 3
