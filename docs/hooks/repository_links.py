"""Files of the repository outside docs/ to which a page links go with the site, under repository/.

So a link has the same target on the code host, where it is a path in the repository, and in the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS, COPIED = "docs/", "repository/"
LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)")  # the path of a link or picture, without its anchor


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what pages link to, and what those pages link to in turn."""
    waiting = [file.src_uri for file in files.documentation_pages()]
    waiting += [uri for uri in in_navigation(config.nav) if uri.startswith(COPIED)]
    while waiting:
        uri = waiting.pop()
        if uri not in files.src_uris:
            files.append(File.generated(config, uri, abs_src_path=str(ROOT / source(uri))))
        if uri.endswith(".md"):
            text = (ROOT / source(uri)).read_text(encoding="utf-8")
            linked = {place(target(uri, path)) for path in LINK.findall(text)}
            waiting += [other for other in linked - files.src_uris.keys() if (ROOT / source(other)).is_file()]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links by the files' places in the site."""
    uri = page.file.src_uri
    folder = posixpath.dirname(uri) or "."
    return LINK.sub(lambda link: posixpath.relpath(place(target(uri, link[1])), folder), markdown)


def in_navigation(nav: object) -> list[str]:
    """The files that the navigation names."""
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav or ()
    return [uri for part in parts for uri in in_navigation(part)]


def source(uri: str) -> str:
    """The path in the repository of a file of the site."""
    return uri.removeprefix(COPIED) if uri.startswith(COPIED) else DOCS + uri


def place(path: str) -> str:
    """The file of the site for a path in the repository."""
    return path.removeprefix(DOCS) if path.startswith(DOCS) else COPIED + path


def target(uri: str, path: str) -> str:
    """The path in the repository to which `path` leads from a file of the site."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(source(uri)), path))
