"""The charts of the page, one a module, with all that the page says of it.

To add a chart, write a module with `chart(results: Results) -> Chart | None`, None for a study that has nothing to
draw, and add it to CHARTS.
"""

from ilsvrc_replay.page.charts import (
    change_by_claim,
    change_by_step,
    error_by_cost,
    error_by_part,
    error_by_rate,
    error_by_recipe,
    error_by_year,
    training_curves,
)

CHARTS = (
    error_by_year,
    change_by_step,
    error_by_recipe,
    error_by_part,
    error_by_cost,
    error_by_rate,
    training_curves,
    change_by_claim,
)  # in the page's order
