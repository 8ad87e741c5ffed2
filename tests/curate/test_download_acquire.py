"""A list of videos, from a folder and from a server on this machine: every one of them has an outcome."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curate import video
from curate.download import acquire as module
from curate.download.acquire import acquire
from curate.download.failures import Failure
from curate.download.options import Clock, Options
from curate.download.outcome import Outcome, known
from curate.download.session import Session
from curate.lists.tube import Video
from tests.curate.made import stamped
from tests.curate.serving import Hands, Server, serving, status

OPTIONS = Options(timeout_s=1.0, free_bytes=0, margin_s=0.2)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    root = tmp_path_factory.mktemp("site")
    for index, name in enumerate(("one", "two", "three")):
        sound = np.zeros(48_000, np.float32)
        video.write_video(root / f"{name}.mp4", stamped(25 + index), 25, sound=(sound, 48_000))
    with serving(root) as server:
        yield server


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    """One session for all tests: its process takes a second to load."""
    hands = Hands()
    with Session(OPTIONS, clock=Clock(hands.now, hands.sleep)) as session:
        yield session


@pytest.fixture
def run(shared: Session, site: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`acquire` of names on the site (a name with a colon is id:path) into folders of the test's own."""

    @contextmanager
    def borrowed(options: Options, clock: Clock | None) -> Iterator[Session]:
        shared.options = options
        yield shared

    monkeypatch.setattr(module, "Session", lambda options, clock: borrowed(options, clock))
    site.rules.clear()
    site.counts.clear()

    def go(names: Sequence[str], options: Options = OPTIONS, **more: object) -> Iterator[Outcome]:
        listed = [name.partition(":") for name in names]
        videos = [Video(first, site.at(second or f"{first}.mp4")) for first, _, second in listed]
        facts = tmp_path / "facts"
        return acquire(
            videos,
            raw=tmp_path / "raw",
            facts=facts,
            options=options,
            known=known(facts),
            **more,  # type: ignore[arg-type]
        )

    return go


def test_files_of_the_folder_come_first_and_stay(run, site: Server, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "one.mp4").write_bytes((site.root / "one.mp4").read_bytes())
    (folder / "ch_0000.mp4").write_bytes(b"x")
    (folder / "ch_0001.mp4").write_bytes(b"x")
    outcomes = []
    for outcome in run(["one", "ch", "two"], folder=folder):
        assert all(piece.path.is_file() for piece in outcome.pieces)
        outcome.release()
        outcomes.append(outcome)
    assert [outcome.state for outcome in outcomes] == ["present", "present", "downloaded"]
    assert [piece.part for piece in outcomes[1].pieces] == [0, 1]
    assert outcomes[2].pieces[0].path == tmp_path / "raw" / "two.mp4"
    assert sorted(path.name for path in folder.iterdir()) == ["ch_0000.mp4", "ch_0001.mp4", "one.mp4"]
    assert not list((tmp_path / "raw").iterdir())  # used and gone
    assert site.counts.keys() == {"two.mp4"}


def test_offline_nothing_is_asked(run, site: Server, tmp_path: Path) -> None:
    outcomes = list(run(["one"], replace(OPTIONS, offline=True), folder=tmp_path))
    assert [(outcome.state, outcome.error_class) for outcome in outcomes] == [("waiting", "missing")]
    assert not site.counts


def test_what_is_known_is_kept_as_json_and_read_back(run, tmp_path: Path) -> None:
    (outcome,) = run(["one"])
    kept = json.loads((tmp_path / "facts" / "one.json").read_text())
    assert kept["state"] == "downloaded"
    assert kept["facts"]["title"] == "one"
    assert kept["facts"]["retrieved"].startswith("20")
    assert {"license", "uploader", "upload_date", "duration_s"} <= kept["facts"].keys()
    back = known(tmp_path / "facts")["one"]
    assert back == replace(outcome, pieces=())
    (tmp_path / "facts" / "bad.json").write_text('{"no": "outcome"}')
    assert known(tmp_path / "facts").keys() == {"one"}


