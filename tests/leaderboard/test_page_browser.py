"""The page in a browser, opened from disk as people do."""

import pytest
from axe_playwright_python.sync_playwright import Axe

import leaderboard
from leaderboard.page import write_page
from leaderboard.records import Sample
from tests.leaderboard.factory import make_preview, make_run, make_samples, make_still

FPS = 25
LONG = range(50)
GAPS = tuple(frame for frame in LONG if frame % 5 or frame == 0)  # frames that one model could be driven with
HOSTILE = "<img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"
ANGLES = [[float(yaw), float(pitch), 0.0] for pitch in (10, -10) for yaw in (-30, 0, 30)]

FIRST = 'section.board[data-task="same-id"][data-dataset="portraits"]:not(.reported)'  # the page's main board


def write_runs(root):
    """A board of four rows with pairs to play, one of somebody's frames, one of angles, one whose names are hostile."""
    quality = {"truth": 1.0, "fomm": 0.7, "osfv": 0.8, "broken": 0.1, "source-copy": 0.5}
    for i, (model, level) in enumerate(quality.items()):
        folder = root / model
        video_frames = GAPS if model == "fomm" else LONG
        previews = [make_preview(folder, 0, hue=40 * i, video_frames=video_frames)] if model != "broken" else []
        changes = {"stills": [make_still(folder, p, 1) for p in range(4)]} if model == "fomm" else {}
        lost = {"fomm": (1,), "broken": range(6)}.get(model, ())
        samples = make_samples(level, i, lost=lost)
        yield make_run(folder, model=model, samples=samples, previews=previews, changes=changes)
    yield make_run(root / "theirs", model="theirs", changes={"source": "predictions", "dataset.name": "faces"})
    turned = {"protocol.task": "redirection", "protocol.id": "redirection@1", "arguments": {"angles": ANGLES}}
    asked = [
        Sample("pair", "clip", "ann", frame, "l1", abs(yaw) / 100, "ok") for frame, (yaw, _, _) in enumerate(ANGLES)
    ]
    yield make_run(root / "turned", model="turner", samples=asked, changes=turned)
    named = dict.fromkeys(("model.preset", "dataset.name", "protocol.task", "model.licence"), HOSTILE)
    named["dataset.name"] = f"z{HOSTILE}"  # the last board
    samples = [Sample(HOSTILE, HOSTILE, HOSTILE, f, "l1", 0.1 * f, "ok") for f in range(3)]
    yield make_run(root / "hostile", model=HOSTILE, samples=samples, changes=named)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    root = tmp_path_factory.mktemp("page")
    with leaderboard.open(root / "board.duckdb") as store:
        for folder in write_runs(root / "runs"):
            store.ingest(folder)
        return write_page(store, root / "page").path.as_uri()


@pytest.fixture
def visit(chromium, built):
    """Open the page in a context of its own; what went wrong is gathered, and must be nothing at the end."""
    contexts, wrong = [], []

    def visit(width=1280, **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(60_000)  # on a busy machine, too
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: None if r.url.startswith(("file:", "data:")) else wrong.append(r.url))
        page.goto(built)
        return page

    yield visit
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture
def page(visit):
    return visit()


def ranked(page):
    return page.locator(FIRST + " tbody.ranked .name").all_inner_texts()


def visible(page, selector):
    return [e.get_attribute("id") for e in page.locator(selector).all() if e.is_visible()]


def board_of(page, task, dataset="portraits"):
    return page.locator(f'section.board[data-task="{task}"][data-dataset="{dataset}"]:not(.reported)')


def test_a_column_sorts_and_what_has_no_value_stays_last(page):
    assert ranked(page) == ["osfv", "fomm", "broken"]  # by l1, lowest first
    csim = page.locator(FIRST + " button.sort").nth(2)
    csim.click()
    assert ranked(page) == ["osfv", "fomm", "broken"]
    assert csim.locator("xpath=..").get_attribute("aria-sort") == "descending"
    csim.press("Enter")
    assert ranked(page) == ["fomm", "osfv", "broken"]  # broken has no csim
    assert csim.locator("xpath=..").get_attribute("aria-sort") == "ascending"
    assert page.locator(FIRST + " th[aria-sort]").count() == 1
    assert page.locator(FIRST + " tbody").first.locator(".name").inner_text() == "truth"


