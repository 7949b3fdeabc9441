"""What the page knows of a chart, whichever it is, and what every chart is drawn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from markupsafe import Markup

from ilsvrc_replay.leaderboard.board import Row
from ilsvrc_replay.page import columns
from ilsvrc_replay.params import Study

Spec = dict[str, Any]  # a Vega-Lite specification


class Results(NamedTuple):
    """A study with its board, the content of leaderboard.json, and the training curves of all its runs."""

    study: Study
    board: dict[str, Any]
    curves: list[Row]

    @property
    def rows(self) -> list[Row]:
        return self.board["rows"]

    @property
    def protocol(self) -> str:
        """The protocol that the page opens with; "" stands for all of them."""
        return columns.protocols(self.study, self.rows)[0][0]

    @property
    def classes(self) -> int:
        """How many classes the data set has: of K, guessing has the error 1 - 1/K."""
        return round(100 / (100 - self.board["baseline"]["chance_top1_err"]))

    @property
    def by_protocol(self) -> Markup:
        """For captions of charts that show one protocol at a time: a sentence that names it."""
        if len(columns.column_of(self.rows, "protocol")) == 1:
            return Markup()
        return Markup('<span class="of-protocol"> By the protocol <b data-protocol-name></b>.</span>')


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A section of the page with a chart, by one of the modules in page/charts/."""

    key: str  # the section's id and its word in the page's navigation; the names of its specifications begin with it
    heading: str
    intro: Markup | None = None
    specs: Mapping[str, Spec]  # by option of the section's switch, the first one shown; "" for a chart without a switch
    legend: str = ""  # of the switch
    options: Mapping[str, str] = field(default_factory=dict)  # their titles
    notes: Mapping[str, str] = field(default_factory=dict)  # on the options, under the chart
    label: str  # for screen readers; {panel} stands for the name of a panel
    panels: tuple[str, ...] = ()  # values of the specification's parameter `entry`: it is drawn small for each of them
    caption: Markup
    below: str = ""  # a template in page/ for what stands under the chart
    figures: Mapping[str, Spec]  # what becomes a file, by its name

    @property
    def named_specs(self) -> dict[str, Spec]:
        return {f"{self.key}-{option}" if option else self.key: spec for option, spec in self.specs.items()}
