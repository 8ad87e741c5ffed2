"""`bench animate`: the frames are the model's, whichever way it moves, and nothing half-made is left."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import baselines
import models
from baselines.checkpoint import save
from baselines.motion import best_frame
from bench.animate import CHUNK, Request, animate
from bench.cli import main
from bench.evaluators.suite import open_suite
from bench.scoring import to_frames, to_tensor
from curate import video
from curate.errors import UserError
from tests.talking import make_videos

SIZE = 128


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A portrait and a video of somebody else, longer than a chunk."""
    root = tmp_path_factory.mktemp("animate")
    other, driving = make_videos(root, seconds=0.72, size=SIZE, names=("person2-a", "person1-b"))
    portrait = root / "portrait.png"
    Image.fromarray(video.read_frames(other, [7])[0]).save(portrait)
    return portrait, driving


def shown(path):
    return np.stack([frame.rgb() for frame in video.frames(path)])


def psnr(a, b):
    return -10 * np.log10(np.mean((a / 255.0 - b / 255.0) ** 2))


@pytest.mark.parametrize("way", ["absolute", "relative", "best"])
def test_frames_are_the_models(files, tmp_path, capsys, way):
    portrait, driving = files
    out = tmp_path / "new" / "out.mp4"
    assert animate(Request("fomm", *files, out, relative=way != "absolute", best=way == "best")) == out
    frames, source = shown(driving), np.asarray(Image.open(portrait))[None]
    assert len(frames) > CHUNK
    start = 0
    if way == "best":
        suite = open_suite()
        landmarks = [torch.from_numpy(suite.observe(given).landmarks) for given in (source, frames)]
        start = best_frame(landmarks[0][0], landmarks[1])
    model = baselines.load("fomm")
    encoded = model.encode_source(to_tensor(source), {})
    initial = None if way == "absolute" else to_tensor(frames[start : start + 1])
    expected = to_frames(model.reenact(encoded, to_tensor(frames), {}, relative_to=initial))
    found = shown(out)
    assert found.shape == expected.shape
    assert psnr(found, expected) > 32  # what the encoder costs
    assert abs(video.info(out).fps - video.info(driving).fps) < 0.01
    told = capsys.readouterr().err
    assert (f"relative motion from frame {start}" in told) == (way != "absolute")


@pytest.fixture(scope="module")
def marionette(tmp_path_factory):
    """Random weights of a model that is driven by landmarks."""
    path = tmp_path_factory.mktemp("weights") / "marionette.safetensors"
    generator = models.create("marionette", "mini")["generator"]
    save(path, {"generator": generator.eval()}, model="marionette", preset="mini", steps=0)
    return str(path)


def test_a_landmark_driven_model_gets_landmarks(files, tmp_path, marionette):
    out = tmp_path / "out.mp4"
    portrait, driving = map(str, files)
    given = ["--source", portrait, "--driving", driving, "--checkpoint", marionette, "--out", str(out)]
    done = CliRunner().invoke(main, ["animate", "--model", "marionette", *given], catch_exceptions=False)
    assert (done.exit_code, done.stdout.strip()) == (0, str(out))
    assert shown(out).shape == (18, SIZE, SIZE, 3)


def test_the_middle_of_what_is_no_square_is_taken_and_told(files, tmp_path, capsys):
    portrait, driving = files
    wide = tmp_path / "wide.png"
    picture = np.asarray(Image.open(portrait))
    Image.fromarray(np.pad(picture, ((0, 0), (40, 40), (0, 0)))).save(wide)
    outs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for source, out in zip((portrait, wide), outs, strict=True):
        animate(Request("fomm", source, driving, out))
    assert outs[0].read_bytes() == outs[1].read_bytes()
    assert "the source: 208 x 128 is no square; its middle is taken, 128 pixels wide" in capsys.readouterr().err


def test_what_cannot_be_done_is_told_and_leaves_no_file(files, tmp_path, marionette):
    portrait, driving = files
    out = tmp_path / "out.mp4"
    blank = tmp_path / "blank.png"
    Image.new("RGB", (SIZE, SIZE)).save(blank)
    text = tmp_path / "text.png"
    text.write_text("no picture")
    moved = Request("marionette", portrait, driving, out, checkpoint=marionette, relative=True)
    for request, message in [
        (Request("fom", portrait, driving, out), "unknown model 'fom'"),
        (Request("fomm", text, driving, out), "text.png: not a readable image"),
        (Request("fomm", portrait, text, out), "text.png: not a readable video"),
        (Request("fomm", portrait, driving, out, best=True), "it needs --relative"),
        (moved, "marionette knows absolute motion alone"),
        (Request("marionette", blank, driving, out, checkpoint=marionette), "the source: no face found in frames 0"),
        (Request("fomm", blank, driving, out, relative=True, best=True), "no face found in the source's middle square"),
    ]:
        with pytest.raises(UserError, match=message):
            animate(request)
        assert not list(tmp_path.glob("*.mp4"))
