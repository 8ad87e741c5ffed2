"""Downloads through yt-dlp itself, from a server on this machine that fails in every way that servers fail."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curate import video
from curate.download.agent import ffmpeg_path
from curate.download.failures import Failure
from curate.download.options import Clock, Options
from curate.download.session import Downloaded, Session
from tests.curate.made import read_stamp, stamped
from tests.curate.serving import Hands, Rule, Served, Server, cut, page, serving, slow, status

OPTIONS = Options(timeout_s=1.0, stall_s=4.0, slow_s=3.0, min_rate=2000, free_bytes=0, margin_s=0.0)
FPS, FRAMES = 25, 250


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a video of ten seconds: as a file, as DASH and as HLS with the sound apart."""
    root = tmp_path_factory.mktemp("site")
    tone = np.sin(np.arange(FRAMES // FPS * 48_000) / 20).astype(np.float32) * 0.2
    video.write_video(root / "a.mp4", stamped(FRAMES), FPS, sound=(tone, 48_000))
    ffmpeg = [str(ffmpeg_path()), "-v", "error", "-i", str(root / "a.mp4"), "-c", "copy"]
    subprocess.run([*ffmpeg, "-f", "dash", "-seg_duration", "2", str(root / "d.mpd")], check=True)
    split = ["-map", "0:v", "-map", "0:a", "-var_stream_map", "v:0,agroup:s a:0,agroup:s"]
    names = ["-master_pl_name", "h.m3u8", "-hls_time", "2", "-hls_playlist_type", "vod", str(root / "h%v.m3u8")]
    subprocess.run([*ffmpeg, *split, "-f", "hls", *names], check=True)
    with serving(root) as server:
        yield server


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    hands = Hands()
    with Session(OPTIONS, clock=Clock(hands.now, hands.sleep)) as shared:
        shared.hands = hands  # type: ignore[attr-defined]
        yield shared


@pytest.fixture
def slept(session: Session) -> list[float]:
    """Pauses and waits of this test."""
    session.hands.slept.clear()  # type: ignore[attr-defined]
    return session.hands.slept  # type: ignore[attr-defined, no-any-return]


def name_of(site: Server, rule: Rule | None = None, ranges: bool = True) -> str:
    """The video under a name of its own, so that a rule and its counts hold for one test."""
    name = f"copy{len(list(site.root.glob('copy*')))}.mp4"
    os.link(site.root / "a.mp4", site.root / name)
    site.ranges = ranges
    if rule is not None:
        site.rules[name] = rule
    return name


def get(session: Session, url: str, raw: Path, **spans: object) -> Downloaded:
    raw.mkdir(exist_ok=True)
    facts, _ = session.probe(url, "video")
    return session.fetch(facts, raw, **spans)  # type: ignore[arg-type]


@contextmanager
def asked_for(session: Session, **changed: object) -> Iterator[None]:
    """Other options for a while."""
    session.options = session._agent._options = replace(OPTIONS, **changed)  # type: ignore[arg-type]
    try:
        yield
    finally:
        session.options = session._agent._options = OPTIONS


def failure(session: Session, url: str, raw: Path) -> Failure:
    with pytest.raises(Failure) as caught:
        get(session, url, raw)
    assert not [path for path in raw.iterdir() if path.is_file()], "nothing has the name of a whole file"
    return caught.value


def test_facts_first_and_then_the_same_bytes(site: Server, session: Session, tmp_path: Path) -> None:
    name = name_of(site)
    facts, tries = session.probe(site.at(name), "video")
    assert (facts.site, facts.title, tries) == ("generic", name[:-4], 1)
    assert facts.retrieved.endswith("+00:00")
    done = session.fetch(facts, tmp_path)
    assert site.counts[name] == 2  # one look and one download: no second look
    (piece,) = done.pieces
    assert (piece.path.name, piece.offset_s, done.attempts) == ("video.mp4", 0.0, 1)
    assert piece.path.read_bytes() == (site.root / "a.mp4").read_bytes()
    assert done.bytes == piece.path.stat().st_size
    assert [path.name for path in tmp_path.iterdir()] == ["video.mp4"]


@pytest.mark.parametrize("manifest", ["d.mpd", "h.m3u8"])
def test_picture_and_sound_that_lie_apart_are_merged(
    manifest: str, site: Server, session: Session, tmp_path: Path
) -> None:
    done = get(session, site.at(manifest), tmp_path)
    assert "+" in done.format_id
    (piece,) = done.pieces
    info = video.info(piece.path)
    assert info.has_audio
    assert info.audio_end_s - info.audio_start_s == pytest.approx(FRAMES / FPS, abs=0.1)
    assert [read_stamp(frame.rgb()) for frame in video.frames(piece.path)] == list(range(FRAMES))
    assert [path.name for path in tmp_path.iterdir()] == [piece.path.name]


def test_a_hole_in_a_stream_is_no_video(site: Server, session: Session, tmp_path: Path) -> None:
    segment = sorted(path.name for path in site.root.glob("chunk-stream0-*3.m4s"))[0]
    site.rules[segment] = status(404)
    try:
        assert failure(session, site.at("d.mpd"), tmp_path).error_class in ("network", "dead")
    finally:
        del site.rules[segment]
    assert get(session, site.at("d.mpd"), tmp_path).bytes > 0


@pytest.mark.parametrize("source", ["a.mp4", "d.mpd"])
def test_sections_are_cut_where_they_say(source: str, site: Server, session: Session, tmp_path: Path) -> None:
    facts, _ = session.probe(site.at(source), "video")
    facts = replace(facts, duration_s=40.0)  # so that the sections are a small part of it
    with asked_for(session, margin_s=0.2):
        done = session.fetch(facts, tmp_path, [(1.4, 2.0), (7.0, 7.1)])
    assert len(done.pieces) == 1  # near enough to be one
    (piece,) = done.pieces
    assert (piece.offset_s, piece.end_s) == (pytest.approx(1.2), pytest.approx(7.3))
    frames = [frame for frame in video.frames(piece.path) if piece.offset_s + frame.time_s < 7.3]
    numbers = [read_stamp(frame.rgb()) for frame in frames]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert numbers[0] <= 1.4 * FPS
    assert numbers[-1] >= 7.1 * FPS
    for frame, number in zip(frames, numbers, strict=True):
        assert piece.offset_s + frame.time_s == pytest.approx(number / FPS, abs=0.5 / FPS)
    assert video.info(piece.path).has_audio


def test_a_broken_download_goes_on_where_it_broke(site: Server, session: Session, tmp_path: Path) -> None:
    name = name_of(site, cut(5000, times=1))
    done = get(session, site.at(name), tmp_path)
    ranges = [asked for path, asked in site.requests if path == name]
    assert [asked for asked in ranges if asked] == ["bytes=3072-"]  # whole blocks of yt-dlp's
    assert done.pieces[0].path.read_bytes() == (site.root / "a.mp4").read_bytes()
    assert done.attempts == 2


def test_a_server_without_ranges_is_asked_for_all_of_it_again(site: Server, session: Session, tmp_path: Path) -> None:
    name = name_of(site, cut(5000, times=1), ranges=False)
    done = get(session, site.at(name), tmp_path)
    assert done.pieces[0].path.read_bytes() == (site.root / "a.mp4").read_bytes()


def test_another_run_goes_on_from_the_parts_of_this_one(site: Server, session: Session, tmp_path: Path) -> None:
    name = name_of(site, cut(6000, times=1))
    with asked_for(session, attempts=1), pytest.raises(Failure):
        get(session, site.at(name), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["video.part"]
    done = get(session, site.at(name), tmp_path)
    assert "bytes=3072-" in [asked for path, asked in site.requests if path == name]
    assert done.pieces[0].path.read_bytes() == (site.root / "a.mp4").read_bytes()


@pytest.mark.parametrize("stated", [10**6, 4000])
def test_a_wrong_content_length_is_no_whole_file(
    stated: int, site: Server, session: Session, slept: list[float], tmp_path: Path
) -> None:
    def rule(served: Served) -> bool:
        served.start = 0
        return cut(10**9, stated=stated)(served)

    failed = failure(session, site.at(name_of(site, rule)), tmp_path)
    assert failed.error_class == "network"
    assert failed.attempts >= OPTIONS.attempts


@pytest.mark.parametrize(
    ("code", "kind", "attempts"),
    [(404, "dead", 1), (410, "dead", 1), (401, "private", 1), (403, "network", 4), (503, "network", 4)],
)
def test_statuses_of_a_page(
    code: int, kind: str, attempts: int, site: Server, session: Session, slept: list[float], tmp_path: Path
) -> None:
    name = name_of(site, status(code))
    failed = failure(session, site.at(name), tmp_path)
    assert (failed.error_class, failed.attempts, site.counts[name]) == (kind, attempts, attempts)
    assert str(code) in failed.reason
    waits = [seconds for seconds in slept if seconds > 0]
    assert len(waits) >= attempts - 1


def test_too_many_requests_then_it_waits_as_asked_and_succeeds(
    site: Server, session: Session, slept: list[float], tmp_path: Path
) -> None:
    name = name_of(site, status(429, times=2, Retry_After=321))
    started = time.monotonic()
    facts, tries = session.probe(site.at(name), "video")
    assert tries == 3
    assert sum(seconds >= 321 for seconds in slept) == 2
    assert session.fetch(facts, tmp_path).bytes > 0
    assert time.monotonic() - started < 5  # and no second of it was slept in truth


def test_an_address_that_ran_out_is_asked_for_anew(site: Server, session: Session, tmp_path: Path) -> None:
    def rule(served: Served) -> bool:  # the download is refused once, a new look at the page mends it
        return served.number == 2 and status(403)(served)

    name = name_of(site, rule)
    assert get(session, site.at(name), tmp_path).attempts == 2
    assert site.counts[name] == 4


def test_nothing_comes(site: Server, session: Session, tmp_path: Path) -> None:
    name = name_of(site, slow(site, block=0, every_s=0.5, times=1))
    started = time.monotonic()
    assert get(session, site.at(name), tmp_path).attempts == 2
    assert time.monotonic() - started < 6


def test_bytes_that_trickle_are_cut_off(site: Server, session: Session, tmp_path: Path) -> None:
    """One byte a moment: no socket ever times out, and no block of yt-dlp's ever fills."""
    name = name_of(site, slow(site, block=1, every_s=0.2, times=1))
    with asked_for(session, attempts=1, slow_s=1.0):
        failed = failure(session, site.at(name), tmp_path)
    assert (failed.error_class, failed.reason) == ("network", "too slow: 0 bytes per second over 1 s")
    name = name_of(site, slow(site, block=1, every_s=0.2, times=1))
    with asked_for(session, attempts=2, stall_s=1.0):
        assert get(session, site.at(name), tmp_path).attempts == 2  # by another process, for the first was ended


def test_a_page_that_never_ends_is_given_up(site: Server, session: Session, tmp_path: Path) -> None:
    def rule(served: Served) -> bool:
        served.head(200, Content_Type="text/html")
        while not site.closing.wait(0.2):
            served.send(b"<p>")
        return True

    with asked_for(session, probe_s=1.5, attempts=1):
        assert failure(session, site.at(name_of(site, rule)), tmp_path).reason == "timed out: no answer in 1.5 s"


def test_a_page_without_a_video(site: Server, session: Session, tmp_path: Path) -> None:
    name = name_of(site, page(b"<!doctype html><html><title>x</title><body>No video</body></html>"))
    failed = failure(session, site.at(name), tmp_path)
    assert (failed.error_class, failed.attempts) == ("no_format", 1)


def test_nobody_there(session: Session, slept: list[float], tmp_path: Path) -> None:
    failed = failure(session, "http://127.0.0.1:9/a.mp4", tmp_path)
    assert (failed.error_class, failed.attempts) == ("network", OPTIONS.attempts)


def test_files_of_this_machine_are_no_address(session: Session, site: Server, tmp_path: Path) -> None:
    failed = failure(session, f"file://{site.root}/a.mp4", tmp_path)
    assert failed.error_class in ("other", "network", "no_format")


def test_the_users_cookies_are_sent_and_left_and_proxies_are_not_asked_for_this_machine(
    site: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def rule(served: Served) -> bool:
        seen.append(served.handler.headers.get("Cookie", ""))
        return False

    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    cookies, raw = tmp_path / "cookies.txt", tmp_path / "raw"
    raw.mkdir()
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tmine\n")
    before = cookies.read_bytes()
    with Session(replace(OPTIONS, cookies=cookies, attempts=1, pause_s=0.0)) as session:
        facts, _ = session.probe(site.at(name_of(site, rule)), "video")
        assert session.fetch(facts, raw).bytes > 0
        facts = replace(facts, duration_s=100.0)
        assert session.fetch(facts, raw, [(1.0, 2.0)]).bytes > 0  # by ffmpeg, which has its own idea of proxies
        private = session._agent._private
        assert private is not None
        assert private.stat().st_mode & 0o077 == 0
    assert seen[:2] == ["session=mine"] * 2  # the look at the page and the download
    assert cookies.read_bytes() == before
    assert not private.exists()


def test_a_download_process_that_dies_is_started_again(site: Server, session: Session, tmp_path: Path) -> None:
    facts, _ = session.probe(site.at("a.mp4"), "video")
    process = session._agent._process
    assert process is not None
    assert process.stdin is not None
    process.stdin.close()  # as when its parent is killed
    process.wait(timeout=30)
    assert session.fetch(facts, tmp_path).bytes > 0


def test_a_closed_folder_is_no_fault_of_the_video(site: Server, session: Session, tmp_path: Path) -> None:
    facts, _ = session.probe(site.at("a.mp4"), "video")
    (tmp_path / "video.part").write_text("in the way")
    with pytest.raises(Failure) as caught:
        session.fetch(facts, tmp_path)
    assert caught.value.error_class == "disk"
