from __future__ import annotations

from pathlib import Path

import made_results as results
import numpy as np
import pytest
from rich.console import Console

from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.leaderboard import wrong_images
from ilsvrc_replay.leaderboard.wrong_images import WrongImages
from ilsvrc_replay.statistics.comparisons import holm, image_variance, welch
from ilsvrc_replay.tools.compare import changes, changes_table, sides

mask = results.mask


def compare(folder: Path, before: dict[str, np.ndarray], after: dict[str, np.ndarray]) -> dict[str, dict]:
    results.write(folder / "a", before)
    results.write(folder / "b", after)
    rows = changes.rows(sides.find(str(folder / "a")), sides.find(str(folder / "b")))
    return {row["entry"]: row for row in rows}


def three(*ends: int) -> np.ndarray:
    """Three seeds, or as many as there are numbers, that have the images before that one wrong."""
    ends = (ends[0] - 1, ends[0], ends[0] + 1) if len(ends) == 1 else ends
    return np.concatenate([mask(0, end) for end in ends])


def test_every_kind_of_change_has_its_verdict(tmp_path: Path) -> None:
    rows = compare(
        tmp_path,
        {"rose": three(100), "fell": three(100), "same": three(100), "moved": three(100), "left": three(9)},
        {"rose": three(150), "fell": three(50), "same": three(100), "moved": three(90, 101, 110), "new": three(9)},
    )
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "rose": "worse",
        "fell": "better",
        "same": "unchanged",
        "moved": "not resolved",
    }
    assert tuple(rows["rose"]) == changes.COLUMNS
    assert rows["rose"]["change"] == pytest.approx(5)
    assert 0 < rows["rose"]["change_low"] < 5 < rows["rose"]["change_high"]
    assert (rows["rose"]["better"], rows["fell"]["better"], rows["rose"]["mcnemar_p"]) == (0, 1, None)
    before, after = three(100), three(150)
    expected = welch(100 * before.mean(1), 100 * after.mean(1), image_variance(before, after))
    assert rows["rose"]["p"] == pytest.approx(float(expected.p), rel=0.01)
    ps = [rows[name]["p"] for name in ("rose", "fell", "moved")]
    assert [rows[name]["p_holm"] for name in ("rose", "fell", "moved")] == pytest.approx(holm(ps), rel=0.01)


@pytest.mark.parametrize(("seeds", "verdict"), [(1, "not judged: one seed"), (2, "not judged: two seeds")])
def test_few_seeds_are_not_judged_but_their_files_compared(tmp_path: Path, seeds: int, verdict: str) -> None:
    row = compare(tmp_path, {"net": mask(0, 100, seeds)}, {"net": three(130)})["net"]
    assert (row["verdict"], row["change_low"], row["p"]) == (verdict, None, None)
    assert row["mcnemar_p"] == pytest.approx(2 * 0.5**29, rel=0.01)
    same = compare(tmp_path, {"net": mask(0, 100, seeds)}, {"net": mask(0, 100, seeds)})["net"]
    assert (same["verdict"], same["mcnemar_p"]) == ("unchanged", None)


def test_without_the_images_that_are_wrong_nothing_is_judged(tmp_path: Path) -> None:
    compare(tmp_path, {"net": three(300)}, {"net": three(200)})
    (tmp_path / "a" / wrong_images.FILE).unlink()
    (row,) = changes.rows(sides.find(str(tmp_path / "a")), sides.find(str(tmp_path / "b")))
    assert (row["verdict"], row["change"], row["p"]) == (f"not judged: no wrong.npz in {tmp_path}/a", -10, None)


def test_the_sides_may_have_different_numbers_of_seeds(tmp_path: Path) -> None:
    row = compare(tmp_path, {"net": three(200)}, {"net": three(150, 152, 153, 149)})["net"]
    assert (row["before_seeds"], row["after_seeds"], row["change"], row["verdict"]) == (3, 4, -4.9, "better")
    reverse = compare(tmp_path, {"net": three(150, 152, 153, 149)}, {"net": three(200)})["net"]
    assert reverse["change_low"] == pytest.approx(-row["change_high"], abs=1e-4)


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
    results.write(
        tmp_path / "a",
        {"inception_resnet_v2": three(100), "one": mask(0, 9), "same": mask(0, 5), "old": mask(0, 5)},
        made,
    )
    changed = results.params(inception_resnet_v2={"lr": 0.2}, new={"architecture": "zfnet"}, vgg16={})
    results.write(
        tmp_path / "b",
        {"inception_resnet_v2": three(150), "one": mask(0, 7), "same": mask(0, 5), "new": mask(0, 9)},
        changed,
    )
    before, after = (sides.find(str(tmp_path / side)) for side in "ab")
    console = Console(width=80, record=True, soft_wrap=True, file=(tmp_path / "said").open("w"))
    changes_table.show(console, before, after, changes.rows(before, after))
    said = console.export_text()
    for expected in (
        "entries.inception_resnet_v2.lr  0.1 → 0.2",
        "entries.new  (none) → (zfnet)",
        "entries.vgg16  (none) → (vgg16)",
        "10.00 → 15.00",
        "worse",
        "unchanged, image by image: same",
        "a: old",
        "b: new",
        "not judged",
        "Holm's correction",
        "McNemar's exact p",
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
        wrong_images.write(tmp_path / name, WrongImages(wrong_images.checksum(labels), masks))
    content = (tmp_path / "one").read_bytes()
    assert content == (tmp_path / "two").read_bytes()
    read = wrong_images.read(content)
    assert read.masks.keys() == masks.keys()
    assert all(np.array_equal(read.masks[key], masks[key]) for key in masks)
