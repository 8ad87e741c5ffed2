"""A browser for the tests of the page."""

import shutil
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

MISSING = "there is no chromium here: apt-get install chromium"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; tests that need it are skipped, and say so, where it is absent."""
    path = shutil.which("chromium")
    if path is None:
        print(f"NOTICE: tests of the page are skipped, {MISSING}", file=sys.__stderr__)
        pytest.skip(MISSING)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()
