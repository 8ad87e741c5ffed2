"""TorchScript is code: it runs where its hash is pinned, or where the user has said so."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

from bench.commands.weights import weights as command
from bench.evaluators import consent, fetched, files, script
from bench.evaluators.fan import Fan
from bench.evaluators.quality import Aesthetics
from bench.evaluators.suite import SUITES, Suite, read_suite
from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file


class Brightness(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


@pytest.fixture
def placed(tmp_path, monkeypatch):
    """A network that nobody pinned, in a weights folder; nobody has said anything of it yet."""
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "weights").mkdir()
    path = tmp_path / "weights" / "topiq_iaa.pt"
    torch.jit.save(torch.jit.script(Brightness()), str(path))
    return path


@pytest.fixture
def loads(monkeypatch):
    """How often torch was asked to load a script."""
    asked = []
    load = torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda *given, **named: asked.append(given) or load(*given, **named))
    return asked


def pin(monkeypatch, sha256):
    (file,) = files.files_of("topiq-iaa")
    pinned = file.model_copy(update={"sha256": sha256})
    for home in (files, fetched):
        monkeypatch.setattr(home, "files_of", lambda name: [pinned])


def run(*arguments):
    return CliRunner().invoke(command, arguments)


def test_a_script_that_nobody_vouches_for_is_refused(placed, loads):
    with pytest.raises(MissingPrerequisite) as refused:
        Aesthetics()
    for said in (str(placed), "TorchScript, which is code", sha256_file(placed)):
        assert said in str(refused.value)
    assert str(refused.value).endswith("bench weights fetch topiq-iaa --unverified")
    result = run("fetch", "topiq-iaa")
    assert (result.exit_code, "--unverified" in result.stderr) == (3, True)
    assert run("verify", "topiq-iaa").exit_code == 1
    suite = Suite("paper", read_suite(SUITES / "paper.toml"), strict=False)
    assert "TorchScript, which is code" in suite.missing["aesthetics"]
    assert loads == []


def test_the_users_word_is_of_one_content(placed, loads):
    result = run("fetch", "topiq-iaa", "--unverified")
    assert (result.exit_code, result.stdout.strip()) == (0, str(placed))
    assert sha256_file(placed) in result.stderr
    assert run("verify", "topiq-iaa").exit_code == 0
    frames = np.full((1, 8, 8, 3), 51, np.uint8)
    assert Aesthetics().scores(frames, None)[0, 0] == pytest.approx(0.2)
    assert len(loads) == 1
    torch.jit.save(torch.jit.script(nn.Sequential(Brightness())), str(placed))
    with pytest.raises(MissingPrerequisite, match="which is code"):
        Aesthetics()
    assert len(loads) == 1


def test_the_users_word_does_not_travel_with_the_file(placed, tmp_path, monkeypatch):
    assert run("fetch", "topiq-iaa", "--unverified").exit_code == 0
    assert [file.name for file in placed.parent.iterdir()] == [placed.name]
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "somebody else"))
    with pytest.raises(MissingPrerequisite, match="which is code"):
        Aesthetics()


def test_a_pinned_script_needs_no_word(placed, monkeypatch, loads):
    pin(monkeypatch, sha256_file(placed))
    Aesthetics()
    assert run("fetch", "topiq-iaa").exit_code == 0
    assert run("verify", "topiq-iaa").exit_code == 0
    assert len(loads) == 1


def test_another_file_than_the_pinned_one_never_runs(placed, monkeypatch, loads):
    consent.trust(placed, sha256_file(placed))
    pin(monkeypatch, "0" * 64)
    for attempt in (Aesthetics, lambda: fetched.fetch("topiq-iaa", unverified=True)):
        with pytest.raises(UserError, match=rf"is not the expected one: its sha256 is [0-9a-f]{{64}}, not {'0' * 64}"):
            attempt()
    assert loads == []


def test_the_first_digits_of_a_hash_are_not_enough(placed, monkeypatch, loads):
    path = placed.rename(placed.with_name("2DFAN4-11f355bf06.pth.tar"))
    (file,) = files.files_of("fan")
    begins = file.model_copy(update={"sha256_start": sha256_file(path)[:10]})
    monkeypatch.setattr(files, "files_of", lambda name: [begins])
    with pytest.raises(MissingPrerequisite, match="bench weights fetch fan --unverified"):
        Fan()
    assert loads == []


def test_what_is_checked_is_what_is_loaded(placed, monkeypatch, loads):
    """A file that is exchanged after its hash was taken is refused too."""
    assert run("fetch", "topiq-iaa", "--unverified").exit_code == 0
    locate = files.locate

    def exchanged(network):
        found = locate(network)
        torch.jit.save(torch.jit.script(nn.Sequential(Brightness())), str(placed))
        return found

    monkeypatch.setattr(files, "locate", exchanged)
    with pytest.raises(MissingPrerequisite, match="which is code"):
        script.open_script("topiq-iaa")
    assert loads == []


def test_how_to_get_such_a_file_ends_with_the_word(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    (unpinned,), (pinned,) = files.files_of("musiq"), files.files_of("i3d")
    assert unpinned.by_hand().endswith("then say that you trust it: bench weights fetch musiq --unverified")
    assert "trust" not in pinned.by_hand()
