"""A headless Chromium without a network, that looks at pages as files."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


class Sight:
    """An open page with all that it asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.page, self.requests, self.complaints = page, [], []
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def open(self, file: Path) -> Page:
        self.page.goto(file.as_uri())
        return self.page


def chromium() -> str:
    """The browser's path; skips the test where there is none, but on CI."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        message = "no Chromium: install Debian's `chromium` to test the pages"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    return found


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@contextmanager
def window(browser: Browser, width: int = 1280, offline: bool = True, **options: object) -> Iterator[Sight]:
    """A window of `width` px, without a network; playwright's options for a context pass through."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=offline, **options)
    context.set_default_timeout(120_000)  # ms: on a busy machine
    yield Sight(context.new_page())
    context.close()
