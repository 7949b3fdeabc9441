from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from made_recipes import recipe, schedule

from ilsvrc_replay.nets import families
from ilsvrc_replay.packed.packed_data import Packed
from ilsvrc_replay.params import Study
from ilsvrc_replay.recipes.catalogue import complete, of_net, published
from ilsvrc_replay.recipes.resolve import resolve
from ilsvrc_replay.run import Recipe, Schedule
from ilsvrc_replay.training import fit
from ilsvrc_replay.training.module import Classifier
from ilsvrc_replay.training.schedule import rate


def test_every_published_recipe_is_valid_with_the_defaults() -> None:
    for values in [published()["modern"], *published()["era"].values()]:
        complete(values)


def test_the_defaults_name_every_key_of_a_recipe() -> None:
    Recipe.model_validate(published()["defaults"])


def test_an_entry_overrides_its_recipe_and_nothing_else(study: Callable[..., Study]) -> None:
    plain = resolve(study("alexnet", recipe="era"), "net").recipe
    changed = resolve(study("alexnet", recipe="era", lr=0.5, flip=False), "net").recipe
    assert (plain.lr, plain.momentum, plain.weight_decay, plain.batch_size) == (0.01, 0.9, 5e-4, 128)
    assert plain.pca_colour == 0.1
    assert changed == plain.model_copy(update={"lr": 0.5, "flip": False})


def test_an_override_with_the_default_value_still_overrides(study: Callable[..., Study]) -> None:
    assert resolve(study("alexnet", recipe="modern", flip=True), "net").recipe.flip is True


@pytest.mark.parametrize(
    ("schedule", "at", "expected"),
    [
        (schedule(kind="step", at=[0.5, 0.75], factor=0.1), [0, 0.49, 0.5, 0.75, 1], [1, 1, 0.1, 0.01, 0.01]),
        (schedule(kind="cosine"), [0, 0.5, 1], [1, 0.5, 0]),
        (schedule(kind="poly", power=0.5), [0, 0.75, 1], [1, 0.5, 0]),
        (schedule(kind="constant"), [0, 1], [1, 1]),
        (schedule(kind="cosine", warmup=0.2), [0, 0.1, 0.2, 0.6, 1], [0, 0.5, 1, 0.5, 0]),
    ],
)
def test_schedules(schedule: Schedule, at: list[float], expected: list[float]) -> None:
    assert [rate(schedule, progress) for progress in at] == pytest.approx(expected)


@pytest.mark.parametrize("patience", [1, 2, 3])
def test_a_rate_falls_on_plateaus_as_torch_lets_it_fall(patience: int) -> None:
    errors = (40 * 0.9 ** np.arange(60) + np.random.default_rng(0).normal(0, 2, 60)).round(1).tolist()
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, factor=0.5, patience=patience - 1, threshold=0, eps=0
    )
    plateau, rates = schedule(kind="plateau", factor=0.5, patience=patience), []
    for end in range(60):
        rates.append(optimizer.param_groups[0]["lr"])
        assert rate(plateau, end / 60, errors[:end]) == pytest.approx(rates[-1], rel=1e-9), end
        scheduler.step(errors[end])
    assert len(set(rates)) > 3


PAPERS = [  # epoch: rate, as the papers state them
    ("alexnet", {0: 0.01, 89: 1e-5}),
    ("vgg16", {0: 0.01, 73: 1e-5}),
    ("googlenet", {0: 0.01, 7.9: 0.01, 8: 0.0096, 16: 0.009216, 80: 0.01 * 0.96**10}),
    ("bn_inception", {0: 0.045, 1.4: 0.045 * 0.96, 8.1: 0.045 * 0.96**6}),
    ("inception_v3", {0: 0.045, 1.9: 0.045, 2: 0.0423, 4: 0.039762, 99: 0.045 * 0.94**49}),
    ("inception_v4", {0: 0.045, 2: 0.0423}),
    ("resnet50", {0: 0.1, 59: 0.1, 60: 0.01, 90: 0.001}),
    ("resnet110_cifar", {0: 0.1, 90: 0.1, 91: 0.01, 136.5: 0.001}),
    ("densenet121", {0: 0.1, 29.9: 0.1, 30.1: 0.01, 60.1: 0.001}),
    ("mobilenet_v2", {0: 0.045, 1.1: 0.045 * 0.98, 10.1: 0.045 * 0.98**10}),
]


@pytest.mark.parametrize(("architecture", "rates"), PAPERS, ids=[paper[0] for paper in PAPERS])
def test_the_eras_rates_are_the_papers(architecture: str, rates: dict[float, float]) -> None:
    recipe = complete(of_net("era", architecture))
    for epoch, expected in rates.items():
        assert recipe.lr * rate(recipe.schedule, epoch / recipe.epochs) == pytest.approx(expected, rel=1e-6), epoch


def test_every_net_of_the_history_has_a_recipe_of_its_era() -> None:
    assert all(of_net("era", name)["epochs"] >= 60 for name in families())
    assert of_net("era", "resnet20_cifar")["crop"]["kind"] == "pad"


def test_label_smoothing_is_cross_entropy_against_the_mixed_target() -> None:
    outputs = torch.randn(5, 10, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(5)
    module = Classifier(torch.nn.Identity(), recipe(label_smoothing=0.1), 1, 1, 0)
    target = torch.full((5, 10), 0.01).scatter(1, labels[:, None], 0.91)
    expected = -(target * outputs.log_softmax(1)).sum(1).mean()
    for loss in module.loss(outputs, labels):
        torch.testing.assert_close(loss, expected)


def test_the_auxiliary_losses_count_as_the_recipe_says(study: Callable[..., Study], packed: Packed) -> None:
    losses = []
    for weight in (None, 0.3, 0.0):
        job = fit.set_up(resolve(study("googlenet", auxiliary_weight=weight), "net"), 0, packed)
        job.module.net.train()
        torch.manual_seed(0)
        images, labels = next(iter(job.data.training))
        losses.append(job.module.loss(job.module.net(images), labels)[1].item())
    assert losses[0] == losses[1] > 1.3 * losses[2]
