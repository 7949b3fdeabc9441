"""The verdicts on the claims of papers/statements.yaml that the built nets and arithmetic decide."""

from __future__ import annotations

from ilsvrc_replay.claims import about_alexnet, about_googlenet, about_inception, about_resnet, about_vgg
from ilsvrc_replay.papers.statements import Claim, claims
from ilsvrc_replay.papers.verdict import CAVEAT, WRONG, Measured

MEASURES = (
    about_alexnet.MEASURES
    | about_vgg.MEASURES
    | about_googlenet.MEASURES
    | about_resnet.MEASURES
    | about_inception.MEASURES
)


def judge() -> list[dict[str, str]]:
    """A row for every claim, in order of statements.yaml: id, claim, verdict, figure, source, caveat."""
    return [row(name, claim, MEASURES[name]()) for name, claim in claims().items()]


def row(name: str, claim: Claim, measured: Measured) -> dict[str, str]:
    """The caveat is shown only where it matters: not beside a claim that is plainly true or not decided."""
    shown = measured.verdict in (CAVEAT, WRONG)
    return {
        "id": name,
        "claim": claim.claim,
        "verdict": measured.verdict,
        "figure": measured.figure,
        "source": claim.source + (", as transcribed from the paper" if claim.transcribed else ""),
        "caveat": claim.caveat if shown else "",
    }