def test_a_file_of_an_earlier_run_is_not_downloaded_again(run, site: Server, tmp_path: Path) -> None:
    (first,) = run(["one"])
    (again,) = run(["one"])
    assert (again.state, again.attempts, again.facts) == ("downloaded", 0, first.facts)
    assert site.counts["one.mp4"] == 2
    again.release()
    again.release()
    assert not first.pieces[0].path.exists()
    (kept,) = run(["two"], replace(OPTIONS, keep_raw=True))
    kept.release()
    assert kept.pieces[0].path.is_file()


def test_what_failed_for_good_is_asked_for_once(run, site: Server, tmp_path: Path) -> None:
    names = ["gone:gone.mp4", "busy:busy.mp4"]
    site.rules["busy.mp4"] = status(503)
    first = list(run(names))
    assert [(o.state, o.error_class) for o in first] == [
        ("unavailable", "dead"),
        ("waiting", "network"),
    ]
    assert all(outcome.reason for outcome in first)
    before = dict(site.counts)
    second = list(run(names))
    assert second[0] == first[0]
    assert site.counts["gone.mp4"] == before["gone.mp4"]
    assert site.counts["busy.mp4"] == 2 * before["busy.mp4"] == 2 * OPTIONS.attempts
    list(run(names[:1], replace(OPTIONS, retry_permanent=True)))
    assert site.counts["gone.mp4"] == before["gone.mp4"] + 1


def small(shared: Session, monkeypatch: pytest.MonkeyPatch, **said: object) -> None:
    """What the site says of every video from now on."""
    true = Session.probe

    def probe(self: Session, url: str, video_id: str):
        facts, tries = true(self, url, video_id)
        formats = tuple(replace(f, width=640, height=360, bitrate=500_000) for f in facts.formats)
        return replace(facts, formats=formats, **said), tries  # type: ignore[arg-type]

    monkeypatch.setattr(Session, "probe", probe)


