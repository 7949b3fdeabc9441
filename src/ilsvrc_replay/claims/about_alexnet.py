"""Measures of the claims about AlexNet and ZFNet."""

from __future__ import annotations

from torch import nn

from ilsvrc_replay.claims import traced
from ilsvrc_replay.papers.evidence import Evidence, listed


def eight_layers() -> Evidence:
    net = traced.find("alexnet")
    convs, linears = len(net.of(nn.Conv2d)), len(net.of(nn.Linear))
    figure = f"{net.depth} layers: {convs} convolutions, {linears} fully connected"
    return Evidence(figure, (net.depth, convs, linears) == (8, 5, 3))


def reads_224_px() -> Evidence:
    """Holds if 224 px lead to the paper's map; exactly, if the filters fit them without padding and without a rest."""
    conv = traced.find("alexnet").of(nn.Conv2d)[0]
    kernel, stride, side = conv.module.kernel_size[0], conv.module.stride[0], conv.inputs[-1]
    steps = (side - kernel) / stride + 1
    fitting = (conv.outputs[-1] - 1) * stride + kernel
    figure = f"({side} - {kernel}) / {stride} + 1 = {steps:g}; the map of {conv.outputs[-1]} px needs {fitting} px"
    return Evidence(figure, side == 224 and conv.outputs[-1] == 55, steps.is_integer())


def first_map() -> Evidence:
    """Holds if the layer makes these maps and 1.5 px are what they need; exactly, if it is built with that padding."""
    conv = traced.find("alexnet").of(nn.Conv2d)[0]
    kernel, stride, padding = conv.module.kernel_size[0], conv.module.stride[0], conv.module.padding[0]
    needed = ((conv.outputs[-1] - 1) * stride + kernel - conv.inputs[-1]) / 2
    maps, side, _ = conv.outputs
    figure = f"{maps} maps of {side} x {side} need {needed:g} px of padding, the layer has {padding} px"
    return Evidence(figure, (kernel, stride, maps, side, needed) == (11, 4, 96, 55, 1.5), padding == needed)


def pools_before_it_normalises() -> Evidence:
    order = traced.find("alexnet").order(6)
    return Evidence(f"its first layers are {order}", order == "conv - pool - norm - conv - pool - norm")


def layer_normalisation() -> Evidence:
    layers = traced.find("alexnet").of(*traced.NORMALISATIONS)
    figure = f"it normalises by {listed(sorted({str(layer.module) for layer in layers}))}"
    return Evidence(figure, bool(layers) and all(isinstance(layer.module, nn.LayerNorm) for layer in layers))


def large_filters_first() -> Evidence:
    sides = [conv.module.kernel_size[0] for conv in traced.find("alexnet").of(nn.Conv2d)]
    return Evidence(f"filters of {listed(sides)} px", sides[:2] == [11, 5] and all(side < 5 for side in sides[2:]))


def widths() -> Evidence:
    """Holds if the counts of filters are these; exactly, if each filter also sees all maps of the layer before."""
    net = traced.find("alexnet")
    convs = net.of(nn.Conv2d)[1:2] + net.of(nn.Conv2d)[3:5]
    counts, depths = [conv.outputs[0] for conv in convs], [conv.module.weight.shape[1] for conv in convs]
    whole = net.parameters + sum(conv.module.weight.numel() * (conv.module.groups - 1) for conv in net.of(nn.Conv2d))
    figure = (
        f"{listed(counts)} filters that see {listed(depths)} maps;"
        f" {net.parameters:,} parameters, {whole:,} if they saw all"
    )
    return Evidence(figure, counts == [256, 384, 256], depths == [conv.inputs[0] for conv in convs])


def last_pool_reads_384_maps() -> Evidence:
    pool = traced.find("alexnet").of(nn.MaxPool2d)[-1]
    shapes = [" x ".join(map(str, shape)) for shape in (pool.inputs, pool.outputs)]
    return Evidence(f"it reads {shapes[0]} and gives {shapes[1]}", pool.inputs == (384, 13, 13))


