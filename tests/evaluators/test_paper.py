"""The papers' networks: files of the published layout with made weights, read by the code that reads the real ones."""

from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from face_alignment.models import FAN
from face_alignment.utils import crop, get_preds_fromhm
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from torch import nn

import models
from baselines import checkpoint
from bench import metrics
from bench.evaluators import consent, files
from bench.evaluators.arcface import ArcFace
from bench.evaluators.fan import SCALE, Fan
from bench.evaluators.hopenet import HopenetPose
from bench.evaluators.i3d import I3d
from bench.evaluators.inception import InceptionFid
from bench.evaluators.lpips_trunk import Alex, Vgg
from bench.evaluators.openface import OpenFace
from bench.evaluators.quality import Aesthetics, FaceQuality, MouthQuality
from bench.evaluators.suite import OPTIONAL, PUBLISHED, SUITES, WHOLE_FRAME, Suite, read_suite
from curate.errors import MissingPrerequisite, UserError
from curate.files import sha256_file
from curate.perception import align
from curate.perception.interface import Faces
from models.pose import hopenet_to_camera
from tests.perception.made import linear_network, one_face


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where made files lie: those of the hashes in `files.toml` they cannot be."""
    folder = tmp_path_factory.mktemp("weights")
    known = {name: files.files_of(name) for name in files.names()}
    unpinned = {
        name: [file.model_copy(update={"sha256": "", "sha256_start": ""}) for file in entry]
        for name, entry in known.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKINGHEAD_WEIGHTS", str(folder))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setattr(files, "files_of", unpinned.__getitem__)
        yield folder


def save_script(network, path):
    """A TorchScript file that somebody said may run."""
    torch.jit.save(torch.jit.script(network), str(path))
    consent.trust(path, sha256_file(path))


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (3, 72, 64, 3), dtype=np.uint8)


def seeded(network):
    """Weights of a usual size; norms that do something."""
    torch.manual_seed(0)
    for name, value in network.state_dict().items():
        if value.is_floating_point():
            if value.dim() > 1:
                nn.init.kaiming_normal_(value)
            else:
                value.uniform_(0.5, 1.5) if "var" in name or "weight" in name else value.uniform_(-0.1, 0.1)
    return network.eval()


def images(frames):
    return torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def inception(folder):
    """pytorch-fid's own network without its download, and the file that it would have downloaded."""
    from pytorch_fid import inception

    plain = inception._inception_v3(num_classes=1008, aux_logits=False, weights=None)
    plain.Mixed_5b = inception.FIDInceptionA(192, pool_features=32)
    plain.Mixed_5c = inception.FIDInceptionA(256, pool_features=64)
    plain.Mixed_5d = inception.FIDInceptionA(288, pool_features=64)
    plain.Mixed_6b = inception.FIDInceptionC(768, channels_7x7=128)
    plain.Mixed_6c = inception.FIDInceptionC(768, channels_7x7=160)
    plain.Mixed_6d = inception.FIDInceptionC(768, channels_7x7=160)
    plain.Mixed_6e = inception.FIDInceptionC(768, channels_7x7=192)
    plain.Mixed_7b = inception.FIDInceptionE_1(1280)
    plain.Mixed_7c = inception.FIDInceptionE_2(2048)
    torch.save(seeded(plain).state_dict(), folder / "pt_inception-2015-12-05-6726825d.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception, "fid_inception_v3", lambda: plain)
        return inception.InceptionV3([3]).eval()


def test_inception_gives_pytorch_fids_features(inception, frames):
    encoder = InceptionFid()
    with torch.inference_mode():
        expected = torch.cat([inception(one[None])[0].flatten(1) for one in images(frames)]).numpy()
    found = encoder.frechet(frames)
    assert found.shape == (3, 2048)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert encoder.frechet(frames[:0]).shape == (0, 2048)
    assert encoder.info.name == "inception-fid"
    path = files.files_of("inception-fid")[0].here()
    assert (encoder.info.sha256, encoder.info.bytes) == (sha256_file(path), path.stat().st_size)
    assert encoder.info.source.startswith("https://github.com/mseitzer/pytorch-fid/")


def test_frechet_distance_is_pytorch_fids():
    from pytorch_fid.fid_score import calculate_frechet_distance

    rng = np.random.default_rng(1)
    mix = rng.normal(size=(64, 64)) / 8
    pred, target = rng.normal(0.1, 1, (300, 64)) @ mix, rng.normal(0, 1, (400, 64))
    moments = [(side.mean(0), np.cov(side, rowvar=False)) for side in (pred, target)]
    expected = calculate_frechet_distance(*moments[0], *moments[1])
    assert float(metrics.fd(torch.from_numpy(pred), torch.from_numpy(target))) == pytest.approx(expected, rel=1e-6)


def heads_of(net):
    import lpips

    return Path(lpips.__file__).parent / "weights" / "v0.1" / f"{net}.pth"


@pytest.mark.parametrize(
    ("net", "encoder", "file"), [("alex", Alex, "alexnet-owt-7be5be79.pth"), ("vgg", Vgg, "vgg16-397923af.pth")]
)
def test_lpips_is_the_packages(folder, frames, net, encoder, file):
    import lpips

    with torch.device("meta"):  # else a large classifier is drawn for nothing
        package = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False)
    package = package.to_empty(device="cpu").eval()
    package.scaling_layer = lpips.ScalingLayer()
    package.load_state_dict(torch.load(heads_of(net), map_location="cpu", weights_only=True), strict=False)
    seeded(package.net)
    trunk = {f"features.{name.split('.', 1)[1]}": value for name, value in package.net.state_dict().items()}
    torch.save({**trunk, "classifier.6.bias": torch.zeros(1000)}, folder / file)
    mine = encoder()
    pred, target = frames[[0, 1, 2]], frames[[1, 2, 2]]
    with torch.inference_mode():
        expected = package(2 * images(pred) - 1, 2 * images(target) - 1).flatten().numpy()
    vectors = [torch.from_numpy(mine.perceptual(side)) for side in (pred, target)]
    found = metrics.lp(*vectors).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)
    assert expected[0] > 0.01
    assert found[2] == 0
    assert mine.info.name == f"lpips-{net}"
    torch.save({"features.0.weight": torch.zeros(1)}, folder / file)
    with pytest.raises(UserError, match=f"holds no {'alexnet' if net == 'alex' else 'vgg16'} network of torchvision"):
        encoder()
    (folder / file).unlink()


