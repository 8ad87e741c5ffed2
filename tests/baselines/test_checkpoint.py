"""Weights files: round trip, published form, and what is said of wrong ones."""

import pickle

import pytest
import torch

import models
from baselines.checkpoint import (
    CHECKPOINT,
    BadCheckpoint,
    MissingCheckpoint,
    Unverified,
    fill,
    find,
    load_networks,
    read,
    save,
)
from baselines.fomm import PARTS
from curate.files import sha256_file


def parts():
    networks = models.create("fomm", "mini")
    return {part: networks[part] for part in PARTS}


def test_round_trip(tiny, tmp_path):
    networks = models.create("fomm", "mini", align_corners=False)
    path = tmp_path / "folder" / CHECKPOINT
    kept = {part: networks[part] for part in PARTS}
    save(path, kept, model="fomm", preset="mini", steps=12, switches={"align_corners": False})
    loaded, about = load_networks("fomm", "mini", path, "cpu", PARTS)
    assert (about.preset, about.switches, about.details) == ("mini", {"align_corners": False}, {"steps": 12})
    assert loaded["generator"].align_corners is False
    for part in PARTS:
        expected = kept[part].state_dict()
        for name, tensor in loaded[part].state_dict().items():
            assert torch.equal(tensor, expected[name])
        assert not loaded[part].training
        assert not any(parameter.requires_grad for parameter in loaded[part].parameters())
    assert [file.name for file in path.parent.iterdir()] == [CHECKPOINT]


def test_half_precision_is_half_the_size(tiny, tmp_path):
    networks = parts()
    save(tmp_path / "a.safetensors", networks, model="fomm", preset="mini", steps=1)
    save(tmp_path / "b.safetensors", networks, model="fomm", preset="mini", steps=1, half=True)
    assert (tmp_path / "b.safetensors").stat().st_size < 0.65 * (tmp_path / "a.safetensors").stat().st_size
    loaded, _ = load_networks("fomm", "mini", tmp_path / "b.safetensors", "cpu", PARTS)
    assert loaded["generator"].final.weight.dtype == torch.float32
    difference = loaded["generator"].final.weight - networks["generator"].final.weight
    assert difference.abs().max() < 1e-3


def test_a_published_file_is_read_safely_with_its_prefix_removed(monkeypatch, tiny, tmp_path):
    monkeypatch.setitem(models.fomm.PRESETS, "paper", tiny)
    networks = parts()
    content = {
        part: {f"module.{name}": tensor for name, tensor in network.state_dict().items()}
        for part, network in networks.items()
    }
    path = tmp_path / "vox-cpk.pth.tar"
    torch.save({**content, "optimizer_generator": {"state": {}, "param_groups": [{"lr": 1}]}, "epoch": 99}, path)
    loaded, about = load_networks("fomm", "mini", Unverified(path), "cpu", PARTS)
    assert (about.preset, about.layout.name, about.architecture) == ("paper", "fomm", "fomm")
    assert about.details == {
        "published": "unknown",
        "source_sha256": sha256_file(path),
        "layout": "fomm",
        "ignored": "epoch, optimizer_generator",
    }
    assert torch.equal(loaded["kp_detector"].kp.weight, networks["kp_detector"].kp.weight)


class Evil:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("name", ["weights.pth", "weights.pth.tar", "weights.safetensors"])
def test_files_that_are_no_checkpoints(tmp_path, name, capsys):
    path = tmp_path / name
    for content in (b"", b"not a checkpoint", pickle.dumps(Evil(), protocol=2)):
        path.write_bytes(content)
        with pytest.raises(BadCheckpoint, match=name):
            read(path, "fomm")
    torch.save({"generator": Evil()}, path)
    with pytest.raises(BadCheckpoint, match=name):
        read(path, "fomm")
    assert "ran" not in capsys.readouterr().out


def test_what_does_not_fit_is_listed(tiny, tmp_path):
    networks = parts()
    path = tmp_path / "made.safetensors"
    save(path, networks, model="fomm", preset="mini", steps=1)
    checkpoint = read(path, "fomm")
    state = checkpoint.state["generator"]
    state["extra"] = state.pop("final.bias")
    state["final.weight"] = torch.zeros(3, 1)
    with pytest.raises(BadCheckpoint) as error:
        fill(networks, checkpoint)
    message = str(error.value)
    assert "generator: 1 missing: final.bias; 1 unexpected: extra; 1 of another shape: final.weight ([3, 1]" in message
    assert str(path) in message
    del checkpoint.state["kp_detector"]
    with pytest.raises(BadCheckpoint, match=r"has no network 'kp_detector' \(found: generator\)"):
        fill({"kp_detector": networks["kp_detector"]}, checkpoint)


def test_a_checkpoint_of_another_model_is_refused(tiny, tmp_path):
    path = tmp_path / "other.safetensors"
    save(path, parts(), model="other", preset="mini", steps=1)
    with pytest.raises(BadCheckpoint, match="says model 'other', preset 'mini'; expected model 'fomm'"):
        read(path, "fomm")


@pytest.mark.parametrize(
    ("preset", "checkpoint", "named"),
    [
        ("paper", None, "fomm-paper.safetensors"),
        ("mini", "nowhere", "nowhere"),
        ("mini", "no/such/file.safetensors", "no/such/file.safetensors"),
    ],
)
def test_missing_weights_name_the_file_and_the_command_that_makes_it(preset, checkpoint, named):
    command = f"bench train --model fomm --preset {preset} --dataset DIR --out DIR"
    with pytest.raises(MissingCheckpoint, match=f"{named} does not exist.*{command}"):
        find("fomm", preset, checkpoint)