def fully_connected() -> Evidence:
    outputs = [linear.outputs[0] for linear in traced.find("alexnet").of(nn.Linear)]
    return Evidence(f"{listed(outputs)} outputs", outputs == [4096, 4096, 1000])


def recipe() -> Evidence:
    found = traced.recipe("alexnet")
    built = [layer.module.p for layer in traced.find("alexnet").of(nn.Dropout)]
    dropout = built if found.dropout is None else [found.dropout] * len(built)
    steps = found.schedule.at if found.schedule.kind == "step" else []
    values = (found.batch_size, found.momentum, found.lr, found.schedule.factor, found.weight_decay)
    figure = (
        f"batches of {found.batch_size}, momentum {found.momentum}, rate {found.lr} times {found.schedule.factor} at"
        f" {len(steps)} steps, weight decay {found.weight_decay}, dropout {listed(dropout)}"
    )
    return Evidence(figure, values == (128, 0.9, 0.01, 0.1, 5e-4) and bool(steps) and dropout == [0.5, 0.5])


def large_filters_cost() -> Evidence:
    """Holds if a filter over 3 px has the most multiply-adds of all layers; exactly, if one has the most parameters."""
    layers = traced.find("alexnet").of(nn.Conv2d, nn.Linear)
    large = [layer for layer in layers if isinstance(layer.module, nn.Conv2d) and max(layer.module.kernel_size) > 3]
    slowest, biggest = max(layers, key=lambda layer: layer.macs), max(layers, key=lambda layer: layer.parameters)
    macs = sum(layer.macs for layer in large) / sum(layer.macs for layer in layers)
    parameters = sum(layer.parameters for layer in large) / sum(layer.parameters for layer in layers)
    figure = (
        f"the large filters have {macs:.1%} of the multiply-adds and {parameters:.1%} of the parameters;"
        f" {short(slowest)} has the most multiply-adds, {short(biggest)} the most parameters"
    )
    return Evidence(figure, slowest in large, biggest in large)


def zfnet_differs_in_hyper_parameters() -> Evidence:
    """Holds if both have the same kinds of layers with as many outputs; exactly, if also the same order and groups."""
    old, new = traced.find("alexnet"), traced.find("zfnet")
    kinds = [[(type(x.module), x.outputs[0]) for x in net.of(nn.Conv2d, nn.Linear)] for net in (old, new)]
    convs = list(zip(old.of(nn.Conv2d), new.of(nn.Conv2d), strict=False))
    strides = [short(b) for a, b in convs if filters(a) != filters(b)]
    groups = [short(b) for a, b in convs if a.module.groups != b.module.groups]
    figure = (
        f"other filters or strides in {listed(strides)}, other groups in {listed(groups)}, begins with {new.order(3)};"
        f" {new.macs / 1e9:.3f} G multiply-adds against {old.macs / 1e9:.3f} G"
    )
    same_order = [type(layer.module) for layer in old.layers] == [type(layer.module) for layer in new.layers]
    return Evidence(figure, old.depth == new.depth == 8 and kinds[0] == kinds[1], not groups and same_order)


def filters(conv: traced.TracedLayer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return conv.module.kernel_size, conv.module.stride


def short(layer: traced.TracedLayer) -> str:
    return layer.name.split(".")[-1]


MEASURES = {
    "alexnet-8-layers": eight_layers,
    "alexnet-reads-224-px": reads_224_px,
    "alexnet-first-map": first_map,
    "alexnet-pools-before-it-normalises": pools_before_it_normalises,
    "alexnet-layer-normalisation": layer_normalisation,
    "alexnet-large-filters-first": large_filters_first,
    "alexnet-widths": widths,
    "alexnet-last-pool-reads-384-maps": last_pool_reads_384_maps,
    "alexnet-fully-connected": fully_connected,
    "alexnet-recipe": recipe,
    "large-filters-cost": large_filters_cost,
    "zfnet-differs-in-hyper-parameters": zfnet_differs_in_hyper_parameters,
}