def test_arcface_is_insightfaces(folder, frames):
    from types import SimpleNamespace

    rng = np.random.default_rng(2)
    linear_network(folder / "w600k_r50.onnx", rng.normal(size=(512, 3 * 112 * 112)), size=112)
    mine = ArcFace()
    faces = [one_face((10, 12, 50, 60)), Faces.none(), one_face((4, 2, 60, 70))]
    found = mine.embed(frames, faces)
    assert found.shape == (3, 512)
    assert np.isnan(found[1]).all()
    package = ArcFaceONNX(str(folder / "w600k_r50.onnx"))
    for row in (0, 2):
        face = SimpleNamespace(kps=faces[row].points[0])
        expected = package.get(np.ascontiguousarray(frames[row][..., ::-1]), face)
        np.testing.assert_allclose(found[row], expected / np.linalg.norm(expected), atol=1e-5)
    linear_network(folder / "w600k_r50.onnx", rng.normal(size=(8, 3 * 16 * 16)), size=16)
    with pytest.raises(UserError, match="not an image of 112 x 112"):
        ArcFace()
    (folder / "w600k_r50.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match="is no ArcFace network"):
        ArcFace()


class Spots(nn.Module):
    """68 heat maps: point i is at the cell (i % 60 + 2, i // 2 + 8), the brighter the image the hotter."""

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        maps = torch.zeros(image.shape[0], 68, 64, 64)
        for i in range(68):
            maps[:, i, i // 2 + 8, i % 60 + 2] = 1 + image.mean(dim=(1, 2, 3))
        return [maps * 0, maps]


def by_the_package(network, frame, box):
    """What face-alignment does for one box, step by step."""
    centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2 - 0.12 * (box[3] - box[1])])
    scale = (box[2] - box[0] + box[3] - box[1]) / SCALE
    given = torch.from_numpy(crop(frame, centre, scale).transpose(2, 0, 1)).float()[None] / 255
    from face_alignment.utils import flip

    maps = network(given)[-1] + flip(network(flip(given))[-1], is_label=True)
    return get_preds_fromhm(maps.detach().numpy(), centre, scale)[1][0]