def test_filters_hide_what_does_not_match(page):
    everything = visible(page, "section.board")
    page.fill("#filter", "OSFV mi")
    assert ranked(page)[0] == "osfv"
    assert page.locator(FIRST + " tbody.ranked tr:visible").count() == 0  # the model's name alone is "osfv"
    page.fill("#filter", "osfv")
    assert page.locator(FIRST + " tbody.ranked tr:visible").count() == 1
    assert page.locator(FIRST + " .screen.model:visible").count() == 1
    assert page.locator(".reported tr[data-name]:visible .name").all_inner_texts()
    assert all(
        "osfv" in name.lower() for name in page.locator(".reported tr[data-name]:visible .name").all_inner_texts()
    )
    page.fill("#filter", "nobody has this name")
    assert page.locator("#nomatch").is_visible()
    page.fill("#filter", "")
    assert visible(page, "section.board") == everything
    page.select_option("#task", "redirection")
    shown = page.locator("section.board:visible")
    assert {board.get_attribute("data-task") for board in shown.all()} == {"redirection"}
    page.select_option("#task", "")
    page.select_option("#dataset", "faces")
    assert page.locator("section.board:visible").count() == 1
    page.select_option("#dataset", "")
    page.uncheck("input[value=measured]")
    page.uncheck("input[value=predictions]")
    assert {"board reported"} == {b.get_attribute("class") for b in page.locator("section.board:visible").all()}
    page.uncheck("#unverified")
    assert page.locator("tbody.unverified:visible").count() == 0
    assert page.locator("tbody.verified:visible").count() > 0


def test_colours_follow_the_system_or_the_choice(visit):
    def paper(page):
        return page.evaluate("getComputedStyle(document.documentElement).backgroundColor")

    light, dark = visit(color_scheme="light"), visit(color_scheme="dark")
    assert paper(light) != paper(dark)
    day, night = paper(light), paper(dark)
    light.click("#theme")
    light.click("#theme")
    assert light.locator("#theme").inner_text().endswith("dark")
    assert paper(light) == night
    light.reload()
    assert paper(light) == night
    dark.click("#theme")
    assert paper(dark) == day


def test_a_value_opens_what_to_cite_and_gives_the_focus_back(page):
    button = page.locator(FIRST + " tbody.ranked button.value").nth(2)
    button.focus()
    page.keyboard.press("Enter")
    card = page.locator("#card")
    card.wait_for(state="visible")
    assert page.locator("#card-signature").inner_text().startswith("csim|arcface-r50@1a2b3c4d|256px|")
    assert page.locator("#card-value").inner_text() == button.inner_text().split()[0]
    page.keyboard.press("Escape")
    assert not card.is_visible()
    assert button.evaluate("button => button === document.activeElement")


def test_persons_open_into_pairs_and_worst_frames_have_pictures(page):
    board = board_of(page, "same-id")
    behind = board.locator("details.behind")
    behind.locator("summary").click()
    behind.locator(".metric-of").select_option(label="csim ↑")
    behind.locator(".row-of").select_option(label="fomm mini")
    worst = behind.locator(".worst")
    worst.first.wait_for()
    assert worst.locator("b").all_inner_texts() == ["failed"] * 4
    assert worst.first.locator("img").count() == 4
    assert all(
        image.evaluate("i => i.decode().then(() => i.naturalWidth)") == 32 for image in worst.locator("img").all()
    )
    person = behind.locator("button.open", has_text="person-2")
    before = behind.locator(".people tr").count()
    person.press("Enter")
    assert person.get_attribute("aria-expanded") == "true"
    pair = behind.locator("tr.of-pair")
    assert pair.locator("th").inner_text() == "pair-2"
    row = person.locator("xpath=ancestor::tr")
    assert pair.locator("td").all_inner_texts() == row.locator("td").all_inner_texts()  # of one pair only
    person.press("Enter")
    assert behind.locator(".people tr").count() == before


WATCH = """player => {
  for (const video of player.querySelectorAll("video")) {
    const note = (_, {mediaTime}) => { video.shown = mediaTime; video.requestVideoFrameCallback(note); };
    video.requestVideoFrameCallback(note);
  }
}"""
AT = """([player, places]) => [...player.querySelectorAll("video")].every(
  (video, i) => !video.seeking && Math.round(video.shown * 25) === places[i])"""


