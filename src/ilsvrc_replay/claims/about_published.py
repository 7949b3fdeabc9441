"""Measures of the claims that the papers' own tables decide: about published nets, which no small net stands for."""

from __future__ import annotations

from ilsvrc_replay.papers.evidence import Evidence
from ilsvrc_replay.papers.published import Published, Single, find

CONSIDERABLE = 1.0  # points of top-1 error; ResNet section 4.1 calls its gains from depth considerable


def by_protocol(record: Published) -> dict[str, Single]:
    """All published errors of a net, by protocol."""
    return {single.protocol: single for single in (record.single, *record.others) if single}


def order_of_2014() -> Evidence:
    """Holds if VGG's best single net errs less by one protocol, and GoogLeNet's by another."""
    vgg, googlenet = by_protocol(find("vgg16")), by_protocol(find("googlenet"))
    shared = [protocol for protocol in vgg if protocol in googlenet]
    figures = [
        f"{protocol}: VGG {vgg[protocol].top5_err} % ({vgg[protocol].table}), GoogLeNet"
        f" {googlenet[protocol].top5_err} % ({googlenet[protocol].table})"
        for protocol in shared
    ]
    ahead = {vgg[protocol].top5_err < googlenet[protocol].top5_err for protocol in shared}
    return Evidence(f"top-5 error; {'; '.join(figures)}", len(ahead) == 2)


def little_beyond_50() -> Evidence:
    """Holds if the gain from 50 to 152 layers is less than CONSIDERABLE."""
    shallow, deep = (find(name).single for name in ("resnet50", "resnet152"))
    gain = shallow.top1_err - deep.top1_err
    figure = f"{shallow.top1_err} % with 50 layers, {deep.top1_err} % with 152, by {deep.protocol}: {gain:.2f} points"
    return Evidence(figure, gain < CONSIDERABLE)


MEASURES = {
    "order-of-2014-depends-on-the-protocol": order_of_2014,
    "little-gain-beyond-50": little_beyond_50,
}
