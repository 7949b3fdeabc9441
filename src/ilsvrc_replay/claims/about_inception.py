"""Measures of the claims about Inception-v2, v3 and v4."""

from __future__ import annotations

from math import prod

from torch import nn

from ilsvrc_replay.claims import traced
from ilsvrc_replay.claims.filters import weights, window
from ilsvrc_replay.papers.evidence import Evidence, listed


def factorises_and_reduces() -> Evidence:
    """Holds if both nets have 1xn and nx1 filters and modules that convolve and pool side by side."""
    found = {name: (filters(name), traced.find(name).reductions) for name in ("inception_v2", "inception_v3")}
    figures = [
        f"{name}: {len(narrow(kernels))} filters of 1xn or nx1, square ones up to {largest_square(kernels)} px,"
        f" {reductions} reductions in parallel"
        for name, (kernels, reductions) in found.items()
    ]
    return Evidence("; ".join(figures), all(narrow(kernels) and reductions for kernels, reductions in found.values()))


def filters(name: str) -> list[tuple[int, int]]:
    return [conv.module.kernel_size for conv in traced.find(name).of(nn.Conv2d)]


def narrow(kernels: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [kernel for kernel in kernels if 1 in kernel and max(kernel) > 1]


def largest_square(kernels: list[tuple[int, int]]) -> int:
    return max(height for height, width in kernels if height == width)


def narrow_filters_cheaper() -> Evidence:
    """1 - 2/n of the weights are saved."""
    saved = {n: 1 - weights((1, n), (n, 1)) / weights(n) for n in (3, 5, 7)}
    figure = listed(f"{share:.0%} fewer weights than {n}x{n}" for n, share in saved.items())
    return Evidence(figure, all(window((1, n), (n, 1)) == window(n) and share > 0 for n, share in saved.items()))


def reduces_in_parallel() -> Evidence:
    """At the maps of Inception-v2's last reduction: what pooling first lets through, what widening first costs.

    The cost is of the same convolution on the larger map, so it is the ratio of the pixels.
    """
    net = traced.find("inception_v2")
    pool = net.of(nn.MaxPool2d)[-1]
    reduced = net.layers[net.layers.index(pool) + 1].inputs  # what the module behind it reads
    cost, passed = prod(pool.inputs[1:]) / prod(pool.outputs[1:]), prod(pool.outputs) / prod(reduced)
    figure = (
        f"from {pool.inputs[-1]} to {pool.outputs[-1]} px: pooling first passes {passed:.0%} of the numbers that come"
        f" out, widening first costs {cost:.1f} times as much; {net.reductions} reductions are in parallel"
    )
    return Evidence(figure, passed < 1 < cost and net.reductions > 0)


def v4_has_residuals() -> Evidence:
    found = {name: traced.find(name).additions for name in ("inception_v4", "inception_resnet_v2")}
    figure = "; ".join(f"{additions} residual additions in {name}" for name, additions in found.items())
    return Evidence(figure, found["inception_v4"] > 0)


MEASURES = {
    "inception-v3-factorises-and-reduces": factorises_and_reduces,
    "narrow-filters-cheaper": narrow_filters_cheaper,
    "grid-reduction-in-parallel": reduces_in_parallel,
    "inception-v4-has-residuals": v4_has_residuals,
}
