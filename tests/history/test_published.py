from __future__ import annotations

from ilsvrc_replay.architectures.registry import architectures
from ilsvrc_replay.history.published import published


def test_every_architecture_has_its_published_figures_of_the_same_year() -> None:
    for name, (_, architecture) in architectures().items():
        record = published()[name]
        assert record.year == architecture.year
        assert record.headline.table
        assert record.single.table
        assert record.single.protocol


def test_the_famous_line_is_there() -> None:
    line = [published()[name].headline.top5_err for name in ("alexnet", "zfnet", "vgg16", "googlenet", "resnet50")]
    assert line == [16.4, 11.7, 7.3, 6.7, 3.6]
    assert "not the paper's" in published()["zfnet"].headline.of
