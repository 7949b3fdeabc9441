"""Stage resolve: everything that decides each stage's result, value by value, to resolved/."""

from pathlib import Path
from typing import Any

import beside  # noqa: F401

from ilsvrc_replay import files
from ilsvrc_replay.params import Study, load_study
from ilsvrc_replay.recipes import fingerprints
from ilsvrc_replay.recipes.check import check
from ilsvrc_replay.recipes.resolve import as_trained, resolve_all
from ilsvrc_replay.runtime.stage import run_stage

TESTED_WITH = ("torch", "torchvision", "timm", "numpy", "pillow")


def main() -> None:
    study = load_study()
    check(study)
    with files.whole_folder(Path("resolved")) as folder:
        for name, content in resolved(study).items():
            files.write_json(folder / f"{name}.json", content)


def resolved(study: Study) -> dict[str, Any]:
    """The files by name. Each holds what its stage reads, so that an edit runs no other."""
    dataset, versions = study.dataset, fingerprints.versions
    code = fingerprints.code_of_dataset(dataset)
    found: dict[str, Any] = {
        "study": {"study": study.study},
        "acquire": {
            "dataset": dataset.model_dump(include={"name", "folder"}),
            "folder": fingerprints.of_folder(dataset.place),
            "code": code,
        },
        "prepare": {
            "dataset": dataset.model_dump(exclude={"folder"}),
            "threads": study.compute.threads,
            "versions": versions("torch", "numpy", "pillow"),
            "code": code,
        },
        "aggregate": {"versions": versions("numpy", "scipy", "torch")},
        "page": {"versions": versions("altair", "jinja2", "pillow", "vl-convert-python")},
    }
    for name, run in resolve_all(study).items():
        untrained = {"recipe": None, "search": None, "callbacks": {}, "sources": {}}
        tested = run.model_copy(update=untrained | {"versions": versions(*TESTED_WITH)})
        found[f"tune/{name}"] = as_trained(run).model_dump()
        if run.weights and run.weights.of_library:  # is tested on the original images
            tested = tested.model_copy(update={"code": run.code | code})
        found[f"evaluate/{name}"] = tested.model_dump()
    return found


if __name__ == "__main__":
    run_stage(main)
