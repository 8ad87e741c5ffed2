"""What downloads decide without a network: kinds of errors, formats, sections, waits, room on the disk, whole files."""

from __future__ import annotations

import errno
import itertools
import random
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curate import video
from curate.download import check
from curate.download.agent import ffmpeg_path
from curate.download.budget import Budget
from curate.download.choose import Choice, choose
from curate.download.facts import Facts, Format, from_info, is_license
from curate.download.failures import MAX_WAIT_S, POLICIES, Failure, classify, clean, wait_s
from curate.download.local import LocalVideos
from curate.download.sections import plan
from curate.download.session import safe_name
from curate.errors import MissingPrerequisite
from tests.curate.made import stamped

LOGIN = (
    "Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/yt-dlp/yt-dlp/wiki/FAQ"
    "#how-do-i-pass-cookies-to-yt-dlp  for how to manually pass cookies."
)
YT = "ERROR: [youtube] M3GgCZFVBIo: "
MESSAGES = [  # as yt-dlp says them
    ("bot_check", f"{YT}Sign in to confirm you\u2019re not a bot. {LOGIN}"),
    ("bot_check", f"{YT}Sign in to confirm you\ufffdre not a bot. This helps protect our community. Learn more"),
    ("bot_check", f"{YT}Video unavailable. YouTube is requiring a captcha challenge before playback"),
    ("bot_check", "ERROR: [generic] Got HTTP Error 403 caused by Cloudflare anti-bot challenge; try again with"),
    (
        "rate_limit",
        f"{YT}Video unavailable. This content isn't available, try again later. The current session has been "
        "rate-limited by YouTube for up to an hour. It is recommended to use `-t sleep` to add a delay",
    ),
    ("rate_limit", "ERROR: [generic] Unable to download webpage: HTTP Error 429: Too Many Requests"),
    ("age", f"{YT}Sign in to confirm your age. This video may be inappropriate for some users. {LOGIN}"),
    ("age", f"{YT}This video is age-restricted and YouTube is requiring account age-verification"),
    ("private", f"{YT}Private video. Sign in if you've been granted access to this video. {LOGIN}"),
    (
        "private",
        f"{YT}Join this channel to get access to members-only content like this video, and other exclusive perks.",
    ),
    ("private", "ERROR: [vimeo] 1: This video is only available for registered users"),
    ("private", "ERROR: [generic] Unable to download webpage: HTTP Error 401: Unauthorized"),
    ("geo", f"{YT}Video unavailable. The uploader has not made this video available in your country"),
    (
        "geo",
        f"{YT}Video unavailable. This video contains content from 'WMG', who has blocked it in your country on "
        "copyright grounds",
    ),
    ("geo", "ERROR: [x] 1: This video is not available from your location due to geo restriction"),
    ("dead", f"{YT}Video unavailable"),
    ("dead", f"{YT}Video unavailable. This content isn\u2019t available."),
    ("dead", f"{YT}Video unavailable. This video has been removed by the uploader"),
    ("dead", f"{YT}This video has been removed for violating YouTube's Terms of Service"),
    (
        "dead",
        f"{YT}Video unavailable. This video is no longer available because the YouTube account associated with this "
        "video has been terminated.",
    ),
    ("dead", f"{YT}Video unavailable. This video is no longer available due to a copyright claim by SME"),
    ("dead", "ERROR: [youtube:truncated_id] abc: Incomplete YouTube ID abc. URL https://www.youtube.com/watch?v=abc"),
    ("dead", "ERROR: [generic] Unable to download webpage: HTTP Error 404: Not Found"),
    ("no_format", f"{YT}Requested format is not available. Use --list-formats for a list of available formats"),
    ("no_format", f"{YT}This video is DRM protected"),
    ("no_format", "ERROR: Unsupported URL: http://127.0.0.1/page.html"),
    ("no_format", "ERROR: [generic] page: No video formats found!; please report this issue on  https://github.com/yt-dlp"),
    ("network", "ERROR: unable to download video data: HTTP Error 403: Forbidden"),
    ("network", "ERROR: \r[download] Got error: Downloaded 100 bytes, expected 2000 bytes"),
    ("network", "ERROR: \r[download] Got error: 5000 bytes read, 11409 more expected"),
    (
        "network",
        "ERROR: [generic] Unable to download webpage: <urllib3.connection.HTTPSConnection object at 0x7f>: Failed to "
        "resolve 'www.youtube.com' ([Errno -3] Temporary failure in name resolution)",
    ),
    ("network", "ERROR: [generic] Unable to download webpage: The read operation timed out (caused by TransportError"),
    ("network", "ERROR: [generic] Unable to download webpage: HTTP Error 503: Service Unavailable"),
    ("network", "ERROR: fragment 3 not found, unable to continue"),
    ("network", "ERROR: ffmpeg exited with code 1"),
    ("merge", "ERROR: Postprocessing: Conversion failed!"),
    ("merge", "ERROR: You have requested merging of multiple formats but ffmpeg is not installed. Aborting"),
    ("disk", "ERROR: unable to write data: [Errno 28] No space left on device"),
    ("disk", "ERROR: unable to open for writing: [Errno 30] Read-only file system: 'video.mp4.part'"),
    ("other", f"{YT}This live event will begin in 2 days."),
    ("other", f"{YT}Premieres in 3 hours"),
    ("other", f"{YT}The page needs to be reloaded."),
    ("other", "KeyError: 'streamingData'"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "message"), MESSAGES)
