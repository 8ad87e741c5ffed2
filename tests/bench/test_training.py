"""`bench train`: what it takes from this package, what it says, and how it ends."""

import errno
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bench import judges
from bench.cli import main
from bench.judges import JUDGES
from curate.errors import MissingPrerequisite, UserError
from models.vgg import VGG19, VGGFace
from tests.baselines.conftest import dataset, recipe, tiny  # noqa: F401


def test_the_builtin_judge_sees_what_lp_builtin_sees_and_passes_gradients_on():
    from bench.evaluators.builtin import BuiltinFeatures, perceptual

    judge = JUDGES["features-builtin"]().eval().requires_grad_(False)
    frames = torch.randint(0, 256, (1, 256, 256, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = (frames.permute(0, 3, 1, 2).float() / 255).requires_grad_()
    expected = torch.from_numpy(BuiltinFeatures().perceptual(frames.numpy()))
    found = judge(images)
    torch.testing.assert_close(perceptual(found), expected, atol=1e-5, rtol=0)
    sum(one.abs().sum() for one in found).backward()
    assert images.grad.abs().sum() > 0
    assert [tuple(one.shape[1:]) for one in judge(images[..., ::2, ::2])] == [(8, 64, 64), (16, 32, 32), (16, 16, 16)]


@pytest.mark.parametrize(
    ("name", "file", "network"), [("vgg19", "VGG19_FILE", VGG19), ("vggface", "VGGFACE_FILE", VGGFace)]
)
def test_the_papers_judges_are_read_from_their_files(tmp_path, monkeypatch, name, file, network):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    path = tmp_path / getattr(judges, file)
    with pytest.raises(MissingPrerequisite, match=f"network file {path.name} is missing .*TALKINGHEAD_WEIGHTS"):
        JUDGES[name]()
    torch.manual_seed(0)
    state = network().state_dict()
    torch.save({**state, "classifier.0.weight": torch.zeros(2, 2)}, path)
    found = JUDGES[name]().state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    first = next(iter(state))
    torch.save({key: value for key, value in state.items() if key != first}, path)
    with pytest.raises(UserError, match=f"{path.name} has no {first} of shape"):
        JUDGES[name]()


@pytest.fixture
def command(request, tmp_path, monkeypatch):
    """`bench train` on the tiny model, in this process; more arguments may follow."""
    monkeypatch.setenv("TALKINGHEAD_CACHE", str(tmp_path / "cache"))
    torch.set_num_threads(1)
    shrunk, clips = (str(request.getfixturevalue(name)) for name in ("recipe", "dataset"))
    fixed = [
        "train",
        "--model",
        "fomm",
        "--dataset",
        clips,
        "--recipe",
        shrunk,
        "--out",
        str(tmp_path / "o"),
    ]
    return lambda *more: CliRunner().invoke(main, [*fixed, *more])


def test_the_command_trains_tells_and_goes_on(command, tmp_path):
    done = command("--steps", "3", "--batch", "2")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "o" / "checkpoint.safetensors")
    assert "3 steps in" in done.stderr
    assert "waited for frames" in done.stderr
    assert list((tmp_path / "cache" / "training").glob("frames-32-*.npy"))
    again = command("--steps", "3", "--batch", "2")
    assert again.exit_code == 2
    assert "go on with --resume" in again.stderr
    assert command("--steps", "3", "--batch", "2", "--resume").exit_code == 0


def test_a_dry_run_tells_what_would_be_done_and_writes_nothing(command, tmp_path):
    told = command("--dry-run", "--accumulate", "2")
    assert told.exit_code == 0, told.output
    lines = dict(line.split(": ", 1) for line in told.stdout.splitlines())
    assert lines["recipe"] == "tiny"
    assert "2 clips, 20 frames" in lines["dataset"]
    assert lines["steps"] == "2500"
    assert float(lines["seconds per step"]) > 0
    assert "generator" in lines["parameters"]
    assert not (tmp_path / "o").exists()


def test_how_a_run_ends_decides_its_exit_code(command, tmp_path, monkeypatch):
    from baselines.training import learner

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "o" / "state.pt"))

    step = learner.Learner.step
    monkeypatch.setattr(
        learner.Learner, "step", lambda self, number, taken, stop: (*step(self, number, taken)[:2], True)
    )
    stopped = command("--steps", "3", "--batch", "2")
    assert stopped.exit_code == 1
    assert "stopped after step 1 of 3: go on with --resume" in stopped.stderr
    monkeypatch.setattr(learner.Learner, "step", step)
    monkeypatch.setattr("baselines.training.trainer.store", full)
    crowded = command("--steps", "3", "--batch", "2", "--resume")
    assert crowded.exit_code == 3
    assert "the last good networks are those of step 1" in crowded.stderr
    assert "the disk is full" in crowded.stderr


def test_extras_come_from_the_builtin_evaluators():
    from bench.training import open_maker

    frames = np.zeros((2, 64, 64, 3), np.uint8)
    make = open_maker()
    assert make("landmarks68", frames).shape == (2, 68, 2)
    assert np.isnan(make("mask", frames)).all()  # nobody is there
    assert np.isnan(make("landmarks3d", frames)).all()
    assert make("landmarks3d", frames).shape == (2, 68, 3)


def test_a_mean_head_is_turned_as_rendered_heads_are():
    from bench.training import mean_head
    from curate.synth.geometry import landmarks3d
    from curate.synth.parameters import EXPRESSION, Motion, sample_identity

    mean = replace(sample_identity(0, 0), coefficients=np.zeros_like(sample_identity(0, 0).coefficients))
    angles = np.array([[0, 0, 0], [30, 0, 0], [0, -15, 0], [-20, 10, 12]], np.float32)
    rest = np.zeros((4, len(EXPRESSION)), np.float32)
    rendered = landmarks3d(mean, Motion(rest, angles, np.zeros((4, 3), np.float32), 1.0))
    wanted = rendered - rendered.mean(1, keepdims=True)
    assert np.abs(mean_head(angles) - wanted).max() < 0.5  # mm
