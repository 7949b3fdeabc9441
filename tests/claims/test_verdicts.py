"""The verdicts on the nets as published."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from ilsvrc_replay.claims import (
    about_alexnet,
    about_googlenet,
    about_inception,
    about_published,
    about_resnet,
    about_vgg,
    traced,
)
from ilsvrc_replay.claims.filters import weights, window
from ilsvrc_replay.claims.verdicts import MEASURES, judge, row
from ilsvrc_replay.papers.evidence import Evidence, times_as_many
from ilsvrc_replay.papers.net_claims import PATH, NetClaim, net_claims

EXPECTED = {
    "only-weighted-layers-count": "true",
    "alexnet-8-layers": "true",
    "alexnet-reads-224-px": "true with a caveat",
    "alexnet-first-map": "true with a caveat",
    "alexnet-pools-before-it-normalises": "wrong",
    "alexnet-layer-normalisation": "wrong",
    "alexnet-large-filters-first": "true",
    "alexnet-widths": "true with a caveat",
    "alexnet-last-pool-reads-384-maps": "wrong",
    "alexnet-fully-connected": "true",
    "alexnet-recipe": "true",
    "large-filters-cost": "true with a caveat",
    "zfnet-differs-in-hyper-parameters": "true with a caveat",
    "vgg-only-3x3": "true with a caveat",
    "two-3x3-cheaper-than-5x5": "true",
    "five-3x3-cheaper-than-11x11": "true",
    "two-3x3-see-5x5": "true",
    "vgg-no-lrn": "true with a caveat",
    "vgg-ends-as-alexnet": "true",
    "googlenet-19-layers": "wrong",
    "googlenet-22-layers": "true",
    "inception-several-filter-sizes": "true",
    "reductions-save-3-to-4-times": "true",
    "googlenet-stem": "true",
    "googlenet-12-times-fewer-parameters": "true with a caveat",
    "googlenet-27-times-fewer-parameters": "true with a caveat",
    "resnet-152-blocks": "wrong",
    "resnet-blocks-1-3-1": "true with a caveat",
    "resnet-five-depths": "true",
    "resnet-one-fully-connected-layer": "true",
    "resnet-starts-with-xavier": "wrong",
    "resnet-normalised-without-dropout": "true",
    "inception-v3-factorises-and-reduces": "true",
    "narrow-filters-cheaper": "true",
    "grid-reduction-in-parallel": "true",
    "inception-v4-has-residuals": "wrong",
    "order-of-2014-depends-on-the-protocol": "true",
    "little-gain-beyond-50": "wrong",
}
FIGURES = {  # what must be in them, by the papers' tables
    "order-of-2014-depends-on-the-protocol": "ten_crop: VGG 9.33 % (ResNet table 3), GoogLeNet 9.15 %",
    "little-gain-beyond-50": "22.85 % with 50 layers, 21.43 % with 152, by ten_crop: 1.42 points",
    "alexnet-widths": "60,965,224 parameters, 62,378,344",
    "alexnet-last-pool-reads-384-maps": "256 x 13 x 13",
    "zfnet-differs-in-hyper-parameters": "1.168 G multiply-adds against 0.724 G",
    "two-3x3-cheaper-than-5x5": "25 C^2 against 18 C^2, 1.39 times",
    "five-3x3-cheaper-than-11x11": "121 C^2 against 45 C^2, 2.69 times",
    "reductions-save-3-to-4-times": "3.52 times over all modules, 2.4 to 5.1 in one: 3.88 G",
    "googlenet-12-times-fewer-parameters": "8.7 times: 60,965,224 against 6,998,552",
    "googlenet-27-times-fewer-parameters": "19.8 times: 138,357,544 against 6,998,552",
    "resnet-152-blocks": "50 residual blocks in 152 layers",
    "narrow-filters-cheaper": "33% fewer weights than 3x3, 60% fewer weights than 5x5, 71% fewer",
    "inception-v4-has-residuals": "0 residual additions in inception_v4; 40",
}


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, str]]:
    return {found["id"]: found for found in judge()}


def test_every_claim_has_one_measure() -> None:
    modules = (about_alexnet, about_vgg, about_googlenet, about_resnet, about_inception, about_published)
    assert set(MEASURES) == set(net_claims())
    assert len(MEASURES) == sum(len(module.MEASURES) for module in modules)


def test_the_verdicts_are_historys(rows: dict[str, dict[str, str]]) -> None:
    assert {name: found["verdict"] for name, found in rows.items()} == EXPECTED
    assert list(rows) == list(net_claims())


@pytest.mark.parametrize("name", FIGURES)
def test_figures_equal_the_published_tables(name: str, rows: dict[str, dict[str, str]]) -> None:
    assert FIGURES[name] in rows[name]["figure"]


def test_a_caveat_stands_beside_what_is_not_plainly_true(rows: dict[str, dict[str, str]]) -> None:
    for name, found in rows.items():
        assert bool(found["caveat"]) == (found["verdict"] in ("true with a caveat", "wrong")), name
        assert found["figure"] and "\n" not in found["figure"]


def test_claims_are_sentences_without_a_verdict() -> None:
    sentences = [claim.claim for claim in net_claims().values()]
    assert len(set(sentences)) == len(sentences)
    assert all(len(text.split()) > 3 and text.endswith(".") and "\n" not in text for text in sentences)
    assert all(len(claim.source.split()) > 1 for claim in net_claims().values())
    keys = {
        line.strip().split(":")[0] for line in PATH.read_text().splitlines() if line.startswith("  ") and ": " in line
    }
    assert keys <= {"claim", "source", "caveat", "transcribed"}
    assert set(NetClaim.model_fields) == {"claim", "source", "caveat", "transcribed"}


class Read(Exception):
    """A measure asked for what was transcribed."""


def test_a_claim_that_reads_a_recipe_or_initial_weights_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_values: object, **_options: object) -> None:
        raise Read

    def reads(measure: Callable[[], Evidence]) -> bool:
        try:
            measure()
        except Read:
            return True
        return False

    monkeypatch.setattr(traced, "recipe", read)
    monkeypatch.setattr(traced, "start", read)
    reading = {name for name, measure in MEASURES.items() if reads(measure)}
    assert {"alexnet-recipe", "resnet-starts-with-xavier"} < reading
    assert reading <= {name for name, claim in net_claims().items() if claim.transcribed}


def test_a_transcribed_claim_is_told_by_its_source(rows: dict[str, dict[str, str]]) -> None:
    for name, claim in net_claims().items():
        assert rows[name]["source"].endswith(", as transcribed from the paper") == claim.transcribed, name


@pytest.mark.parametrize(
    ("evidence", "verdict", "caveat"),
    [
        (Evidence("", True), "true", ""),
        (Evidence("", True, exactly=False), "true with a caveat", "but"),
        (Evidence("", False), "wrong", "but"),
        (Evidence("", False, exactly=False), "wrong", "but"),
        (Evidence("", None), "not decided", ""),
    ],
)
def test_verdicts(evidence: Evidence, verdict: str, caveat: str) -> None:
    found = row("id", NetClaim(claim="It is so.", source="a table", caveat="but"), evidence)
    assert (found["verdict"], found["caveat"]) == (verdict, caveat)


@pytest.mark.parametrize(
    ("many", "verdict"),
    [(120, "true"), (115, "true"), (110, "true with a caveat"), (60, "true with a caveat"), (59, "wrong")],
)
def test_thresholds_of_a_ratio(many: int, verdict: str) -> None:
    assert times_as_many(many, 10, claimed=12).verdict == verdict


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "resnet50"])
def test_layers_add_up_to_the_net(name: str) -> None:
    net = traced.find(name)
    assert sum(layer.macs for layer in net.of(nn.Conv2d, nn.Linear)) == net.macs
    assert sum(layer.parameters for layer in net.layers) == net.parameters


def test_shortcuts_are_found_where_they_are() -> None:
    found = {name: traced.find(name).additions for name in ("vgg16", "googlenet", "plain34", "resnet34", "resnet50")}
    assert found == {"vgg16": 0, "googlenet": 0, "plain34": 0, "resnet34": 16, "resnet50": 16}


def test_grid_reductions_are_found_where_they_are() -> None:
    found = {name: traced.find(name).reductions for name in ("googlenet", "bn_inception", "inception_v2", "resnet18")}
    assert found == {"googlenet": 0, "bn_inception": 2, "inception_v2": 2, "resnet18": 0}


def test_windows_and_weights_of_stacked_filters() -> None:
    assert (window(3, 3), window(3, 3, 3), window((1, 7), (7, 1))) == ((5, 5), (7, 7), (7, 7))
    assert (weights(7), weights(3, 3, 3), weights((1, 3), (3, 1), channels=4)) == (49, 27, 96)