def test_messages_have_their_kind(kind: str, message: str) -> None:
    assert classify(message) == kind
    assert kind in POLICIES


def test_the_systems_own_word_counts_more_than_the_message() -> None:
    assert classify("ERROR: unable to download video data", errno.ENOSPC) == "disk"
    assert classify("whatever", errno.EROFS) == "disk"
    assert classify("ERROR: unable to download video data", errno.ECONNRESET) == "network"


def test_reasons_are_short_and_plain() -> None:
    assert clean(MESSAGES[0][1]) == "Sign in to confirm you\u2019re not a bot"
    assert clean("ERROR: [generic] a: Unable to download webpage: HTTP Error 404: Not Found (caused by <x>)") == (
        "Unable to download webpage: HTTP Error 404: Not Found"
    )
    assert clean("ERROR: \r[download] Got error: 5 bytes read, 4 more expected") == "5 bytes read, 4 more expected"
    assert clean("") == "no reason given"
    assert all(len(clean(message)) <= 240 and "--cookies" not in clean(message) for _, message in MESSAGES)


def test_waits_double_with_jitter_and_heed_the_server() -> None:
    jitter = random.Random(1)
    for attempt in range(1, 30):
        wait = wait_s(Failure("network", ""), attempt, jitter)
        assert 0.5 * min(2.0**attempt, MAX_WAIT_S) <= wait <= 1.5 * min(2.0**attempt, MAX_WAIT_S)
    assert wait_s(Failure("rate_limit", "", retry_after_s=1234), 1, jitter) == 1234
    again = [wait_s(Failure("network", ""), n, random.Random(5)) for n in (1, 2, 3)]
    assert again == [wait_s(Failure("network", ""), n, random.Random(5)) for n in (1, 2, 3)]


def picture(name: str, lines: int | None, kbits: int | None = 1000, codec: str = "avc1.64", **more: object) -> Format:
    width = lines * 16 // 9 if lines else None
    rate = kbits * 1000 if kbits else None
    values = {"has_audio": False, "ext": "mp4", "protocol": "https", **more}
    return Format(name, has_video=True, video_codec=codec, width=width, height=lines, bitrate=rate, **values)  # type: ignore[arg-type]


def sound(name: str, kbits: int, codec: str = "mp4a.40.2", **more: object) -> Format:
    return Format(
        name, "m4a", "https", has_video=False, has_audio=True, audio_codec=codec, bitrate=kbits * 1000, **more
    )  # type: ignore[arg-type]