@pytest.mark.parametrize("script", [True, False])
def test_fan_is_face_alignments(folder, frames, script):
    path = folder / "2DFAN4-11f355bf06.pth.tar"
    if script:
        network = Spots()
        save_script(network, path)
    else:
        network = seeded(FAN(4))
        torch.save(network.state_dict(), path)
    mine = Fan()
    boxes = [(10, 12, 50, 60), (4, 2, 60, 70)]
    found = mine.landmarks(frames[:2] if script else frames[:1], [one_face(box) for box in boxes][: 2 if script else 1])
    for row, points in enumerate(found):
        expected = by_the_package(network, frames[row], np.array(boxes[row], np.float64))
        np.testing.assert_allclose(points, expected, atol=1e-3)
    assert np.isnan(mine.landmarks(frames[:1], [Faces.none()])).all()
    if script:
        path.write_bytes(b"no network")
        with pytest.raises(UserError, match="holds no FAN network of face-alignment"):
            Fan()


def test_hopenet_looks_at_the_widened_box_and_speaks_our_angles(folder, frames):
    network = seeded(models.create("hopenet", "mini")["hopenet"])
    checkpoint.save(
        folder / "hopenet-mirror.safetensors", {"hopenet": network}, model="hopenet", preset="mini", steps=0
    )
    found = HopenetPose().pose(frames, [one_face((20, 30, 40, 50)), Faces.none(), one_face((10, 12, 50, 60))])
    assert np.isnan(found[1]).all()
    matrix = align.box_matrix(np.array([10.0, 15.0, 50.0, 55.0]), 224, 224)
    image = images(align.warp(frames[0], matrix, 224, 224)[None])
    with torch.inference_mode():
        expected = hopenet_to_camera(network.degrees(image))[0].numpy()
    np.testing.assert_allclose(found[0], expected, atol=1e-3)


class Means(nn.Module):
    """Stands for I3D: 400 values of a window of 16 frames in 0 .. 255."""

    def forward(self, x: torch.Tensor, rescale: bool, resize: bool, return_features: bool) -> torch.Tensor:
        return x.mean(dim=(1, 3, 4)).repeat(1, 25)


