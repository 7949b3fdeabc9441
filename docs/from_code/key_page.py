"""docs/reference/params.md: a table of keys for each part of params.yaml, made from the schema."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from ilsvrc_replay import params, run
from ilsvrc_replay.datasets import Dataset, names
from ilsvrc_replay.evaluation.protocols import PROTOCOLS
from ilsvrc_replay.recipes.catalogue import published

HEAD = """# params.yaml

A study is one file, `params.yaml`. Every key is checked before anything runs; a wrong one is refused, with the nearest
valid one. The files of `pipelines/studies/` are complete examples, such as
[quick.yaml](../../pipelines/studies/quick.yaml), the default study."""
# Values that a check in code allows, which a schema cannot show.
VALUES = {"name": names(), "protocols": PROTOCOLS}
TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "object": "keys and values",
}
BOUNDS = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
SEARCHED = "For {}, a list can stand in place of a number: [the pipeline then chooses](../how-to/search-a-rate.md)."


def page() -> str:
    return "\n\n".join([HEAD, *sections(), ""])


def sections() -> Iterator[str]:
    recipe = published()["defaults"]
    yield "## The study\n\n" + table(params.Study)
    yield "## dataset\n\n" + table(Dataset)
    yield "## compute\n\n" + table(run.Compute)
    yield "## evaluation\n\n" + table(params.Evaluation)
    yield "### evaluation.ensembles\n\n" + table(params.EnsembleParams)
    yield "## tuning\n\n" + table(params.Tuning)
    yield "## defaults, entries\n\nWhat an entry gives takes the place of the defaults. Both take these keys:"
    yield table(params.Defaults, without=run.Recipe)
    yield "An entry alone takes these:"
    yield table(params.Entry, without=params.Defaults)
    yield "### Values of a recipe\n\nBoth take these, too, in place of the recipe's own:"
    yield table(run.Recipe, recipe)
    yield SEARCHED.format(", ".join(f"`{key}`" for key in params.SEARCHABLE))
    yield "#### schedule\n\n" + table(run.Schedule, recipe["schedule"])
    yield "#### crop\n\n" + table(run.Crop, recipe["crop"])


def table(
    model: type[BaseModel], defaults: Mapping[str, Any] | None = None, without: type[BaseModel] | None = None
) -> str:
    """The keys of a model; `defaults` are what a recipe leaves out, where the schema itself has none."""
    schema, left_out = model.model_json_schema(), without.model_fields if without else ()
    rows = []
    for key, field in schema["properties"].items():
        if key not in left_out:
            values = either(VALUES[key]) if key in VALUES else value(field)
            meaning = html.escape(field["description"], quote=False)
            rows.append(f"| `{key}` | {values} | {default(field, (defaults or {}).get(key))} | {meaning} |")
    return "\n".join(["| key | value | default | meaning |", "|---|---|---|---|", *rows])


def value(field: Mapping[str, Any]) -> str:
    """What may stand there, from its JSON schema."""
    if "$ref" in field:
        return TYPES["object"]
    if options := field.get("anyOf"):
        return " or ".join(map(value, options))
    if "enum" in field:
        return either(field["enum"])
    if field["type"] == "array":
        of, count = value(field["items"]), field.get("maxItems")  # 2, of all that have one
        return f"pair of: {of}" if count else f"list of: {of}"
    bounds = [f"{sign} {field[bound]}" for bound, sign in BOUNDS.items() if bound in field]
    return " ".join([TYPES[field["type"]], *([", ".join(bounds)] if bounds else [])])


def either(options: Sequence[Any]) -> str:
    return ", ".join(f"`{option}`" for option in options)


def default(field: Mapping[str, Any], of_recipes: Any) -> str:
    found = field.get("default", of_recipes)
    if isinstance(found, Mapping):
        return "see below" if found else "none"
    if found is None and "default" not in field and "anyOf" not in field:
        return "" if of_recipes is None else str(of_recipes)
    return f"`{json.dumps(found)}`"
