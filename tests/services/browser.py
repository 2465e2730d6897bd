"""A real browser, headless Chromium, that runs no scripts.

Comes in: an installed chromium. Goes out: pages of it. Before: ``test_page``.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

_QUIET = (
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)


@contextmanager
def browsing(program: str, *, scheme: str = "light") -> Iterator[Page]:
    """A page of a fresh browser without scripts; it is gone afterwards."""
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=[*_QUIET, *sandbox], timeout=60_000
        )
        try:
            context = browser.new_context(
                java_script_enabled=False,
                viewport={"width": 1280, "height": 900},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            context.set_default_timeout(15_000)
            yield context.new_page()
        finally:
            browser.close()


def chromium() -> str | None:
    """The program; None where it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def pictures() -> Path | None:
    """Where screenshots are kept for people to look at; None: they are not."""
    named = os.environ.get("SENTINELS_TEST_PICTURES")
    return Path(named) if named else None
