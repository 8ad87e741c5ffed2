import json
import re
from html.parser import HTMLParser

import pytest

import leaderboard
from curate.errors import UserError
from leaderboard.media import LARGEST, Media
from leaderboard.page import write_page
from leaderboard.page_players import FRAMES
from tests.leaderboard.factory import make_preview, make_run, make_samples, make_still

HOSTILE = [
    "<script>alert(1)</script>",
    "\"onload='alert(1)'",
    "'; DROP TABLE runs;--",
    "../../etc/passwd",
    "\u202egnp.exe\u202c",
    "</script><img src=x onerror=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "A" * 10_000,
]


class Parsed(HTMLParser):
    """Tags with their attributes, and visible text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.inside = [], "", None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside is None:
            self.text += data

    def values(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


def data_of(page, name):
    """What a script beside the page says."""
    text = (page.path.parent / "data" / f"{name}.js").read_text(encoding="utf-8")
    assert "<" not in text
    stated, data = re.fullmatch(r'arrive\("(\w+)",(.*)\);\n', text).groups()
    assert stated == name
    return json.loads(data)


@pytest.fixture
def build(tmp_path):
    """Ingest run folders and build their page."""

    def build(*folders, out="page"):
        with leaderboard.open(tmp_path / "board.duckdb") as store:
            for folder in folders:
                store.ingest(folder)
            page = write_page(store, tmp_path / out)
        return page, Parsed(page.path.read_text(encoding="utf-8"))

    return build


@pytest.fixture
def usual(tmp_path):
    """Two models and the two calibration rows, with previews."""
    folders = []
    for i, (model, quality) in enumerate({"truth": 1.0, "fomm": 0.7, "osfv": 0.8, "source-copy": 0.5}.items()):
        folder = tmp_path / "runs" / model
        previews = [make_preview(folder, pair, hue=50 * i, video_frames=range(6)) for pair in range(2)]
        lost = (1,) if model == "fomm" else ()
        changes = {"stills": [make_still(folder, 3, 1)]} if model == "fomm" else {}
        samples = make_samples(quality, i, lost=lost)
        folders.append(make_run(folder, model=model, samples=samples, previews=previews, changes=changes))
    return folders


FILES = (
    r"#[\w-]+|media/[0-9a-f]{20}\.(jpg|png|mp4)|(standings|reported)\.(csv|json)|data/board-\d+\.csv"
    r"|page\.(js|css)|data:,"
)


def test_nothing_on_the_page_is_fetched_from_elsewhere(build, usual):
    page, html = build(*usual)
    for name in ("href", "src", "srcset", "action", "data", "poster", "xlink:href", "formaction"):
        for tag, attributes in html.tags:
            if value := attributes.get(name, ""):
                of_paper = (
                    tag == "a" and attributes.get("rel") == "noopener noreferrer" and value.startswith("https://")
                )
                assert of_paper or re.fullmatch(FILES, value), value
    for path in page.path.parent.glob("page.*"):
        raw = path.read_text(encoding="utf-8")
        assert "http:" not in raw
        assert "https:" not in raw
        assert "url(" not in raw
        assert "@import" not in raw


def test_the_policy_allows_files_beside_the_page_alone(build, usual):
    _, html = build(*usual)
    policy = next(a["content"] for t, a in html.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    assert "http" not in policy
    assert [a["src"] for t, a in html.tags if t == "script"] == ["page.js"]
    assert [a["href"] for t, a in html.tags if a.get("rel") == "stylesheet"] == ["page.css"]
    assert not [name for _, attributes in html.tags for name in attributes if name.startswith("on") or name == "style"]


def test_anchors_lead_somewhere_and_ids_are_unique(build, usual):
    _, html = build(*usual)
    ids = html.values("id")
    assert len(set(ids)) == len(ids)
    assert {href[1:] for href in html.values("href") if href.startswith("#")} <= set(ids)
    for name in ("aria-labelledby", "for"):
        assert set(html.values(name)) <= set(ids)


def test_failures_and_best_are_told_in_text(build, usual):
    _, html = build(*usual)
    assert "4 failed of 24 samples: no face found (4)" in html.text
    assert "20 · 4 failed" in re.sub(r"\s+", " ", html.text.replace("\xa0", " "))
    best = [i for i, (tag, a) in enumerate(html.tags) if tag == "td" and a.get("class") == "best"]
    assert len(best) == 3
    groups = [a["class"] for t, a in html.tags if t == "tbody" and a.get("class") in ("ranked", "calibration")]
    assert groups == ["calibration", "ranked", "calibration"]


def test_cards_carry_what_to_cite(build, usual):
    page, _ = build(*usual)
    board = data_of(page, "b0")
    assert [row["model"] for row in board["rows"]] == ["truth", "osfv", "fomm", "source-copy"]
    assert board["columns"][2]["signature"].startswith("csim|arcface-r50@1a2b3c4d|")
    assert re.fullmatch(r"0\.\d{3}", board["rows"][2]["cells"][2]["value"])


def test_pairs_show_source_driving_and_each_row(build, usual, tmp_path):
    page, html = build(*usual)
    assert page.warnings == ()
    images = [a for t, a in html.tags if t == "img"]
    assert len(images) == 2 * (1 + 3 * (1 + 4))  # pairs x (source + frames x (driving + rows))
    assert all(image["alt"] for image in images)
    videos = [a for t, a in html.tags if t == "video"]
    assert len(videos) == 2 * (1 + 4)
    assert all(video["data-frames"] == "0 1 2 3 4 5" for video in videos)
    worst = [frame for _, frames in data_of(page, "b0c2")["worst"] for frame in frames]
    shown = {frame[side] for frame in worst for side in ("source", "driving", "output", "truth") if side in frame}
    shown |= {a["src"] for a in images} | {a["src"] for a in videos}
    stored = {f"media/{path.name}" for path in (tmp_path / "page" / "media").iterdir()}
    assert shown <= stored
    contents = {path.read_bytes() for folder in usual for path in (folder / "previews").iterdir()}
    assert len(stored) == len(contents)  # equal files are stored once


def test_worst_frames_come_with_their_pictures(build, usual):
    page, _ = build(*usual)
    data = data_of(page, "b0c2")  # csim, of which fomm failed at frame 1 of all pairs
    rows = [row["model"] for row in data_of(page, "b0")["rows"]]
    worst = dict(data["worst"])[rows.index("fomm")]
    assert [(frame["pair"], frame["frame"], frame["value"]) for frame in worst] == [
        (f"pair-{i}", 1, None) for i in range(4)
    ]
    assert [side for side in ("source", "driving", "output", "truth") if side in worst[3]] == [
        "source",
        "driving",
        "output",
        "truth",
    ]
    assert "output" not in worst[0]


def test_the_same_store_gives_the_same_page(build, usual, tmp_path):
    build(*usual)
    build(*reversed(usual), out="again")
    names = {str(path.relative_to(tmp_path / "page")) for path in (tmp_path / "page").rglob("*") if path.is_file()}
    assert names == {str(p.relative_to(tmp_path / "again")) for p in (tmp_path / "again").rglob("*") if p.is_file()}
    assert "data/b0c0.js" in names
    for name in names:
        assert (tmp_path / "page" / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_shown_as_text(build, tmp_path, name):
    samples = [s.__class__(**{**vars(s), "pair_id": name, "person": name}) for s in make_samples(persons=1)]
    for sample in samples[:6]:
        object.__setattr__(sample, "value", None)
        object.__setattr__(sample, "status", "failed")
        object.__setattr__(sample, "error", name)
    folder = tmp_path / "run"
    preview = make_preview(folder).model_copy(update={"pair_id": name, "source_clip": name, "driving_clip": name})
    fields = ("run_id", "suite", "model.preset", "model.licence", "model.paper", "model.checkpoint", "dataset.name")
    fields += ("protocol.id", "protocol.task", "dataset.fingerprint", "git_sha")
    changes = dict.fromkeys(fields, name) | {
        "command": [name],
        "machine": {name: name},
        "metrics": [
            {"id": metric, "unit": name, "higher_is_better": True, "description": name, "evaluators": []}
            for metric in ("l1", "psnr", "csim")
        ],
    }
    usual = build(make_run(tmp_path / "plain", previews=[make_preview(tmp_path / "plain")]))[1]
    page, html = build(make_run(folder, model=name, samples=samples, previews=[preview], changes=changes), out="second")
    assert page.warnings == ()
    assert {tag for tag, _ in html.tags} - {tag for tag, _ in usual.tags} <= {"sup", "ol", "small", "em", "i"}
    assert {n for _, a in html.tags for n in a} <= {n for _, a in usual.tags for n in a}
    shown = name.replace("\u202e", "\\u202e").replace("\u202c", "\\u202c")
    assert shown[:60].strip() in html.text
    boards = [data_of(page, f"b{i}") for i in range(2)]
    (row,) = [row for board in boards for row in board["rows"] if row["model"] == shown]
    assert row["licence"] == shown
    files = [path for path in page.path.parent.rglob("*") if path.suffix in (".html", ".js")]
    assert not [path for path in files if "\u202e" in path.read_text(encoding="utf-8")]
    assert page.path.stat().st_size < 500_000


def test_what_lies_outside_the_run_folder_is_left_out(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"\xff\xd8\xff secret")
    (run / "link.jpg").symlink_to(secret)
    (run / "text.jpg").write_text("no image")
    (run / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(LARGEST[".jpg"]))
    (run / "good.png").write_bytes(b"\x89PNG\r\n\x1a\n rest")
    (run / "good.mp4").write_bytes(b"\0\0\0\x20ftypisom" + bytes(LARGEST[".jpg"]))
    (run / "folder.jpg").mkdir()
    media = Media(tmp_path / "page" / "media")
    names = ["../secret.jpg", str(secret), "link.jpg", "text.jpg", "large.jpg", "folder.jpg", "absent.jpg", "a\0b"]
    assert [media.add(run, name) for name in names] == [None] * len(names)
    assert len(media.warnings) == len(names)
    assert not media.folder.exists()
    copied = media.add(run, "good.png")
    assert (tmp_path / "page" / copied).read_bytes() == b"\x89PNG\r\n\x1a\n rest"
    assert media.add(run, "good.mp4").endswith(".mp4")


def test_a_vanished_run_folder_costs_its_pictures_alone(build, usual, tmp_path):
    build(*usual)
    usual[1].rename(tmp_path / "gone")
    page, html = build(out="later")
    assert [w for w in page.warnings if "'fomm'" in w] == list(page.warnings)
    assert len(page.warnings) == 1
    assert "not stored" in html.text
    assert "fomm" in html.text


def test_long_clips_show_few_frames(build, tmp_path):
    folder = tmp_path / "run"
    _, html = build(make_run(folder, previews=[make_preview(folder, frames=range(0, 60, 2))]))
    numbers = [int(n) for n in re.findall(r"frame (\d+)", html.text)]
    assert 1 < len(numbers) <= FRAMES
    assert numbers == sorted(numbers)


def test_an_empty_leaderboard_has_a_page(build):
    _, html = build()
    assert "No runs yet." in html.text
    assert "osfv-2021" in html.text  # what papers report is there from the beginning


def test_sources_stand_apart(build, usual, tmp_path):
    other = make_run(tmp_path / "theirs", model="theirs", changes={"source": "predictions"})
    _, html = build(*usual, other)
    groups = [a["data-source"] for t, a in html.tags if t == "section" and "data-source" in a]
    assert groups == ["measured", "predictions", "reported"]
    unverified = [a for t, a in html.tags if t == "tbody" and a.get("class") == "unverified"]
    assert unverified
    assert "never ranked" in html.text
    reported = html.text[html.text.index("Numbers as papers print them") :]
    assert "(best)" not in reported


def test_boards_that_do_not_fit_have_a_page_of_their_own(build, tmp_path, monkeypatch):
    folders = [
        make_run(tmp_path / f"run{i}", model=f"model-{i}", changes={"dataset.name": f"data-{i // 3}"}) for i in range(9)
    ]
    whole, _ = build(*folders)
    size = whole.path.stat().st_size
    monkeypatch.setattr("leaderboard.page.BUDGET", size - 5000)
    page, html = build(out="small")
    assert page.path.stat().st_size <= size - 5000
    own = [href for href in html.values("href") if re.fullmatch(r"board-\d\.html", href)]
    assert len(own) == 1
    alone = Parsed((page.path.parent / own[0]).read_text(encoding="utf-8"))
    assert len([a for t, a in alone.tags if t == "td" and "data-value" in a]) == 9
    leads = {href for href in alone.values("href") if href.startswith("index.html#")}
    assert {href.removeprefix("index.html#") for href in leads} <= set(html.values("id"))


def test_long_boards_show_their_best_and_files_have_all(build, tmp_path, monkeypatch):
    monkeypatch.setattr("leaderboard.page.RANKED", 2)
    names = {"bad": 0.4, "good": 0.8, "best": 0.9, "truth": 1.0}
    folders = [make_run(tmp_path / name, model=name, samples=make_samples(q)) for name, q in names.items()]
    page, html = build(*folders)
    rows = [row["model"] for row in data_of(page, "b0")["rows"]]
    assert rows == ["truth", "best", "good"]
    assert "The best 2 of 3 models" in html.text
    assert "\nmeasured" in (page.path.parent / "data" / "board-1.csv").read_text()
    assert "bad" in (page.path.parent / "data" / "board-1.csv").read_text()


def test_rows_of_one_name_are_told_apart_by_their_weights(build, tmp_path):
    folders = [make_run(tmp_path / h, changes={"model.weights_sha256": h * 32}) for h in ("ab", "cd")]
    page, html = build(*folders)
    assert {row["name"] for row in data_of(page, "b0")["rows"]} == {"fomm mini @abababa", "fomm mini @cdcdcdc"}
    assert "@cdcdcdc" in html.text


def test_a_page_about_curation_is_copied_and_linked(tmp_path):
    report = tmp_path / "clips" / "report"
    (report / "pictures").mkdir(parents=True)
    for name in ("index.html", "report.json", "pictures/a.jpg"):
        (report / name).write_text(name)
    with leaderboard.open(tmp_path / "board.duckdb") as store:
        page = write_page(store, tmp_path / "page", [report])
        with pytest.raises(UserError, match="curate report"):
            write_page(store, tmp_path / "page", [tmp_path])
    html = Parsed(page.path.read_text(encoding="utf-8"))
    assert "curation-1/index.html" in html.values("href")
    assert (tmp_path / "page" / "curation-1" / "pictures" / "a.jpg").read_text() == "pictures/a.jpg"
