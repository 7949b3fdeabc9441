"""The verdicts on the claims of papers/net_claims.yaml that the built nets and arithmetic decide."""

from __future__ import annotations

from ilsvrc_replay.claims import (
    about_alexnet,
    about_googlenet,
    about_inception,
    about_published,
    about_resnet,
    about_vgg,
)
from ilsvrc_replay.papers.evidence import CAVEAT, WRONG, Evidence
from ilsvrc_replay.papers.net_claims import NetClaim, net_claims

MEASURES = (
    about_alexnet.MEASURES
    | about_vgg.MEASURES
    | about_googlenet.MEASURES
    | about_resnet.MEASURES
    | about_inception.MEASURES
    | about_published.MEASURES
)


def judge() -> list[dict[str, str]]:
    """A row for every claim, in order of net_claims.yaml: id, claim, verdict, figure, source, caveat."""
    return [row(name, claim, MEASURES[name]()) for name, claim in net_claims().items()]


def row(name: str, claim: NetClaim, evidence: Evidence) -> dict[str, str]:
    """The caveat is shown only where it matters: not beside a claim that is plainly true or not decided."""
    shown = evidence.verdict in (CAVEAT, WRONG)
    return {
        "id": name,
        "claim": claim.claim,
        "verdict": evidence.verdict,
        "figure": evidence.figure,
        "source": claim.source + (", as transcribed from the paper" if claim.transcribed else ""),
        "caveat": claim.caveat if shown else "",
    }