def taken(formats: list[Format], **bars: int) -> str:
    choice = choose(formats, **bars)
    return choice if isinstance(choice, str) else choice.format_id


LADDER = [picture("135", 480, 700), picture("136", 720, 1500), picture("137", 1080, 3000), picture("401", 2880, 20000)]
SOUNDS = [sound("139", 48), sound("140", 128), sound("251", 160, "opus")]


def test_the_best_picture_with_sound_in_its_container() -> None:
    assert taken(LADDER + SOUNDS, min_res=512) == "137+140"
    assert taken(LADDER + SOUNDS, max_res=720) == "136+140"
    assert taken(LADDER) == "137"
    assert taken([picture("313", 2160, 9000, "vp9", ext="webm"), *SOUNDS]) == "313+251"


def test_at_equal_size_what_every_reader_decodes_then_bits() -> None:
    same = [picture("399", 1080, 1500, "av01.0"), picture("248", 1080, 9000, "vp9"), picture("137", 1080, 3000)]
    assert taken(same) == "137"
    assert taken([*same, picture("137-hi", 1080, 5000)]) == "137-hi"
    assert taken([*same, picture("702", 1080, 9000, hdr=True)]) == "137"
    assert taken([*same, picture("299", 1080, 2500, fps=60.0)]) == "299"


def test_bars_are_met_or_the_reason_says_what_the_best_would_be() -> None:
    small = [picture("18", 360, 600, has_audio=True), picture("17", 144, 80, has_audio=True)]
    assert taken(small, min_res=512) == "too small: best is 360 lines, 512 wanted"
    assert taken(LADDER, min_res=512, min_bitrate=50_000_000).startswith("bit rate too low: best is 20000000 bit/s")
    assert taken(LADDER, min_res=512, min_bitrate=2_000_000) == "137"
    assert taken([picture("401", 2880)], min_res=512) == "401"  # above max_res, but there is no other
    assert taken([]) == "no formats"
    assert taken(SOUNDS) == "no picture: only sound or protected formats"
    assert taken([picture("137", 1080, drm=True), picture("18", 360, has_audio=True)]) == "18"
    upright = Format("u", "mp4", "https", has_video=True, has_audio=True, width=720, height=1280)
    assert taken([upright], min_res=1080) == "too small: best is 720 lines, 1080 wanted"


def test_what_is_not_said_meets_every_bar_but_comes_last() -> None:
    unknown = picture("mp4", None, None, has_audio=True)
    assert taken([unknown], min_res=512, min_bitrate=10**6) == "mp4"
    assert taken([unknown, *LADDER], min_res=512) == "137"


def test_the_original_language_is_taken_not_a_dubbed_one() -> None:
    tracks = [
        sound("140-0", 129, preference=-1),
        sound("140-1", 128, preference=10),
        sound("140-2", 130, preference=-1),
    ]
    assert taken([LADDER[2], *tracks]) == "137+140-1"


def test_only_what_lies_in_mp4_can_be_cut() -> None:
    formats = [picture("313", 2160, 9000, "vp9", ext="webm"), picture("137", 1080, 3000), *SOUNDS]
    choice = choose(formats, mp4_only=True)
    assert isinstance(choice, Choice)
    assert choice.format_id == "137+140"
    assert choice.fits_mp4
    assert choose(formats[:1], mp4_only=True) == "no format that can be cut without loss"


@given(
    st.lists(st.tuples(st.sampled_from([None, 144, 360, 720, 1080, 4320]), st.sampled_from([None, 10, 2000]))),
    st.sampled_from([0, 512]),
    st.sampled_from([0, 10**6]),
)
def test_what_is_chosen_meets_the_bars(sizes: list[tuple[int | None, int | None]], res: int, rate: int) -> None:
    formats = [picture(str(i), lines, kbits) for i, (lines, kbits) in enumerate(sizes)]
    choice = choose(formats, min_res=res, min_bitrate=rate)
    met = [f for f in formats if (f.lines or res) >= res and (f.bitrate or rate) >= rate]
    assert isinstance(choice, Choice) == bool(met)
    if isinstance(choice, Choice):
        assert choice.video in met


