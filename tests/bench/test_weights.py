"""`bench weights`: files from a server that fails in every way, converted, found by name."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from click.testing import CliRunner

import baselines.published
import models
from baselines.checkpoint import load_networks
from baselines.published import tables
from bench import weights
from bench.commands.weights import weights as command
from bench.fetching import NotFetched, fetch
from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file
from tests.curate.serving import cut, page, serving, status

fetch_now = partial(fetch, wait=lambda seconds: None)


@pytest.fixture
def server(tmp_path):
    (tmp_path / "www").mkdir()
    with serving(tmp_path / "www") as state:
        yield state


@pytest.fixture
def content(server):
    data = bytes(range(256)) * 4000
    (server.root / "a.pth").write_bytes(data)
    return data


def etag(rule=None):
    """The file with an ETag, ranges and all; or cut by `rule`'s bytes the first time."""

    def answer(served):
        body, start = served.body, served.start
        end = rule if rule and served.number == 1 else len(body)
        headers = {"Content_Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if start else {}
        served.head(206 if start else 200, Content_Length=len(body) - start, ETag='"v1"', **headers)
        served.send(body[start:end])
        return True

    return answer


def test_a_cut_download_goes_on_where_it_stopped(server, content, tmp_path):
    server.rules["a.pth"] = etag(300_000)
    seen = []
    path = fetch_now(server.at("a.pth"), tmp_path / "x", progress=lambda here, total: seen.append((here, total)))
    assert path.read_bytes() == content
    assert [asked for _, asked in server.requests] == ["", "bytes=300000-"]
    assert seen[-1] == (len(content), len(content))
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["x"]


def test_a_server_without_a_version_sends_all_of_it_again(server, content, tmp_path):
    server.rules["a.pth"] = cut(1000, skip=0, times=2)
    assert fetch_now(server.at("a.pth"), tmp_path / "x").read_bytes() == content
    assert [asked for _, asked in server.requests] == ["", "", ""]


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        (status(404), {}, "the server answers 404"),
        (status(503), {}, r"answers 503 .*5 attempts\); the same command goes on"),
        (page(b"<html>sign in</html>"), {}, "a web page instead of the file"),
        (None, {"sha256": "0" * 64}, "what came is another file: its sha256 is"),
        (None, {"size": 5}, "the file has 1024000 bytes, expected 5"),
    ],
)
def test_what_cannot_be_had_leaves_no_file(server, content, tmp_path, rule, options, message):
    if rule:
        server.rules["a.pth"] = rule
    with pytest.raises(NotFetched, match=message):
        fetch_now(server.at("a.pth"), tmp_path / "x", **options)
    assert not [file for file in tmp_path.iterdir() if file.is_file()]


def test_a_passing_error_is_tried_again(server, content, tmp_path):
    server.rules["a.pth"] = status(503, times=2)
    assert fetch_now(server.at("a.pth"), tmp_path / "x", size=len(content)).read_bytes() == content


@pytest.fixture
def published(server, tmp_path, monkeypatch):
    """fomm-vox-adv, small, on this server, pinned; and the networks in it."""
    entry = tables().published["fomm-vox-adv"]
    layout = replace(entry.layout, preset="mini")
    torch.manual_seed(0)
    networks = models.create("fomm", "mini", **layout.switches)
    file = server.root / "small.pth.tar"
    torch.save({**{part: network.state_dict() for part, network in networks.items()}, "epoch": 3}, file)
    made = replace(
        entry, layout=layout, files=(replace(entry.files[0], urls=(server.at(file.name),), sha256=sha256_file(file)),)
    )
    found = replace(tables(), published={made.name: made})
    for home in ("baselines.published", "baselines.checkpoint", "bench.weights"):
        monkeypatch.setattr(f"{home}.tables", lambda: found)
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path / "mine"))
    return networks


def run(*arguments):
    return CliRunner().invoke(command, arguments)


def test_fetched_weights_are_found_by_name(published, tmp_path, server):
    result = run("fetch", "fomm-vox-adv")
    assert result.exit_code == 0, result.stderr
    path = tmp_path / "mine" / "fomm-vox-adv.safetensors"
    assert result.stdout.strip() == str(path)
    assert "about 751 MB, licence MIT" in result.stderr
    assert "left out, for they are no networks of it: epoch" in result.stderr
    assert sorted(file.name for file in path.parent.iterdir()) == ["fomm-vox-adv.json", path.name]
    loaded, about = load_networks("fomm", "paper", "fomm-vox-adv", "cpu", ("generator", "discriminator"))
    assert (about.preset, about.layout.name) == ("mini", "fomm-adv")
    assert (about.details["published"], about.details["licence"]) == ("fomm-vox-adv", "MIT")
    for part, network in loaded.items():
        expected = published[part].state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
    assert run("verify").stdout == "fomm-vox-adv: as it was made\n"
    count = len(server.requests)
    assert run("fetch", "fomm-vox-adv").exit_code == 0
    assert len(server.requests) == count
    with path.open("ab") as file:
        file.write(b"x")
    result = run("verify", "fomm-vox-adv")
    assert (result.exit_code, "fetch it again" in result.stderr) == (1, True)


def test_what_is_to_be_done_by_hand_is_said(published, tmp_path, server):
    server.rules["small.pth.tar"] = status(404)
    with pytest.raises(
        MissingPrerequisite, match=r"404 .*get vox-adv-cpk\.pth\.tar from https.*sha256 [0-9a-f]{64}\), put"
    ):
        weights.fetch("fomm-vox-adv")
    result = run("verify", "fomm-vox-adv")
    assert (result.exit_code, "bench weights fetch fomm-vox-adv" in result.stderr) == (3, True)
    (tmp_path / "mine" / "vox-adv-cpk.pth.tar").write_bytes((server.root / "small.pth.tar").read_bytes())
    assert weights.fetch("fomm-vox-adv").is_file()  # put there by hand
    assert (tmp_path / "mine" / "vox-adv-cpk.pth.tar").is_file()


def test_a_licence_that_restricts_is_to_be_accepted_first(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=r"CC BY-NC 4\.0, restricts use; to accept it, add --accept-licence"):
        weights.fetch("osfv-community-spade")
    assert run("fetch", "osfv-comunity-spade").exit_code == 2
    with pytest.raises(
        MissingPrerequisite, match=r"bench weights fetch osfv-community-beta --accept-licence --unverified$"
    ):
        weights.fetch("osfv-community-beta", accept_licence=True)


def test_files_of_another_name_need_a_model_and_a_word(published, tmp_path, server, monkeypatch):
    file = server.root / "small.pth.tar"
    with pytest.raises(UserError, match="say whose file it is with --model"):
        weights.convert([file], "mine")
    with pytest.raises(UserError, match="needs 1 files"):
        weights.convert([file, file], "fomm-vox-adv")
    torch.save({"generator": {}}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="no file with its sha256"):
        weights.convert([tmp_path / "other.pth"], "fomm-vox-adv")
    with pytest.raises(UserError, match="does not fit fomm-adv: no network 'generator', 'kp_detector'"):
        weights.convert([tmp_path / "other.pth"], "fomm-vox-adv", unverified=True)


def test_listing(monkeypatch, tmp_path):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    rows = {row["name"]: row for row in weights.listing()}
    assert rows["osfv-community-spade"]["size"] == "2.1 GB"
    assert rows["fomm-vox"]["sha256"] == "unknown"
    assert set(rows) == set(baselines.published.tables().published)
    assert run("list").exit_code == 0
