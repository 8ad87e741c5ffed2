"""`curate doctor`: what it sees on this machine, and that each thing that is wrong is named with what mends it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from curate import doctor
from curate.commands.doctor import doctor as command
from tests.curate.serving import serving


def test_this_machine_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_reach", lambda: pytest.fail("asked the network"))
    result = CliRunner().invoke(command, ["--out", str(tmp_path / "not" / "yet"), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    checks = {check["name"]: check for check in told["checks"]}
    assert told["ready"]
    assert {"python", "av", "yt-dlp", "ray", "ffmpeg", "encode and decode", "detector mtcnn", "disk"} <= checks.keys()
    assert "libx264" in checks["encode and decode"]["found"]
    assert str(tmp_path) in checks["disk"]["found"]
    assert all(check["mend"] for check in checks.values() if check["state"] != "ok")
    assert not list(tmp_path.iterdir())


def ails(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> tuple[int, str]:
    """Exit code and output, without the slow looks."""
    monkeypatch.setattr(doctor, "_networks", lambda detector: iter(()))
    monkeypatch.setattr(doctor, "_codecs", lambda: "fine")
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    return result.exit_code, result.output


def test_what_is_missing_is_named_with_what_mends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PACKAGES", {**doctor.PACKAGES, "no-such-thing": "no_such_thing"})
    code, output = ails(monkeypatch, "--out", tmp_path)
    assert code == 3
    assert "missing: no-such-thing: pip install no-such-thing" in output
    assert "1 needed things are missing" in output


def test_codecs_that_do_not_work_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("Codec libx264 not found\nand more")

    monkeypatch.setattr("curate.video.write_video", broken)
    check = doctor._tried("encode and decode", doctor._codecs, "mend")
    assert (check.state, check.found, check.mend) == ("missing", "ValueError: Codec libx264 not found", "mend")


def test_a_detector_without_its_file_is_missing_only_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    monkeypatch.setattr("platformdirs.user_data_dir", lambda *_, **__: str(tmp_path))
    states = {check.name: check for check in doctor._networks("yunet")}
    assert states["detector yunet"].state == "missing"
    assert states["network yunet-n"].state == "note"
    assert states["network yunet-n"].mend.startswith("get it from https://github.com/")
    assert states["detector mtcnn"].state == "ok"
    assert {check.name: check.state for check in doctor._networks("yunnet")}["detector yunnet"] == "missing"


def test_a_folder_that_cannot_be_written_or_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    assert doctor._disk(tmp_path / "file" / "out").state == "missing"
    assert doctor._disk(tmp_path / "out").state == "ok"
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6, "total": 10**9}))
    full = doctor._disk(tmp_path)
    assert (full.state, full.found.split(" GB")[0]) == ("missing", "0.0 of 1.0")


def test_cookies_are_read_and_their_age_seen(tmp_path: Path) -> None:
    later = int(time.time()) + 10_000
    path = tmp_path / "cookies.txt"
    head = "# Netscape HTTP Cookie File\n"
    path.write_text(f"{head}.youtube.com\tTRUE\t/\tTRUE\t{later}\tSID\tsecret\n.old.org\tTRUE\t/\tTRUE\t1\ta\tb\n")
    good = doctor._cookies(path)
    assert (good.state, good.found) == ("ok", "1 of 2 valid, for youtube.com")
    path.write_text(f"{head}.old.org\tTRUE\t/\tTRUE\t1\ta\tb\n")
    assert doctor._cookies(path).found.endswith("all 1 have expired")
    path.write_bytes(b"\xff\xfe no cookies")
    assert doctor._cookies(path).state == "missing"
    assert "No such file" in doctor._cookies(tmp_path / "none").found
    assert "secret" not in repr(good)


def test_the_network_is_asked_only_if_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "robots.txt").write_text("hello")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serving(tmp_path) as site:
        monkeypatch.setattr(doctor, "SITE", site.at("robots.txt"))
        ails(monkeypatch, "--out", tmp_path)
        assert not site.requests
        _, output = ails(monkeypatch, "--out", tmp_path, "--network")
        assert len(site.requests) == 1
        assert "www.youtube.com answers in" in output
    monkeypatch.setattr(doctor, "SITE", "http://127.0.0.1:9/")
    code, output = ails(monkeypatch, "--out", tmp_path, "--network")
    assert code == 3
    assert "missing: network: set HTTPS_PROXY" in output


def test_what_youtube_needs_is_needed_only_for_downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(doctor, "_runtimes", lambda: [("node 1.0", False)])
    assert [check.state for check in doctor._youtube(needed=False)] == ["note", "note"]
    needed = list(doctor._youtube(needed=True))
    assert [check.state for check in needed] == ["missing", "missing"]
    assert [check.mend for check in needed] == ["pip install 'yt-dlp[default]'", "pip install 'yt-dlp[deno]'"]
    monkeypatch.setattr(doctor, "_runtimes", lambda: [("node 1.0", False), ("deno 9.0", True)])
    assert [check.found for check in doctor._youtube(needed=True)][1] == "deno 9.0"


def test_javascript_runtimes_are_those_that_downloads_use() -> None:
    assert all(name.split()[0] in ("deno", "node", "bun", "quickjs", "quickjs-ng") for name, _ in doctor._runtimes())
