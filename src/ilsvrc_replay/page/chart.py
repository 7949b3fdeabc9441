"""What the page knows of a chart, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

Spec = dict[str, Any]  # a Vega-Lite specification


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A section of the page with a chart, by one of the modules in page/charts/."""

    key: str  # the section's id; the names of its specifications begin with it
    heading: str
    intro: str | None = None
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
