"""The builtin networks: shapes, NaN where no face is, one pass for all heads, batches do not matter; wrong files."""

import numpy as np
import pytest
import skimage.data
import torch

from bench.evaluators import builtin, shipped
from bench.evaluators.suite import BUILTIN, OPTIONAL, Suite, every_network, open_suite, read_suite
from curate.errors import MissingPrerequisite, UserError
from curate.perception import load_detector
from curate.perception.interface import Faces
from models.evaluators import FaceNet, HeadNet

from .made import write_networks

FACES = ("landmarks", "pose", "expression", "mask", "identity")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_networks(tmp_path_factory.mktemp("networks"))


@pytest.fixture(scope="module")
def frames():
    portrait = skimage.data.astronaut()
    return np.stack([portrait, np.zeros_like(portrait), portrait[:, ::-1], np.roll(portrait, 40, axis=1)])


@pytest.fixture(scope="module")
def faces(frames):
    return load_detector("mtcnn").detect(frames)


@pytest.fixture
def suite(made, monkeypatch):
    monkeypatch.setattr(shipped, "WEIGHTS", made)
    return open_suite("builtin")


def test_every_kind_is_there_and_has_its_shape(suite, frames):
    assert set(suite.missing) == OPTIONAL  # it has no such networks
    assert {info.name for info in suite.networks.values()} == {"mtcnn", *BUILTIN}
    assert all(info.licence == "MIT" and len(info.sha256) == 64 for info in suite.networks.values())
    seen = suite.observe(frames)
    shapes = {kind: getattr(seen, kind).shape for kind in (*FACES, "perceptual", "frechet")}
    assert shapes == {
        "landmarks": (4, 68, 2),
        "pose": (4, 3),
        "expression": (4, 18),
        "mask": (4, 512, 512),
        "identity": (4, 128),
        "perceptual": (4, 16384),
        "frechet": (4, 96),
    }
    for kind in FACES:
        assert getattr(seen, kind).dtype == np.float32
        assert np.isnan(getattr(seen, kind)[1]).all()
        assert np.isfinite(getattr(seen, kind)[[0, 2, 3]]).all()
    assert np.isfinite(seen.perceptual).all()
    assert np.isfinite(seen.frechet).all()
    assert ((seen.expression[0] >= 0) & (seen.expression[0] <= 1)).all()
    assert ((seen.mask[0] >= 0) & (seen.mask[0] <= 1)).all()
    np.testing.assert_allclose(np.linalg.norm(seen.identity[[0, 2]], axis=1), 1, atol=1e-5)


def test_one_pass_gives_all_heads(suite, frames, monkeypatch):
    runs = []
    for network in (suite.masker, suite.landmarker, suite.identifier, suite.perceptual_encoder):
        inner, name = network._network, network.info.name
        monkeypatch.setattr(inner, "forward", lambda x, run=inner.forward, name=name: runs.append(name) or run(x))
    seen = suite.observe(frames)
    assert runs == []
    for kind in ("landmarks", "pose", "identity", "expression", "mask"):
        getattr(seen, kind)
    once = ["builtin-face", "builtin-face", "builtin-head", "builtin-identity"]  # face: the crop and its mirror image
    assert sorted(runs) == sorted(3 * once)  # three frames have a face
    assert seen.perceptual is not seen.frechet
    assert sorted(runs) == sorted(3 * once + 4 * ["builtin-features"])
    changed = frames.copy()
    first = suite.observe(changed).perceptual
    changed[0] = 0
    second = suite.observe(changed).perceptual
    assert not np.array_equal(first[0], second[0])
    assert np.array_equal(first[1:], second[1:])


def test_a_frame_does_not_depend_on_its_batch(suite, frames):
    together, alone = suite.observe(frames), [suite.observe(frames[i : i + 1]) for i in (3, 0)]
    for kind in (*FACES, "perceptual", "frechet"):
        for i, single in zip((3, 0), alone, strict=True):
            assert np.array_equal(getattr(together, kind)[i], getattr(single, kind)[0])


def test_without_any_face_or_frame(suite, frames):
    seen = suite.observe(frames[1:2])
    assert all(np.isnan(getattr(seen, kind)).all() for kind in FACES)
    seen = suite.observe(frames[:0])
    assert seen.mask.shape == (0, 512, 512)
    assert seen.perceptual.shape == (0, 16384)
    assert seen.frechet.shape == (0, 96)


def test_frames_and_faces_must_be_as_many(made, frames):
    with pytest.raises(ValueError, match="4 frames but faces of 1"):
        builtin.BuiltinFace(made).pose(frames, [Faces.none()])