class Brightness(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.mean(dim=(1, 2, 3))[:, None]


def test_windows_and_pictures_go_through_script_files(folder, frames):
    save_script(Means(), folder / "i3d_torchscript.pt")
    clip = np.concatenate([frames] * 12)[:35]
    found = I3d().windows(clip)
    assert found.shape == (35, 400)
    assert np.flatnonzero(np.isfinite(found).all(1)).tolist() == [0, 16]
    np.testing.assert_allclose(found[16, :16], clip[16:32].mean(axis=(1, 2, 3)), rtol=1e-5)
    for name in ("topiq_iaa.pt", "musiq.pt", "topiq_nr-face.pt"):
        save_script(Brightness(), folder / name)

    class Seen:
        faces = (one_face((10, 12, 50, 60)), Faces.none(), one_face((4, 2, 60, 70)))
        landmarks = np.full((3, 68, 2), np.nan, np.float32)

    Seen.landmarks[0] = np.linspace((20, 30), (40, 50), 68)
    np.testing.assert_allclose(Aesthetics().scores(frames, Seen)[:, 0], frames.mean(axis=(1, 2, 3)) / 255, atol=1e-5)
    mouth = MouthQuality().scores(frames, Seen)[:, 0]
    low, high = Seen.landmarks[0, 48:].min(0) - 10, Seen.landmarks[0, 48:].max(0) + 11
    inside = frames[0, int(low[1]) : int(high[1]), int(low[0]) : int(high[0])]
    np.testing.assert_allclose(mouth[0], inside.mean() / 255, atol=1e-5)
    assert np.isnan(mouth[1:]).all()
    face = FaceQuality().scores(frames, Seen)[:, 0]
    np.testing.assert_allclose(face[0], frames[0, 12:60, 10:50].mean() / 255, atol=0.01)
    assert np.isnan(face[1])
    (folder / "musiq.pt").write_bytes(b"no script")
    with pytest.raises(UserError, match="is no TorchScript file"):
        MouthQuality()


def test_openface_sees_the_whole_frame(folder, frames):
    rng = np.random.default_rng(3)
    weights = rng.normal(size=(128, 3 * 96 * 96))
    linear_network(folder / "openface_nn4.small2.v1.onnx", weights, size=96)
    found = OpenFace().frechet(np.repeat(frames[:1, :1, :1], 96, 1).repeat(96, 2))
    flat = weights.reshape(128, 3, -1).sum(2) @ (frames[0, 0, 0] / 255)
    np.testing.assert_allclose(found[0], flat / np.linalg.norm(flat), atol=1e-4)


def test_the_suite_sees_every_kind_in_a_frame(folder, inception, monkeypatch):
    import lpips

    rng = np.random.default_rng(4)
    for net, file in (("alex", "alexnet-owt-7be5be79.pth"), ("vgg", "vgg16-397923af.pth")):
        with torch.device("meta"):
            trunk = lpips.LPIPS(net=net, pnet_rand=True, pretrained=False, verbose=False).net
        made = {
            f"features.{name.split('.', 1)[1]}": torch.randn(v.shape) / 30 for name, v in trunk.state_dict().items()
        }
        torch.save(made, folder / file)
    linear_network(folder / "w600k_r50.onnx", rng.normal(size=(512, 3 * 112 * 112)), size=112)
    linear_network(folder / "openface_nn4.small2.v1.onnx", rng.normal(size=(128, 3 * 96 * 96)), size=96)
    save_script(Spots(), folder / "2DFAN4-11f355bf06.pth.tar")
    save_script(Means(), folder / "i3d_torchscript.pt")
    for name in ("topiq_iaa.pt", "musiq.pt", "topiq_nr-face.pt"):
        save_script(Brightness(), folder / name)
    network = seeded(models.create("hopenet", "mini")["hopenet"])
    path = folder / "hopenet-mirror.safetensors"
    checkpoint.save(path, {"hopenet": network}, model="hopenet", preset="mini", steps=0)
    detector = {"detector": "mtcnn"}  # SCRFD has tests of its own
    suite = Suite("paper", read_suite(SUITES / "paper.toml").model_copy(update=detector), strict=True)
    assert set(suite.missing) == {"expression", "mask", "lips"}
    assert suite.wide == {"perceptual", "perceptual_vgg"}
    portrait = skimage.data.astronaut()[:256, 100:356]
    seen = suite.observe(np.stack([portrait, np.zeros_like(portrait)]))
    for kind in suite.networks:
        if kind in ("detector", "video"):
            continue
        feature = getattr(seen, kind)
        assert np.isfinite(feature[0]).all(), kind
        assert np.isfinite(feature[1]).all() == (kind in WHOLE_FRAME), kind


def test_every_network_of_the_suite_is_known_and_its_absence_explained(tmp_path, monkeypatch):
    monkeypatch.setenv("TALKINGHEAD_WEIGHTS", str(tmp_path / "empty"))
    monkeypatch.setenv("HOME", str(tmp_path))
    file = read_suite(SUITES / "paper.toml")
    for name, (kind, _) in PUBLISHED.items():
        assert getattr(file, kind) == name
    lacking = Suite("paper", file, strict=False)
    assert "det_10g.onnx is missing" in lacking.missing["detector"]
    for kind in OPTIONAL & {"perceptual_vgg", "video", "frame_identity", "aesthetics"}:
        (entry,) = files.files_of({"lpips-vgg": "vgg16"}.get(name := getattr(file, kind), name))
        for said in (entry.name, entry.source, entry.pin, str(tmp_path / "empty")):
            assert said in lacking.missing[kind]
    with pytest.raises(MissingPrerequisite, match=r"det_10g\.onnx is missing"):
        Suite("paper", file, strict=True)
