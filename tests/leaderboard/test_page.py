import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

import leaderboard
from leaderboard.media import FRAMES, LARGEST, Media
from leaderboard.page import write_page
from tests.leaderboard.factory import make_preview, make_run, make_samples

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
    """Tags with their attributes, visible text, and the text of each script."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.scripts, self.inside = [], "", [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag if tag in ("script", "style") else None
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside is None:
            self.text += data

    def values(self, name):
        return [attributes[name] for _, attributes in self.tags if name in attributes]


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
        previews = [make_preview(folder, pair, hue=50 * i) for pair in range(2)]
        lost = (1,) if model == "fomm" else ()
        folders.append(make_run(folder, model=model, samples=make_samples(quality, i, lost=lost), previews=previews))
    return folders


def test_nothing_on_the_page_is_fetched_from_elsewhere(build, usual):
    page, html = build(*usual)
    for name in ("href", "src", "srcset", "action", "data", "poster", "xlink:href", "formaction"):
        for value in html.values(name):
            assert re.fullmatch(r"#[\w-]+|media/[0-9a-f]{20}\.(jpg|png)|standings\.(csv|json)|data:,", value), value
    raw = page.path.read_text(encoding="utf-8")
    assert "http:" not in raw
    assert "https:" not in raw
    assert "url(" not in raw
    assert "@import" not in raw


def test_the_policy_allows_the_pages_own_script_alone(build, usual):
    _, html = build(*usual)
    policy = next(a["content"] for t, a in html.tags if a.get("http-equiv") == "Content-Security-Policy")
    data, script = html.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert not [name for _, attributes in html.tags for name in attributes if name.startswith("on")]
    assert len(json.loads(data)) == 1


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
    groups = [a["class"] for t, a in html.tags if t == "tbody" and "class" in a]
    assert groups == ["calibration", "ranked", "calibration"]


def test_cards_carry_what_to_cite(build, usual):
    _, html = build(*usual)
    (board,) = json.loads(html.scripts[0])
    assert [row["model"] for row in board["rows"]] == ["truth", "osfv", "fomm", "source-copy"]
    assert board["columns"][2]["signature"].startswith("csim|arcface-r50@1a2b3c4d|")
    assert re.fullmatch(r"0\.\d{3}", board["rows"][2]["cells"][2]["value"])


def test_strips_show_source_driving_and_each_row(build, usual, tmp_path):
    page, html = build(*usual)
    assert page.warnings == ()
    images = [a for t, a in html.tags if t == "img"]
    assert len(images) == 2 * (1 + 3 * (1 + 4))  # pairs x (source + frames x (driving + rows))
    assert all(image["alt"] for image in images)
    assert all((tmp_path / "page" / image["src"]).is_file() for image in images)
    stored = list((tmp_path / "page" / "media").iterdir())
    assert {f"media/{path.name}" for path in stored} == {image["src"] for image in images}
    contents = {path.read_bytes() for folder in usual for path in (folder / "previews").iterdir()}
    assert len(stored) == len(contents)  # equal frames are stored once


def test_the_same_store_gives_the_same_page(build, usual, tmp_path):
    build(*usual)
    build(*reversed(usual), out="again")
    for name in ("index.html", "standings.csv", "standings.json"):
        assert (tmp_path / "page" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


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
    fields += ("protocol.id", "protocol.task", "dataset.fingerprint")
    changes = dict.fromkeys(fields, name) | {
        "metrics": [
            {"id": metric, "unit": name, "higher_is_better": True, "description": name, "evaluators": []}
            for metric in ("l1", "psnr", "csim")
        ]
    }
    usual = build(make_run(tmp_path / "plain", previews=[make_preview(tmp_path / "plain")]))[1]
    page, html = build(make_run(folder, model=name, samples=samples, previews=[preview], changes=changes), out="second")
    assert page.warnings == ()
    assert {tag for tag, _ in html.tags} == {tag for tag, _ in usual.tags} | {
        "nav",
        "b",
        "li",
        "ol",
        "sup",
        "small",
        "em",
    }
    assert {n for _, a in html.tags for n in a} <= {n for _, a in usual.tags for n in a}
    shown = name.replace("\u202e", "\\u202e").replace("\u202c", "\\u202c")
    assert shown[:60].strip() in html.text
    assert len(html.scripts) == 2
    card = json.loads(html.scripts[0])[
        [row["model"] for b in json.loads(html.scripts[0]) for row in b["rows"]].index(shown)
    ]
    assert card["rows"][0]["licence"] == shown
    assert "\u202e" not in page.path.read_text(encoding="utf-8")


def test_previews_outside_the_run_folder_are_left_out(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    secret = tmp_path / "secret.jpg"
    secret.write_bytes(b"\xff\xd8\xff secret")
    (run / "link.jpg").symlink_to(secret)
    (run / "text.jpg").write_text("no image")
    (run / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(LARGEST))
    (run / "good.png").write_bytes(b"\x89PNG\r\n\x1a\n rest")
    (run / "folder.jpg").mkdir()
    media = Media(tmp_path / "page" / "media")
    names = ["../secret.jpg", str(secret), "link.jpg", "text.jpg", "large.jpg", "folder.jpg", "absent.jpg", "a\0b"]
    assert [media.add(run, name) for name in names] == [None] * len(names)
    assert len(media.warnings) == len(names)
    assert not media.folder.exists()
    copied = media.add(run, "good.png")
    assert (tmp_path / "page" / copied).read_bytes() == b"\x89PNG\r\n\x1a\n rest"


def test_a_vanished_run_folder_costs_its_frames_alone(build, usual, tmp_path):
    build(*usual)
    usual[1].rename(tmp_path / "gone")
    page, html = build(out="later")
    assert any("'fomm' is left out" in warning for warning in page.warnings)
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
