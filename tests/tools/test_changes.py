from __future__ import annotations

from pathlib import Path

import made_results as results
import numpy as np
import pytest
from rich.console import Console
from statsmodels.stats.proportion import confint_proportions_2indep

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import wrong_images
from ilsvrc_replay.tools.compare import changes, changes_table, sides

mask = results.mask


def compare(folder: Path, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, dict]:
    results.write(folder / "a", before)
    results.write(folder / "b", after)
    rows = changes.rows(sides.find(str(folder / "a")), sides.find(str(folder / "b")))
    return {row["entry"]: row for row in rows}


def test_every_kind_of_change_has_its_verdict(tmp_path: Path) -> None:
    rows = compare(
        tmp_path,
        {"rose": mask(0, 100), "fell": mask(0, 100), "same": mask(0, 100), "moved": mask(0, 100), "left": mask(0, 9)},
        {"rose": mask(0, 130), "fell": mask(0, 70), "same": mask(0, 100), "moved": mask(3, 104), "new": mask(0, 9)},
    )
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "rose": "worse",
        "fell": "better",
        "same": "unchanged",
        "moved": "not resolved",
    }
    assert rows["rose"]["change"] == pytest.approx(3)
    assert 0 < rows["rose"]["change_low"] < 3 < rows["rose"]["change_high"]
    assert rows["rose"]["mcnemar_p"] == pytest.approx(2 * 0.5**30, rel=0.01)
    assert rows["moved"]["mcnemar_p"] == 1


def test_pairing_by_the_image_resolves_what_two_rates_do_not(tmp_path: Path) -> None:
    before, after = {"net": mask(0, 300)}, {"net": mask(0, 285)}
    assert compare(tmp_path, before, after)["net"]["verdict"] == "better"
    (tmp_path / "a" / wrong_images.FILE).unlink()
    (row,) = changes.rows(sides.find(str(tmp_path / "a")), sides.find(str(tmp_path / "b")))
    assert (row["verdict"], row["paired"], row["mcnemar_p"]) == ("not resolved", False, None)


@pytest.mark.parametrize(("before", "after"), [(300, 285), (10, 40), (0, 3), (999, 1000)])
def test_the_unpaired_interval_is_newcombes(tmp_path: Path, before: int, after: int) -> None:
    compare(tmp_path, {"net": mask(0, before)}, {"net": mask(0, after)})
    rows = [sides.find(str(tmp_path / side)).rows["net", "single", "single_crop"] for side in "ab"]
    expected = confint_proportions_2indep(after, 1000, before, 1000, method="newcomb", compare="diff")
    assert changes.unpaired(*rows) == pytest.approx([100 * bound for bound in expected], abs=1e-3)


def test_the_sides_may_have_different_numbers_of_seeds(tmp_path: Path) -> None:
    one, three = mask(0, 200), np.concatenate([mask(0, 150), mask(0, 160), mask(0, 170)])
    row = compare(tmp_path, {"net": one}, {"net": three})["net"]
    assert (row["before_seeds"], row["after_seeds"], row["change"], row["verdict"]) == (1, 3, -4, "better")
    reverse = compare(tmp_path, {"net": three}, {"net": one})["net"]
    assert reverse["change_low"] == pytest.approx(-row["change_high"], abs=0.2)


def test_other_images_are_refused(tmp_path: Path) -> None:
    results.write(tmp_path / "a", {"net": mask(0, 9)})
    results.write(tmp_path / "b", {"net": mask(0, 9)}, labels=results.LABELS[::-1])
    with pytest.raises(StudyError, match="tested on different images: they cannot be compared"):
        changes.rows(sides.find(str(tmp_path / "a")), sides.find(str(tmp_path / "b")))
    results.write(tmp_path / "b", {"net": mask(0, 9)[:, :500]}, labels=results.LABELS[:500])
    with pytest.raises(StudyError, match=r"a was tested on 1,000 images of digits, .*b on 500 images of digits"):
        changes.rows(sides.find(str(tmp_path / "a")), sides.find(str(tmp_path / "b")))


def test_params_are_compared_key_by_key() -> None:
    entry = {"architecture": "vgg16", "schedule": {"kind": "step"}}
    before = results.params(net={"lr": 0.1, "width": 1}, gone=entry, net2=entry)
    after = results.params(net={"lr": 0.2, "flip": False}, net2=entry | {"schedule": {"kind": "cosine"}})
    assert changes.params(before, after) == [
        ("entries.net.lr", 0.1, 0.2),
        ("entries.net.width", 1, None),
        ("entries.net.flip", None, False),
        ("entries.gone", entry, None),
        ("entries.net2.schedule.kind", "step", "cosine"),
    ]


def test_the_report_fits_a_terminal_and_says_what_it_rests_on(tmp_path: Path) -> None:
    made = results.params(inception_resnet_v2={"lr": 0.1})
    results.write(tmp_path / "a", {"inception_resnet_v2": mask(0, 100), "same": mask(0, 5), "old": mask(0, 5)}, made)
    changed = results.params(inception_resnet_v2={"lr": 0.2}, new={"architecture": "zfnet"}, vgg16={})
    results.write(tmp_path / "b", {"inception_resnet_v2": mask(0, 130), "same": mask(0, 5), "new": mask(0, 9)}, changed)
    before, after = (sides.find(str(tmp_path / side)) for side in "ab")
    console = Console(width=80, record=True, soft_wrap=True, file=(tmp_path / "said").open("w"))
    changes_table.show(console, before, after, changes.rows(before, after))
    said = console.export_text()
    for expected in (
        "entries.inception_resnet_v2.lr  0.1 → 0.2",
        "entries.new  (none) → (zfnet)",
        "entries.vgg16  (none) → (vgg16)",
        "10.00 → 13.00",
        "worse",
        "unchanged, image by image: same",
        "a: old",
        "b: new",
        "With one seed",
    ):
        assert expected in said
    table = said[said.index("error %") : said.index("unchanged")]
    assert all(len(line.rstrip()) <= 80 for line in table.splitlines())
    assert "…" not in table


def test_mistakes_are_kept_whole_and_in_the_same_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = {
        ("a", "single", "single_crop"): rng.random((3, 1003)) < 0.3,
        ("a", "ensemble", "ten_crop"): rng.random((1, 103)) < 0.3,
    }
    labels = rng.integers(10, size=1003)
    for name in ("one", "two"):
        wrong_images.write(tmp_path / name, labels, masks)
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    read = wrong_images.read(content)
    assert read.masks.keys() == masks.keys()
    assert all(np.array_equal(read.masks[key], masks[key]) for key in masks)
