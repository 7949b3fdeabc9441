"""`replay bench` measures what it says, on a miniature: two nets, a few drawn steps of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from typer.testing import CliRunner

from ilsvrc_replay.commands import app
from ilsvrc_replay.errors import StudyError
from ilsvrc_replay.files import read_csv
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.tools.bench import loaders, measure, stepping
from ilsvrc_replay.training import fit

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rows(study: Callable[..., Study], packed: Packed, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, str]]:
    """The CSV of two entries, one of them against the loaders, too."""
    folder = tmp_path_factory.mktemp("bench")
    one = study("zfnet", batch_size=16)
    two = one.model_copy(update={"entries": {**one.entries, "other": study("alexnet", batch_size=16).entries["net"]}})
    (folder / "data/packed").mkdir(parents=True)
    (folder / "data/packed/digits").symlink_to(packed.folder)
    (folder / "params.yaml").write_text(two.model_dump_json(exclude_unset=True))  # JSON is YAML
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(measure, "JPEGS", 160)
        patch.setattr(measure, "STORED", 64)
        patch.setattr(loaders, "WORKERS", 1)
        told = CliRunner().invoke(app, ["bench", "--seconds", "0.2", "--rounds", "1"], catch_exceptions=False)
    assert "% of the ceiling" in told.output
    assert "times timm's" in told.output
    assert "to read out of a shard" in told.output
    for row in read_csv(folder / "results/bench/test-shards.csv"):
        assert 0 < float(row["shard_us"]) < float(row["decode_us"])
    return read_csv(folder / "results/bench/test.csv")


def test_every_entry_has_a_row_with_possible_figures(rows: list[dict[str, str]]) -> None:
    assert [row["entry"] for row in rows] == ["net", "other"]
    for row in rows:
        assert 0.05 < float(row["loop_share_cpu_time"]) < 20  # a fifth of a second, on a busy machine
        assert float(row["loop_images_per_s"]) > 0
        assert 100 < int(row["peak_memory_mib"]) < 10_000
        assert torch.__version__.startswith(row["torch"])  # with +cu130 or not, as its package says
        assert row["cpu"]


def test_the_loaders_feed_the_same_net_with_the_same_files(rows: list[dict[str, str]]) -> None:
    for row in rows:
        assert row["jpegs"] == "159"  # one of them is held out
        for name in ("project", "torchvision", "timm"):
            assert float(row[f"{name}_images_per_s"]) > 0


def test_all_three_hand_out_the_same_pixels(
    study: Callable[..., Study], packed: Packed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loaders, "WORKERS", 1)
    loaders.write_jpegs(packed, 16, tmp_path)
    mine = loaders.pack_jpegs(tmp_path)
    job = fit.set_up(resolve(study("zfnet", batch_size=16), "net"), 0, packed)
    pixels, found = mine.pixels(), {}
    for name, batches in loaders.LOADERS.items():
        source = batches(tmp_path, job, pixels)
        images, labels = next(source)
        source.close()
        found[name] = sorted(zip(labels.tolist(), images.double().sum((1, 2, 3)).tolist(), strict=True))
    own = torch.cat([mine.images("train"), mine.images("val")])
    labels = torch.cat([mine.labels("train"), mine.labels("val")])
    wanted = pixels.standardise(own / 255).double().sum((1, 2, 3)).tolist()
    for pairs in found.values():
        for (label, total), (known, known_total) in zip(
            pairs, sorted(zip(labels.tolist(), wanted, strict=True)), strict=True
        ):
            assert label == known
            assert total == pytest.approx(known_total, abs=0.05)


def test_the_clock_leaves_the_warm_up_out(monkeypatch: pytest.MonkeyPatch) -> None:
    now = SimpleNamespace(s=1.0)
    monkeypatch.setattr(stepping.time, "perf_counter", lambda: now.s)
    clock = stepping.Clock(batch_size=10, seconds=2.0, device=CPU, warm_up=2)
    for lasts in (0.9, 0.9, 0.5, 0.5, 0.5, 0.5):
        clock.before_step()
        now.s += lasts
        ended = clock.after_step()
    assert ended
    assert clock.speed.images_per_s == pytest.approx(4 * 10 / 2.0)


def test_published_weights_are_refused_by_name(study: Callable[..., Study]) -> None:
    entry = {"architecture": "resnet50", "recipe": "pretrained", "weights": "a.safetensors"}
    published = Study.model_validate(study().model_dump(exclude_unset=True) | {"entries": {"net": entry}})
    with pytest.raises(StudyError, match=r"entries\.net has published weights"):
        next(measure.rows(published, ["net"], False, 0.1, 1))
