from __future__ import annotations

from ilsvrc_replay.nets import families
from ilsvrc_replay.papers.published import in_prose, published


def test_every_architecture_has_its_published_record_and_no_other_net_has() -> None:
    assert set(published()) == set(families())


def test_every_published_figure_names_its_table() -> None:
    for name, record in published().items():
        for part in (record.headline, record.single, record.stated):
            assert part is None or part.table, name


def test_the_famous_line_is_there() -> None:
    line = [published()[name].headline.top5_err for name in ("alexnet", "zfnet", "vgg19", "googlenet", "resnet152")]
    assert line == [16.4, 11.7, 7.3, 6.7, 3.6]
    assert "not the paper's" in published()["zfnet"].headline.of


def test_nets_stand_in_order_of_year() -> None:
    years = [record.year for record in published().values()]
    assert years == sorted(years)


def test_prose_calls_a_net_by_its_name() -> None:
    assert in_prose("resnet50", "resnet50") == "ResNet-50"
    assert in_prose("googlenet-no-auxiliaries", "googlenet") == "GoogLeNet (no auxiliaries)"
    assert in_prose("mine", "resnet50") == "mine"
    assert in_prose("convnext", "timm/convnext_atto") == "convnext"
    assert in_prose("pair", None) == "pair"