def test_a_lower_bar_makes_good_what_was_too_small(
    run, site: Server, shared: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(shared, monkeypatch, license="Creative Commons Attribution license (reuse allowed)")
    high = replace(OPTIONS, min_res=512)
    (refused,) = run(["one"], high)
    assert (refused.state, refused.error_class) == ("unavailable", "no_format")
    assert refused.reason == "too small: best is 360 lines, 512 wanted"
    assert site.counts["one.mp4"] == 1  # facts, no bytes
    assert [outcome.state for outcome in run(["one"], high)] == ["unavailable"]
    assert site.counts["one.mp4"] == 1
    assert [outcome.state for outcome in run(["one"], replace(OPTIONS, min_res=256))] == ["downloaded"]
    (licensed,) = run(["two"], replace(OPTIONS, license="cc-by-nc"))
    assert (licensed.error_class, site.counts["two.mp4"]) == ("license", 1)
    assert [outcome.state for outcome in run(["two"], replace(OPTIONS, license="CC BY"))] == ["downloaded"]


def test_cookies_open_what_was_closed_without(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def probe(self: Session, url: str, video_id: str):
        asked.append(video_id)
        raise Failure("age", "Sign in to confirm your age")

    monkeypatch.setattr(Session, "probe", probe)
    (tmp_path / "raw" / "one.part").mkdir(parents=True)
    cookies = replace(OPTIONS, cookies=tmp_path / "cookies.txt")
    assert [outcome.state for outcome in run(["one"])] == ["unavailable"]
    assert not (tmp_path / "raw" / "one.part").exists()  # nobody will go on with it
    list(run(["one"]))
    assert len(asked) == 1
    list(run(["one"], cookies))
    assert len(asked) == 2
    list(run(["one"], cookies))
    assert len(asked) == 2


def test_bot_checks_in_a_row_stop_everything(run, site: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def probe(self: Session, url: str, video_id: str):
        asked.append(video_id)
        if video_id in ("b", "d", "e", "f"):
            raise Failure("bot_check", "Sign in to confirm you're not a bot")
        if video_id == "c":
            raise Failure("dead", "Video unavailable")
        raise AssertionError(video_id)

    monkeypatch.setattr(Session, "probe", probe)
    outcomes = list(run(list("bcdefgh")))
    assert asked == list("bcdef")  # c answered: only d, e and f are in a row
    assert [outcome.state for outcome in outcomes] == ["waiting", "unavailable", *["waiting"] * 5]
    assert "--cookies FILE" in outcomes[4].reason
    assert all(o.error_class == "bot_check" and "--cookies FILE" in o.reason for o in outcomes[5:])
    assert all(outcome.attempts == 0 for outcome in outcomes[5:])
    asked.clear()
    next(iter(run(["b"])))
    assert asked == ["b"]  # waiting is no failure: the next run asks


def test_room_is_waited_for_and_too_little_stops(run, site: Server, tmp_path: Path, monkeypatch) -> None:
    size = (site.root / "one.mp4").stat().st_size
    monkeypatch.setattr("curate.download.budget._UNKNOWN", size)
    outcomes = run(["one", "two", "three"], replace(OPTIONS, raw_bytes=int(2.5 * size)))
    first, second = next(outcomes), next(outcomes)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == {"one.mp4", "two.mp4"}
    threading.Timer(0.3, first.release).start()
    third = next(outcomes)  # comes when there is room
    assert not first.pieces[0].path.exists()
    assert {second.state, third.state} == {"downloaded"}
    second.release()
    third.release()
    lacking = list(run(["one", "two"], replace(OPTIONS, free_bytes=10**18)))
    assert [(o.state, o.error_class) for o in lacking] == [("waiting", "disk")] * 2
    assert "GB are free" in lacking[0].reason
    assert "make room" in lacking[1].reason


def test_sections_are_downloaded_and_found_again(
    run, site: Server, shared: Session, monkeypatch, tmp_path: Path
) -> None:
    small(shared, monkeypatch, duration_s=60.0)
    wanted = {"one": [(0.4, 0.6)]}
    (outcome,) = run(["one"], sections=wanted)
    (piece,) = outcome.pieces
    assert (piece.path.name, piece.offset_s, piece.end_s) == ("one.200-800.mp4", 0.2, 0.8)
    assert known(tmp_path / "facts")["one"].sections == ((0.2, 0.8),)
    before = site.counts["one.mp4"]
    (again,) = run(["one"], sections=wanted)
    assert again.pieces == outcome.pieces
    assert site.counts["one.mp4"] == before


def test_a_file_in_the_way_of_the_folder_says_so(run, tmp_path: Path) -> None:
    (tmp_path / "raw").write_text("not a folder")
    outcomes = list(run(["one", "two"]))
    assert [(o.state, o.error_class) for o in outcomes] == [("waiting", "disk")] * 2
    assert "raw" in outcomes[0].reason


def test_ids_never_lead_out_of_the_folder(run, site: Server, tmp_path: Path) -> None:
    for outcome in run(["../../evil:one.mp4", "-dash:two.mp4", "a'b\n:three.mp4"]):
        assert outcome.state == "downloaded"
        assert outcome.pieces[0].path.parent == tmp_path / "raw"
    assert {path.name for path in tmp_path.iterdir()} == {"raw", "facts"}
    assert all(path.is_file() for path in (tmp_path / "facts").iterdir())


def test_without_address_and_file_it_says_so(tmp_path: Path) -> None:
    listed = [Video("nowhere", None)]
    (outcome,) = acquire(listed, raw=tmp_path / "raw", facts=tmp_path / "facts", options=OPTIONS)
    assert (outcome.state, outcome.error_class, outcome.reason) == (
        "unavailable",
        "missing",
        "neither a file nor an address",
    )


def test_requests_keep_their_distance(site: Server, tmp_path: Path) -> None:
    def slept(seed: int) -> list[float]:
        hands = Hands()
        start = hands.now()
        frozen = Clock(lambda: start + sum(hands.slept), hands.sleep)
        with Session(replace(OPTIONS, seed=seed, pause_s=4.0), clock=frozen) as session:
            for _ in range(6):
                session._pause()
        return hands.slept

    pauses = slept(1)
    assert len(pauses) == 5  # none before the first
    assert all(2.0 <= pause <= 6.0 for pause in pauses)
    assert len(set(pauses)) == 5
    assert slept(1) == pytest.approx(pauses)
    assert slept(2) != pytest.approx(pauses)


def test_every_kind_of_error_that_stops_says_how_to_go_on() -> None:
    from curate.download.failures import POLICIES

    assert {kind for kind, policy in POLICIES.items() if not policy.of_video} == module._GO_ON.keys()
