"""Optimisers, averages and clipping against their formulas, computed here in another way."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from made_recipes import recipe, schedule
from pytorch_lightning import Callback
from torch import nn

from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.module import Classifier
from ilsvrc_replay.training.optimizers import Average, make_optimizer

KINDS = {"sgd": torch.optim.SGD, "nesterov": torch.optim.SGD, "adamw": torch.optim.AdamW}


@pytest.mark.parametrize("name", KINDS)
def test_the_recipe_names_its_optimiser(name: str) -> None:
    optimizer = make_optimizer(recipe(optimizer=name, lr=0.3, weight_decay=0.2, momentum=0.7), nn.Linear(2, 2))
    (group,) = optimizer.param_groups
    assert type(optimizer) is KINDS[name]
    assert (group["lr"], group["weight_decay"]) == (0.3, 0.2)
    assert group["betas" if name == "adamw" else "momentum"] in (0.7, (0.7, 0.99))
    assert group.get("nesterov", False) == (name == "nesterov")


def test_rmsprop_is_tensorflows() -> None:
    """tf.train.RMSPropOptimizer(decay=0.9, momentum=0.9, epsilon=1.0): ms starts at 1, then
    ms = 0.9 ms + 0.1 g^2; mom = 0.9 mom + lr g / sqrt(ms + 1); w = w - mom, with a rate that falls on the way."""
    rng = np.random.default_rng(0)
    net = nn.Linear(5, 1, bias=False).double()
    optimizer = make_optimizer(recipe(optimizer="rmsprop", lr=0.045, momentum=0.9), net)
    weights = net.weight.detach().numpy().copy()
    mean_square, momentum = np.ones_like(weights), np.zeros_like(weights)
    for step in range(20):
        rate = 0.045 * 0.94 ** (step // 4)
        gradient = rng.normal(size=weights.shape)
        mean_square = 0.9 * mean_square + 0.1 * gradient**2
        momentum = 0.9 * momentum + rate * gradient / np.sqrt(mean_square + 1.0)
        weights -= momentum
        net.weight.grad = torch.from_numpy(gradient)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    np.testing.assert_allclose(net.weight.detach().numpy(), weights, rtol=1e-12)


def walk(net: nn.Module, step: int) -> np.ndarray:
    with torch.no_grad():
        net.weight.copy_(torch.randn(net.weight.shape, generator=torch.Generator().manual_seed(step)))
    return net.weight.detach().numpy().copy()


def test_the_moving_average_is_tensorflows() -> None:
    """decay = min(0.9999, (1 + n) / (10 + n)); average = decay average + (1 - decay) weights."""
    net = nn.Linear(3, 2)
    average, expected = Average(net, "ema"), None
    for step in range(50):
        weights = walk(net, step)
        decay = min(0.9999, (1 + step) / (10 + step))
        expected = weights if expected is None else decay * expected + (1 - decay) * weights
        average.update(net)
    np.testing.assert_allclose(average.module.weight.detach().numpy(), expected, rtol=1e-5)


def test_polyaks_average_is_the_mean() -> None:
    net = nn.Linear(3, 2)
    average, walked = Average(net, "polyak"), []
    for step in range(30):
        walked.append(walk(net, step))
        average.update(net)
    np.testing.assert_allclose(average.module.weight.detach().numpy(), np.mean(walked, axis=0), rtol=1e-4, atol=1e-6)


def test_averages_take_the_statistics_of_batch_normalisation_along() -> None:
    net = nn.BatchNorm2d(2)
    average = Average(net, "polyak")
    for step in range(2):
        net.running_mean.fill_(step)
        net.num_batches_tracked.fill_(step + 1)
        average.update(net)
    assert average.module.running_mean.tolist() == [0.5, 0.5]
    assert average.module.num_batches_tracked.item() == 2


def test_the_average_is_what_a_run_keeps(study: Callable[..., Study], packed: Packed) -> None:
    job = fit.set_up(resolve(study("resnet50", epochs=0.2, average="polyak"), "net"), 0, packed)
    kept, last = fit.run(job), job.module.net
    assert job.module.average.updates == job.module.steps - job.module.steps // 2
    assert not torch.equal(kept.fc.weight, last.fc.weight)
    assert not kept.training


@pytest.mark.parametrize("limit", [0.5, None])
def test_the_whole_gradient_is_clipped_to_its_norm(
    limit: float | None, study: Callable[..., Study], packed: Packed
) -> None:
    """One step of plain SGD moves all weights together by rate * min(norm of the gradient, limit)."""
    plain = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "schedule": schedule(kind="constant")}
    job = fit.set_up(resolve(study("alexnet", epochs=0.1, lr=1e-3, clip=limit, **plain), "net"), 0, packed)
    before = [parameter.detach().clone() for parameter in job.module.net.parameters()]
    images, labels = next(iter(job.data.training))
    nn.functional.cross_entropy(job.module.net.train()(images), labels).backward()
    norm = torch.cat([parameter.grad.flatten() for parameter in job.module.net.parameters()]).norm().item()
    job.module.net.zero_grad()
    moved = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer: object, pl_module: Classifier, *_: object) -> None:
            steps = [(now - then).flatten() for now, then in zip(pl_module.net.parameters(), before, strict=True)]
            moved.append(torch.cat(steps).norm().item())

    fit.run(job, [Watch()])
    assert limit is None or norm > 2 * limit
    assert moved[0] == pytest.approx(1e-3 * (limit or norm), rel=1e-3)
