"""The documentation as a site: it builds without a warning, its links lead somewhere, and it fetches nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote

import pytest
from clone import ROOT

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built by the extra `docs`, which is installed into a folder of its own if it is not there."""
    paths, folder = [str(ROOT / "src")], tmp_path_factory.mktemp("site")
    if not all(map(find_spec, ("material", "mkdocstrings"))):
        extra = str(tmp_path_factory.mktemp("extra"))
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", extra, "-c", ROOT / "requirements.lock"]
        subprocess.run([*pip, *project["optional-dependencies"]["docs"]], check=True)
        paths.append(extra)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "NO_MKDOCS_2_WARNING": "1"}
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(build, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


class Page(HTMLParser):
    """The links of a page, what it fetches, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.anchors = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.anchors |= {values.get("id", "")}
        for key in {"href", "src"} & values.keys():
            (self.links if tag == "a" else self.fetched).append(values[key])


def test_it_fetches_nothing(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html") if "results" not in path.parts}
    assert len(pages) > 20
    outside = [address for page in pages.values() for address in page.fetched if re.match(r"(https?:)?//", address)]
    assert outside == []
    styles = " ".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*|@import[^;]*", styles) == []


def test_its_links_lead_somewhere(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    missing = []
    for path, page in pages.items():
        for address in [*page.links, *page.fetched]:
            if re.match(r"[a-z]+:", address) or path.name == "404.html":  # which is served at any address
                continue
            file, _, anchor = address.partition("#")
            target = (path.parent / unquote(file)).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (target in pages and unquote(anchor) not in pages[target].anchors):
                missing.append(f"{path.relative_to(site)}: {address}")
    assert missing == []


def test_the_references_are_in_it(site: Path) -> None:
    folder = site / "reference"
    assert 'id="replay-compare"' in (folder / "commands.html").read_text(encoding="utf-8")
    assert "label_smoothing" in (folder / "params.html").read_text(encoding="utf-8")
    assert 'id="ilsvrc_replay.tools.api.build"' in (folder / "python.html").read_text(encoding="utf-8")