def test_sections_hold_every_span_and_stay_apart() -> None:
    assert plan([], 2.0) == ()
    assert plan([(1, 3)], 2.0) == ((0, 5),)
    assert plan([(10, 12), (200, 205), (20, 22)], 2.0, 3600) == ((8, 24), (198, 207))
    assert plan([(3590, 3600)], 2.0, 3600) == ((3588, 3600),)
    assert plan([(0, 50)], 2.0, 60) == ()  # nearly all of it
    assert plan([(70, 80)], 2.0, 60) == ()  # beyond its end: then the list speaks of another video


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0.1, 90))))
def test_every_span_lies_in_one_section(spans: list[tuple[float, float]]) -> None:
    wanted = [(start, start + length) for start, length in spans]
    sections = plan(wanted, 2.0, 10_000)
    assert all(any(a <= start and end <= b for a, b in sections) for start, end in wanted)
    assert all(b < c for (_, b), (c, _) in itertools.pairwise(sections))


def test_facts_of_an_info_dict_and_back() -> None:
    info = {
        "id": "x", "extractor": "youtube", "title": "A talk", "channel": "Somebody", "license": "Creative Commons",
        "upload_date": "20190203", "availability": "public", "duration": 100,
        "formats": [
            {"format_id": "sb0", "ext": "mhtml", "vcodec": "none", "acodec": "none"},
            {"format_id": "140", "ext": "m4a", "vcodec": "none", "acodec": "mp4a.40.2", "abr": 129.5, "tbr": 130},
            {"format_id": "137", "ext": "mp4", "vcodec": "avc1", "acodec": "none", "width": 1920, "height": 1080,
             "tbr": 3000, "fps": 30, "protocol": "https", "url": "https://secret.example/signed"},
            {"format_id": "136", "ext": "mp4", "vcodec": "avc1", "acodec": "none", "filesize": 10_000_000},
        ],
    }  # fmt: skip
    facts = from_info(info, "x", "https://example.org/x")
    assert (facts.width, facts.height, facts.fps, facts.bitrate) == (1920, 1080, 30.0, 3_000_000)
    assert (facts.uploader, facts.upload_date, facts.availability) == ("Somebody", "2019-02-03", "public")
    assert [(f.format_id, f.bitrate, f.size) for f in facts.formats if f.has_video] == [
        ("137", 3_000_000, 37_500_000),
        ("136", 800_000, 10_000_000),
    ]
    assert "secret" not in str(facts.as_json())  # signed addresses are nobody's business and soon dead
    assert Facts.from_json(facts.as_json()) == facts


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ("Creative Commons Attribution license (reuse allowed)", "cc-by"),
        ("Creative Commons Attribution-ShareAlike 4.0", "cc-by-sa"),
        ("CC BY-NC-ND 2.0", "cc-by-nc-nd"),
        ("http://creativecommons.org/licenses/by/3.0/", "cc-by"),
        ("Creative Commons CC0 1.0", "cc0"),
        ("Standard YouTube License", "standard-youtube-license"),
    ],
)
def test_licences_by_their_short_names(said: str, short: str) -> None:
    shorts = ["cc-by", "cc-by-sa", "cc-by-nc-nd", "cc0", "standard-youtube-license"]
    assert [name for name in shorts if is_license(said, name)] == [short]
    assert is_license(said, short.upper().replace("-", " "))
    assert not is_license(None, short)


