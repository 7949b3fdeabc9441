"""Text in params.yaml reaches no shell, and no path outside the checkout, however DVC is asked to run the study."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from clone import IDENTITY, Clone, stages_run

LONG = pytest.mark.long
NAMES = (
    "a$(touch PWNED)",
    "a; touch PWNED",
    "a'; touch PWNED; '",
    "a\ntouch PWNED\n",
    "with blank",
    "../../escaped",
    "/escaped",
    "--help",
)
OUTS = ("weights.safetensors", "curves.csv", "leaderboard.csv", "index.html", "figures/kept", "kept")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A checkout in which nothing has run, in folders full of what its stages write elsewhere."""
    folder = tmp_path_factory.mktemp("a") / "b/c/clone"
    clone = Clone(folder)
    for place in (folder.parent, folder.parents[1], folder.parents[2]):
        for name in ("escaped", "escaped-0"):
            for out in OUTS:
                (place / name / out).parent.mkdir(parents=True, exist_ok=True)
                (place / name / out).write_text("not yours")
        (place / "escaped-0.npz").write_text("not yours")
        (place / "escaped-0.json").write_text("not yours")
    return clone


@pytest.fixture(autouse=True)
def untouched(clone: Clone) -> Iterator[None]:
    """Asserts that nothing changes, in the checkout or outside of it, but what DVC and stage claims keep."""
    before = files(clone)
    yield
    clone.run("git", "checkout", "-q", ".")
    assert files(clone) == before


def files(clone: Clone) -> dict[str, str]:
    top = clone.folder.parents[2]
    kept = [
        path
        for path in top.rglob("*")
        if path.is_file() and not {".git", ".dvc", "home", "__pycache__"} & {*path.parts}
    ]
    return {str(path.relative_to(top)): path.read_text(errors="replace") for path in kept}


def set_name(clone: Clone, kind: str, *names: str) -> None:
    if kind == "entries":
        clone.set("entries", {name: {"architecture": "alexnet", "lr": 0.1} for name in names})
    else:
        clone.set(kind, names[0])


@pytest.mark.parametrize(
    "command",
    [
        "repro",
        "exp run",
        *(
            pytest.param(name, marks=LONG)
            for name in ("repro --force evaluate", "repro --keep-going", "exp run --temp")
        ),
    ],
)
def test_no_bad_name_of_an_entry_gets_past_stage_resolve(clone: Clone, command: str) -> None:
    set_name(clone, "entries", *NAMES)
    said = clone.run("dvc", *command.split(), code=None, **IDENTITY)
    assert "error: params.yaml: entries." in said, said
    assert {name for name in stages_run(said) if name != "claims"} == {"resolve"}


@pytest.mark.parametrize("name", [pytest.param("a;touch PWNED", marks=LONG), "../../escaped"])
@pytest.mark.parametrize(("kind", "stages"), [("study", ["aggregate", "page"]), ("dataset.name", ["prepare"])])
def test_no_other_bad_name_gets_past_stage_resolve(clone: Clone, kind: str, stages: list[str], name: str) -> None:
    set_name(clone, kind, name)
    said = clone.run("dvc", "repro", "--force", *stages, code=None)
    if kind == "dataset.name" and "escaped" in name:
        assert said.startswith("ERROR: output 'escaped' is specified in:"), "DVC refuses by itself"
    else:
        assert f"error: params.yaml: {kind}" in said, said
        assert stages_run(said) == ["resolve"]


def test_no_name_gets_into_a_shell_where_stage_resolve_is_not_asked(clone: Clone) -> None:
    names = [name for name in NAMES if "escaped" not in name]
    set_name(clone, "entries", *names)
    said = clone.run("dvc", "repro", "--single-item", "--force", "--keep-going", "train", "evaluate", code=None)
    for name in names:
        assert said.count(f"error: {name!r} cannot be an entry") == 2, said
