"""What draws charts in a browser without a network: Vega, Vega-Lite and Vega-Embed in one script.

DVC's own plots load them from the net; `plots.html_template` in .dvc/config names the page made here instead.
"""

from __future__ import annotations

from pathlib import Path

import vl_convert

from ilsvrc_replay import files

SCRIPT, PLOTS = "vega.js", "plots.html"


def write(folder: Path) -> None:
    """Write the script, and DVC's page with the script in it, to `folder`."""
    script = inline(vl_convert.javascript_bundle())
    style = (Path(__file__).with_name("plots.css")).read_text(encoding="utf-8")
    files.write_text(folder / SCRIPT, script)
    files.write_text(folder / PLOTS, plots_page(script, style))


def inline(script: str) -> str:
    """The script such that it can stand inside a page: no text in it ends the element."""
    return script.replace("</script", r"<\/script").replace("<!--", r"<\!--")


def plots_page(script: str, style: str) -> str:
    """DVC's plots page; it fills in `{plot_divs}` and `{refresh_tag}`."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{{refresh_tag}}
<title>ILSVRC Replay: plots</title>
<style>
{style}</style>
<script>
{script}
</script>
</head>
<body>
<h1>Plots</h1>
{{plot_divs}}
</body>
</html>
"""
