"""The verdicts on the claims of history/claims.yaml that the built nets and arithmetic decide."""

from __future__ import annotations

from ilsvrc_replay.claims import alexnet, googlenet, inception, resnet, vgg
from ilsvrc_replay.claims.measured import CAVEAT, WRONG, Measured
from ilsvrc_replay.history.claims import Claim, claims

MEASURES = alexnet.MEASURES | vgg.MEASURES | googlenet.MEASURES | resnet.MEASURES | inception.MEASURES


def judge() -> list[dict[str, str]]:
    """A row for every claim, in order of claims.yaml: id, claim, verdict, figure, source, caveat."""
    return [row(name, claim, MEASURES[name]()) for name, claim in claims().items()]


def row(name: str, claim: Claim, measured: Measured) -> dict[str, str]:
    """The caveat is shown only where it matters: not beside a claim that is plainly true or not decided."""
    shown = measured.verdict in (CAVEAT, WRONG)
    return {
        "id": name,
        "claim": claim.claim,
        "verdict": measured.verdict,
        "figure": measured.figure,
        "source": claim.source,
        "caveat": claim.caveat if shown else "",
    }
