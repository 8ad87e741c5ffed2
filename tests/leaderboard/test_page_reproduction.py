"""Published beside measured on the page: the rows that `leaderboard reproduction` prints, whatever the names are."""

import pytest
from axe_playwright_python.sync_playwright import Axe

import leaderboard
from leaderboard.page import write_page
from leaderboard.reproduction import reproduction
from tests.leaderboard.factory import make_run, make_samples

HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>\u202eback"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A page with a measured run of a published question, whose names are hostile as far as they can be."""
    root = tmp_path_factory.mktemp("again")
    named = {"dataset.name": f"TalkingHead-1KH {HOSTILE}", "suite": "paper", "model.preset": HOSTILE}
    with leaderboard.open(root / "board.duckdb") as store:
        store.ingest(make_run(root / "run", model="osfv", samples=make_samples(0.8), changes=named))
        return write_page(store, root / "page").path, reproduction(store)


def test_the_page_has_what_the_command_prints(written, chromium):
    path, matches = written
    wrong = []
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)  # on a busy machine, too
    page = context.new_page()
    page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(path.as_uri())
    rows = page.locator("#reproduced tbody tr")
    assert rows.count() == len(matches) > 0
    first, match = rows.first.inner_text(), matches[0]
    for part in (match.model, match.metric, match.paper, f"{match.published:.4g}", f"{match.measured:.4g}"):
        assert part in first
    assert f"{match.gap:+.4g}" in first
    assert ("unverified" in first) == (not match.verified)
    assert HOSTILE[:40] in first
    assert "\u202e" not in page.content()
    page.locator("#reproduction ~ details summary").first.click()
    note = int(rows.first.locator("td").last.inner_text())
    differs = page.locator("#reproduction ~ details").first.locator("li").nth(note - 1).inner_text()
    assert match.reasons[0][:40] in differs
    assert page.title() == "Talking-head leaderboard"
    assert page.locator("img[src=x]").count() == 0
    found = Axe().run(page, context="#reported", options={"preload": False}).response["violations"]
    assert [(v["id"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")] == []
    assert wrong == []
    context.close()


def test_a_page_without_matches_has_no_such_section(tmp_path):
    with leaderboard.open(tmp_path / "board.duckdb") as store:
        store.ingest(make_run(tmp_path / "run", samples=make_samples(0.8)))
        html = write_page(store, tmp_path / "page").path.read_text(encoding="utf-8")
    assert 'id="reproduc' not in html
    assert "papers report" in html