def test_room_is_waited_for_until_another_is_released(tmp_path: Path) -> None:
    budget = Budget(tmp_path, most=100, keep_free=0)
    budget.reserve("a", 80)
    budget.settle("a", 90)
    threading.Timer(0.1, budget.release, ["a"]).start()
    budget.reserve("b", 60)  # would not fit beside a
    assert budget.held == 60
    with pytest.raises(Failure, match=r"are allowed") as caught:
        Budget(tmp_path, most=100, keep_free=0).reserve("c", 101)
    assert caught.value.error_class == "disk"
    with pytest.raises(Failure, match=r"GB are free"):
        Budget(tmp_path, most=10**9, keep_free=10**18).reserve("c", 1)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    video.write_video(path, stamped(50), 25, sound=(np.zeros(96_000, np.float32), 48_000))
    return path


def test_a_truncated_file_is_found_by_its_boxes_and_its_length(clip: Path, tmp_path: Path) -> None:
    whole = clip.read_bytes()
    assert check.lacking(clip, None) is None
    assert check.lacking(clip, 2.0) is None
    assert check.lacking(clip, 20.0) == "truncated: 2.0 of 20.0 s"
    for name, part in (("a.mp4", whole[:-1]), ("b.mp4", whole[: len(whole) // 2]), ("c.mp4", whole[:60])):
        (tmp_path / name).write_bytes(part)
        assert str(check.lacking(tmp_path / name, None)).startswith("truncated: "), name
    (tmp_path / "text.mp4").write_bytes(b"no video, but that is for others to say")
    assert check.lacking(tmp_path / "text.mp4", 20.0) is None


@pytest.mark.parametrize(
    "bad", ["../../etc/passwd", "/etc/passwd", "a/b", "..", "", "x" * 300, "a\nb", "CON.", "ü", "\udc80"]
)
def test_names_of_ids_are_harmless(bad: str) -> None:
    name = safe_name(bad)
    assert name.replace("-", "").replace("_", "").isalnum()
    assert name.isascii()
    assert 0 < len(name) <= 80
    assert safe_name(bad) == name != safe_name(f"{bad}.")
    assert safe_name("-abcDEF_123") == "-abcDEF_123"


def test_a_folder_of_videos_is_searched_by_id_and_chunk(tmp_path: Path) -> None:
    for name in ("-AAAAAAAAAA.mkv", "deep/er/BBBBBBBBBBB.mp4", "c/CCCCCCCCCCC_0001.mp4", "c/CCCCCCCCCCC_0000.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "BBBBBBBBBBB.webm").write_bytes(b"x")
    (tmp_path / "DDDDDDDDDDD.txt").write_bytes(b"x")
    (tmp_path / "-AAAAAAAAAA.info.json").write_text('{"title": "T", "license": "CC BY", "formats": []}')
    local = LocalVideos(tmp_path)
    assert [piece.path.name for piece in local.find("-AAAAAAAAAA")] == ["-AAAAAAAAAA.mkv"]
    assert [piece.path.name for piece in local.find("BBBBBBBBBBB")] == ["BBBBBBBBBBB.mp4"]
    assert [(p.path.name, p.part) for p in local.find("CCCCCCCCCCC")] == [
        ("CCCCCCCCCCC_0000.mp4", 0),
        ("CCCCCCCCCCC_0001.mp4", 1),
    ]
    assert local.find("DDDDDDDDDDD") == local.find("../c/CCCCCCCCCCC_0000") == local.find("*") == ()
    facts = local.facts("-AAAAAAAAAA", None)
    assert facts is not None
    assert (facts.title, facts.license) == ("T", "CC BY")
    assert local.facts("BBBBBBBBBBB", None) is None


def test_ffmpeg_is_the_wheels_and_not_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "imageio_ffmpeg" in ffmpeg_path().parts
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: "/usr/bin/ffmpeg")
    monkeypatch.delenv("IMAGEIO_FFMPEG_EXE", raising=False)
    with pytest.raises(MissingPrerequisite, match="pip install"):
        ffmpeg_path()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/usr/bin/ffmpeg")
    assert ffmpeg_path() == Path("/usr/bin/ffmpeg")  # because a person said so