def shows(page, player, frame):
    """Wait until every video of the player shows the frame, or the last one before that it has."""
    numbers = [[int(n) for n in v.get_attribute("data-frames").split()] for v in player.locator("video").all()]
    expected = [max(i for i, number in enumerate(of) if number <= frame) for of in numbers]
    page.wait_for_function(AT, arg=[player.element_handle(), expected])


def test_one_scrubber_moves_all_videos_to_the_same_frame(page):
    player = page.locator(FIRST + " .player").first
    player.evaluate(WATCH)
    assert player.locator("video").count() == 5
    scrubber = player.locator("input[type=range]")
    for frame in (31, 7, 49, 25):
        scrubber.fill(str(frame))
        assert player.locator("output").inner_text() == f"frame {frame}"
        shows(page, player, frame)
    scrubber.press("ArrowRight")
    shows(page, player, 26)
    player.locator(".step").first.click()
    shows(page, player, 25)
    assert scrubber.get_attribute("aria-valuetext") == "frame 25"


def test_playing_videos_stay_within_one_frame(page):
    player = page.locator(FIRST + " .player").first
    player.evaluate(WATCH)
    player.locator("select").select_option("0.5")
    player.locator(".play").click()
    page.wait_for_function("v => v.currentTime > 0.1", arg=player.locator("video").first.element_handle())
    apart = player.evaluate(
        """player => new Promise(resolve => {
          const videos = [...player.querySelectorAll("video")].filter(v => v.dataset.frames.split(" ").length === 50);
          const found = [];
          const look = () => {
            const times = videos.map(v => v.currentTime);
            found.push(Math.max(...times) - Math.min(...times));
            if (found.length < 60) requestAnimationFrame(look); else resolve(found);
          };
          look();
        })"""
    )
    assert max(apart) <= 1 / FPS
    assert player.locator("video").first.evaluate("v => v.currentTime") > 0.1
    player.locator(".play").click()
    frame = int(player.locator("input[type=range]").input_value())
    shows(page, player, frame)


def test_the_angles_of_redirection_are_curves(page):
    board = board_of(page, "redirection")
    charts = board.locator(".chart")
    assert charts.locator(".axis").all_inner_texts() == ["yaw asked for, degrees", "pitch asked for, degrees"]
    points = charts.first.locator("circle title").all_text_contents()
    assert [point.split(",")[0] for point in points] == ["-30°: 0.300", "+0°: 0.000", "+30°: 0.300"]
    assert len(charts.first.locator("polyline").get_attribute("points").split()) == 3


def test_hostile_names_are_text_everywhere(page):
    board = page.locator("section.board", has=page.locator("h3", has_text="onerror")).first
    board.locator("button.value").first.click()
    page.locator("#card").wait_for(state="visible")
    assert HOSTILE in page.locator("#card-row").inner_text()
    page.keyboard.press("Escape")
    board.locator("details.behind > summary").click()
    board.locator("button.open").click()
    assert HOSTILE in board.locator("tr.of-pair th").inner_text()
    for card in page.locator(".cardlet > summary").all():
        card.click()
    page.fill("#filter", "<img")
    assert board.is_visible()
    assert "owned" not in page.title().split("·")[0].strip()
    assert page.evaluate("document.querySelectorAll('img[src=x]').length") == 0
    assert page.evaluate("document.scripts.length") == page.evaluate(
        "[...document.scripts].filter(s => s.src.startsWith('file:')).length"
    )


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_it_is_accessible_and_fits_the_screen(visit, width, scheme):
    page = visit(width, color_scheme=scheme)
    for summary in page.locator(FIRST + " summary").all():
        summary.click()
    page.locator(FIRST + " .people tbody").first.wait_for()
    found = Axe().run(page, options={"preload": False}).response["violations"]
    assert [
        (v["id"], v["impact"], v["nodes"][0]["html"][:200]) for v in found if v["impact"] in ("serious", "critical")
    ] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_everything_can_be_reached_by_keyboard(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the tables"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "boards"
    player = page.locator(FIRST + " .player").first
    player.locator(".play").focus()
    for expected in ("Previous frame", "Next frame", "Frame"):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == expected


def test_without_scripts_the_tables_are_there(visit):
    page = visit(java_script_enabled=False)
    assert page.locator(FIRST + " tbody.ranked .name").all_inner_texts() == ["osfv", "fomm", "broken"]
    assert not page.locator("#tools").is_visible()
