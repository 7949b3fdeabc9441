from __future__ import annotations

import numpy as np
import pytest

from ilsvrc_replay.leaderboard import ensembles, table
from ilsvrc_replay.params import Study

LABELS = np.array([0, 1, 2, 0])
FIRST = np.array([[0.6, 0.4, 0.0], [0.1, 0.5, 0.4], [0.5, 0.1, 0.4], [0.2, 0.8, 0.0]], dtype=np.float32)
SECOND = np.array([[0.2, 0.8, 0.0], [0.0, 0.9, 0.1], [0.1, 0.1, 0.8], [0.5, 0.5, 0.0]], dtype=np.float32)


def study(seeds: list[int], **evaluation: object) -> Study:
    entries = {name: {"architecture": name} for name in ("alexnet", "vgg16")}
    entries["vgg16"]["protocols"] = ["single_crop", "ten_crop"]
    return Study.model_validate(
        {
            "study": "test",
            "dataset": {"name": "fashion-mnist"},
            "compute": {},
            "evaluation": {"protocols": ["single_crop"], "batch_size": 500, **evaluation},
            "seeds": seeds,
            "entries": entries,
        }
    )


def test_an_ensemble_averages_probabilities_not_votes() -> None:
    np.testing.assert_allclose(ensembles.average([FIRST, SECOND])[2], [0.3, 0.1, 0.6], atol=1e-7)
    measured = ensembles.measure([FIRST, SECOND], LABELS)
    assert measured == {"images": 4, "top1_err": 50.0, "top5_err": 0.0}  # alone they have errors of 50 and 25 %


def test_the_seeds_of_every_entry_and_the_named_lists_are_ensembles() -> None:
    both = {"both": {"members": ["alexnet", "vgg16"], "stands_for": "vgg16"}}
    alone = ensembles.of_study(study([0], ensembles=both))
    assert [(ensemble.name, ensemble.runs(study([0]))) for ensemble in alone] == [("both", ["alexnet-0", "vgg16-0"])]
    several = study([0, 1], ensembles=both)
    assert [(ensemble.name, ensemble.runs(several)) for ensemble in ensembles.of_study(several)] == [
        ("alexnet", ["alexnet-0", "alexnet-1"]),
        ("vgg16", ["vgg16-0", "vgg16-1"]),
        ("both", ["alexnet-0", "alexnet-1", "vgg16-0", "vgg16-1"]),
    ]
    assert ensembles.of_study(several)[2].protocols(several) == ["single_crop"]  # what all members were tested by


def test_images_of_which_each_seed_has_its_own_are_no_ensembles() -> None:
    protocols = ["single_crop", "validation_images", "training_images@100", "ten_crop@100"]
    several = study([0, 1], protocols=protocols)
    (alexnet, _) = ensembles.of_study(several)
    assert alexnet.protocols(several) == ["single_crop", "ten_crop@100"]


def test_an_ensemble_has_a_row_beside_the_published_ensemble() -> None:
    made = study([0], ensembles={"both": {"members": ["alexnet", "vgg16"], "stands_for": "vgg16"}})
    errors = {"images": 10_000, "crop_pct": 1.0, "top1_err": 9.0, "top5_err": 1.0}
    run = {"param_count": 7, "gmacs": 0.002, "compact": 4, "single_crop": errors, "ten_crop": errors}
    rows = table.rows(made, {"alexnet-0": run, "vgg16-0": run}, {"both": {"single_crop": errors}})
    assert [(row["entry"], row["kind"], row["protocol"]) for row in rows] == [
        ("alexnet", "single", "single_crop"),
        ("vgg16", "single", "single_crop"),
        ("vgg16", "single", "ten_crop"),
        ("both", "ensemble", "single_crop"),
    ]
    both = rows[-1]
    assert (both["members"], both["param_count"], both["gmacs"]) == ("alexnet-0 + vgg16-0", 14, 0.004)
    assert both["headline_top5_err"] == 7.3
    assert both["single_top5_err"] is None


@pytest.mark.parametrize(
    ("ensemble", "message"),
    [
        ({"alexnet": {"members": ["alexnet", "vgg16"]}}, "evaluation.ensembles.alexnet has the name of an entry"),
        ({"both": {"members": ["alexnet", "vgg"]}}, "there is no entry 'vgg'"),
    ],
)
def test_an_ensemble_of_nothing_is_refused(ensemble: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study([0], ensembles=ensemble)
