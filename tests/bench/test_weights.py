"""`bench weights`: files from a server that fails in every way, converted, found by name."""

import hashlib
import zipfile
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
from bench.evaluators import fetched, files
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
    assert set(rows) == {*baselines.published.tables().published, *files.names()}
    assert rows["arcface"]["sha256"] == "4c06341c33c2"
    assert rows["arcface"]["address"].endswith("buffalo_l.zip")
    assert rows["fan"]["sha256"] == "11f355bf06.."
    assert run("list").exit_code == 0


@pytest.fixture
def evaluator(server, tmp_path, monkeypatch):
    """An evaluator file in a zip file on this server, pinned, under a licence that restricts."""
    content = b"weights" * 1000
    with zipfile.ZipFile(server.root / "pack.zip", "w") as pack:
        pack.writestr("pack/w600k_r50.onnx", content)
        pack.writestr("pack/other.onnx", b"x")
    (file,) = files.files_of("arcface")
    pinned = {"archives": (server.at("pack.zip"),), "sha256": hashlib.sha256(content).hexdigest(), "bytes": 0}
    made = file.model_copy(update=pinned)
    for home in (files, fetched):
        monkeypatch.setattr(home, "files_of", lambda name: [made])
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path / "mine"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return content


def test_an_evaluator_is_taken_out_of_its_archive(evaluator, tmp_path, server):
    refused = run("fetch", "arcface")
    assert (refused.exit_code, "--accept-licence" in refused.stderr) == (2, True)
    assert server.requests == []  # what it is, is said before anything is downloaded
    for said in ("pack.zip", hashlib.sha256(evaluator).hexdigest(), "non-commercial research only"):
        assert said in refused.stderr
    result = run("fetch", "arcface", "--accept-licence")
    assert result.exit_code == 0, result.stderr
    path = tmp_path / "mine" / "w600k_r50.onnx"
    assert (result.stdout.strip(), path.read_bytes()) == (str(path), evaluator)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert files.locate("arcface")[1].sha256 == hashlib.sha256(evaluator).hexdigest()
    assert run("verify", "arcface").stdout == "arcface: as it was made\n"
    path.write_bytes(b"another")
    result = run("verify", "arcface")
    assert (result.exit_code, "put it into" in result.stderr) == (1, True)
    with pytest.raises(UserError, match="is not the expected one: its sha256 is"):
        files.locate("arcface")


def test_an_evaluator_that_cannot_be_had_says_what_to_do(evaluator, tmp_path, server):
    server.rules["pack.zip"] = page(b"<html>")
    with pytest.raises(MissingPrerequisite) as caught:
        weights.fetch("arcface", accept_licence=True)
    with pytest.raises(MissingPrerequisite) as absent:
        files.locate("arcface")
    for error in (caught, absent):
        for said in ("w600k_r50.onnx", str(tmp_path / "mine"), hashlib.sha256(evaluator).hexdigest()):
            assert said in str(error.value)
    assert "bench weights fetch arcface --accept-licence" in str(absent.value)
