"""Measures of the claims about GoogLeNet."""

from __future__ import annotations

from torch import nn

from ilsvrc_replay.claims import traced
from ilsvrc_replay.nets.googlenet import Inception
from ilsvrc_replay.papers.evidence import Evidence, times_as_many


def has_depth(claimed: int) -> Evidence:
    found = traced.find("googlenet").depth
    return Evidence(f"{found} layers with weights on the longest way", found == claimed)


def nineteen_layers() -> Evidence:
    return has_depth(19)


def twenty_two_layers() -> Evidence:
    return has_depth(22)


def several_filter_sizes() -> Evidence:
    modules = inception_modules()
    mixed = [name for name, module in modules.items() if sizes(module) == {1, 3, 5, "pool"}]
    figure = f"{len(mixed)} of {len(modules)} modules have 1x1, 3x3 and 5x5 filters and pooling side by side"
    return Evidence(figure, bool(modules) and len(mixed) == len(modules))


def inception_modules() -> dict[str, Inception]:
    return {name: m for name, m in traced.find("googlenet").module.named_modules() if isinstance(m, Inception)}


def sizes(module: nn.Module) -> set[int | str]:
    """What the branches of `module` are: the largest filter of each, or "pool"."""
    return {
        "pool"
        if any(isinstance(layer, nn.MaxPool2d) for layer in branch.modules())
        else max(layer.kernel_size[0] for layer in branch.modules() if isinstance(layer, nn.Conv2d))
        for branch in module.children()
    }


def reductions_save() -> Evidence:
    """Holds from 3 to 4 times over all modules."""
    costs = [cost(name, module) for name, module in inception_modules().items()]
    if not costs:
        return Evidence("no Inception modules are left", None)
    naive, reduced = map(sum, zip(*costs, strict=True))
    ratios = [before / after for before, after in costs]
    figure = (
        f"{naive / reduced:.2f} times over all modules, {min(ratios):.1f} to {max(ratios):.1f} in one:"
        f" {naive / 1e9:.2f} G multiply-adds against {reduced / 1e9:.2f} G"
    )
    return Evidence(figure, 3 <= naive / reduced <= 4)


def cost(name: str, module: nn.Module) -> tuple[int, int]:
    """Multiply-adds of a module without its 1x1 reductions (figure 2a: the pooled map is passed on as it is), and with.

    Without them, the last convolution of a branch reads all maps that the module is given.
    """
    naive = reduced = 0
    for branch, layers in module.named_children():
        convs = [conv for conv in traced.find("googlenet").of(nn.Conv2d) if conv.name.startswith(f"{name}.{branch}.")]
        reduced += sum(conv.macs for conv in convs)
        if not any(isinstance(layer, nn.MaxPool2d) for layer in layers.modules()):
            naive += convs[-1].macs * convs[0].inputs[0] // convs[-1].inputs[0]
    return naive, reduced


def stem() -> Evidence:
    order = traced.find("googlenet").order(7)
    return Evidence(order, order == "conv - pool - norm - conv - conv - norm - pool")


def twelve_times_fewer() -> Evidence:
    return times_as_many(traced.find("alexnet").parameters, traced.find("googlenet").parameters, 12)


def twenty_seven_times_fewer() -> Evidence:
    return times_as_many(traced.find("vgg16").parameters, traced.find("googlenet").parameters, 27)


MEASURES = {
    "googlenet-19-layers": nineteen_layers,
    "googlenet-22-layers": twenty_two_layers,
    "inception-several-filter-sizes": several_filter_sizes,
    "reductions-save-3-to-4-times": reductions_save,
    "googlenet-stem": stem,
    "googlenet-12-times-fewer-parameters": twelve_times_fewer,
    "googlenet-27-times-fewer-parameters": twenty_seven_times_fewer,
}