def test_hashes_of_networks_that_look_where_the_head_network_points(tmp_path, made):
    """Another head network makes other landmarks, so the landmarks' hash must change with it."""
    first = builtin.BuiltinFace(made)
    for path in made.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    torch.manual_seed(9)
    shipped.save(tmp_path, "head", HeadNet(), steps=0)
    shipped.write_card(tmp_path, "head", {})
    second = builtin.BuiltinFace(tmp_path)
    assert shipped.read_card(made, "face")["sha256"] == shipped.read_card(tmp_path, "face")["sha256"]
    assert first.info.sha256 != second.info.sha256
    assert first.info.sha256 not in {shipped.read_card(made, name)["sha256"] for name in shipped.NETWORKS}


def test_whole_frames_are_brought_to_one_size(made):
    features = builtin.BuiltinFeatures(made)
    frame = skimage.data.astronaut()
    halved = frame.reshape(256, 2, 256, 2, 3).mean((1, 3)).round().astype(np.uint8)
    near = np.square(features.perceptual(frame[None]) - features.perceptual(halved[None])).sum()
    far = np.square(features.perceptual(frame[None]) - features.perceptual(halved[None, :, ::-1])).sum()
    assert near < 0.1 * far
    assert features.frechet(np.zeros((1, 40, 60, 3), np.uint8)).shape == (1, 96)


def test_folding_changes_nothing():
    torch.manual_seed(0)
    network = FaceNet()
    network(torch.rand(8, 3, 112, 112))  # moves the running statistics
    network.eval()
    image = torch.rand(2, 3, 112, 112)
    with torch.inference_mode():
        before = network(image)
        shipped.fold(network)
        after = network(image)
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", sorted(shipped.NETWORKS))
def test_wrong_files_are_named(tmp_path, made, name):
    for suffix in ("safetensors", "json"):
        (tmp_path / f"{name}.{suffix}").write_bytes((made / f"{name}.{suffix}").read_bytes())
    path = tmp_path / f"{name}.safetensors"
    shipped.load(name, tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(UserError, match=rf"{name}\.safetensors is not the file that its card describes.*--only {name}"):
        shipped.load(name, tmp_path)
    path.unlink()
    with pytest.raises(MissingPrerequisite, match=rf"{name}\.safetensors is missing: .*bench train-evaluators"):
        shipped.load(name, tmp_path)
    (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(UserError, match="is no card: it has no sha256"):
        shipped.load(name, tmp_path)
    (tmp_path / f"{name}.json").write_text("nothing")
    with pytest.raises(UserError, match="is no readable card"):
        shipped.load(name, tmp_path)
    (tmp_path / f"{name}.json").unlink()
    with pytest.raises(MissingPrerequisite, match=rf"{name}\.json is missing"):
        shipped.load(name, tmp_path)


def test_a_file_of_another_network_or_no_safetensors(tmp_path, made):
    (tmp_path / "face.safetensors").write_bytes((made / "identity.safetensors").read_bytes())
    shipped.write_card(tmp_path, "face", {})
    with pytest.raises(UserError, match="its metadata says model 'builtin-identity'"):
        shipped.load("face", tmp_path)
    (tmp_path / "face.safetensors").write_bytes(b"no tensors")
    shipped.write_card(tmp_path, "face", {})
    with pytest.raises(UserError, match="is no readable safetensors file"):
        shipped.load("face", tmp_path)


def test_suites_name_networks_of_the_right_kind(tmp_path):
    def open_with(line):
        path = tmp_path / "mine.toml"
        path.write_text(f'description = "x"\ndetector = "mtcnn"\n{line}\n')
        return Suite("mine", read_suite(path), strict=True)

    with pytest.raises(UserError, match="unknown pose network 'builtin-identity'"):
        open_with('pose = "builtin-identity"')
    with pytest.raises(UserError, match=r"unknown expression network 'x'.*known: builtin-face"):
        open_with('expression = "x"')
    suite = open_with("")
    assert suite.missing["mask"] == "suite 'mine' has no mask network"


def test_whole_frames_need_no_detector(suite, tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    path = tmp_path / "mine.toml"
    path.write_text('description = "x"\ndetector = "yunet"\nperceptual = "builtin-features"\npose = "builtin-face"\n')
    mine = Suite("mine", read_suite(path), strict=False)
    assert mine.observe(np.zeros((1, 64, 64, 3), np.uint8)).perceptual.shape == (1, 16384)
    assert "yunet" in mine.missing["pose"]


def test_every_network_is_listed(suite, tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path))
    rows = {(row["suite"], row["kind"]): row for row in every_network()}
    assert rows["builtin", "pose"]["network"] == "builtin-face"
    assert rows["builtin", "pose"]["sha256"] == suite.networks["pose"].sha256[:16]
    assert rows["open", "mask"]["missing because"] == "suite 'open' has no mask network"
    assert {suite for suite, _ in rows} >= {"builtin", "open"}
