"""How fs-vid2vid is driven."""

import gc
from dataclasses import replace

import pytest
import torch

import baselines
import baselines.fs_vid2vid
import models
import models.fs_vid2vid
from baselines.checkpoint import read_published, save
from baselines.edge_maps import draw_edges
from baselines.published import tables
from models.errors import InputError
from models.fs_vid2vid import Previous
from tests.models.test_fs_vid2vid import TINY

SIDE = 32


def frames(count, seed=0):
    return torch.rand(count, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def landmarks(count, seed=0):
    return torch.rand(count, 68, 2, generator=torch.Generator().manual_seed(seed)) * SIDE


def extras(count, seed=0):
    return {"landmarks68": landmarks(count, seed)}


@pytest.fixture
def made(monkeypatch, tmp_path):
    """`made(attention)`: random weights of a tiny model, as training would leave them."""

    def make(attention=True):
        config = models.fs_vid2vid.Config(**TINY, attention=attention, composed=True)
        monkeypatch.setitem(models.fs_vid2vid.PRESETS, "mini", config)
        monkeypatch.setitem(baselines.fs_vid2vid.RESOLUTION, "mini", SIDE)
        torch.manual_seed(0)
        path = tmp_path / "made" / "checkpoint.safetensors"
        save(path, {"net_G": models.create("fs-vid2vid", "mini")["net_G"]}, model="fs-vid2vid", preset="mini", steps=7)
        return path

    return make


@pytest.fixture
def model(made):
    return baselines.load("fs-vid2vid", checkpoint=made())


def test_each_frame_is_made_from_the_one_before(model):
    assert (model.spec.shots, model.spec.needs) == (8, ("landmarks68",))
    encoded = model.encode_source(frames(3), extras(3))
    found = model.reenact(encoded, frames(4, 1), extras(4, 1))
    labels = draw_edges(landmarks(4, 1), SIDE)
    previous = None
    for t in range(4):
        with torch.no_grad():
            image = model.generator(labels[t : t + 1], draw_edges(landmarks(3), SIDE)[None], frames(3)[None], previous)
        previous = Previous(labels[t : t + 1], image["prediction"])
        torch.testing.assert_close(found[t : t + 1], previous.image, atol=1e-5, rtol=0)


def test_a_clip_does_not_know_the_clip_before(model):
    encoded = model.encode_source(frames(1), extras(1))
    first = model.reenact(encoded, frames(3, 1), extras(3, 1))
    model.reenact(encoded, frames(3, 2), extras(3, 2))
    assert torch.equal(model.reenact(encoded, frames(3, 1), extras(3, 1)), first)
    assert torch.equal(model.reenact(encoded, frames(3, 7), extras(3, 1)), first)  # frames count by their landmarks


def test_a_stream_of_chunks_is_the_whole_clip(model):
    encoded = model.encode_source(frames(2), extras(2))
    whole = model.reenact(encoded, frames(7, 1), extras(7, 1))
    for sizes in ([7], [3, 4], [1] * 7):
        chunks = zip(torch.split(frames(7, 1), sizes), torch.split(landmarks(7, 1), sizes), strict=True)
        found = list(model.stream(encoded, ((driving, {"landmarks68": points}) for driving, points in chunks)))
        assert [len(one) for one in found] == sizes
        torch.testing.assert_close(torch.cat(found), whole, atol=1e-6, rtol=0)


def live_tensors():
    return sum(issubclass(type(one), torch.Tensor) for one in gc.get_objects())


def test_memory_does_not_grow_with_the_stream(model):
    encoded = model.encode_source(frames(1), extras(1))
    counts = []
    for number, _ in enumerate(model.stream(encoded, ((frames(1, n), extras(1, n)) for n in range(12)))):
        if number >= 2:
            counts.append(live_tensors())
    assert max(counts) <= counts[0] + 2, counts
    image = next(iter(model.stream(encoded, [(frames(1), extras(1))])))
    assert image._base is None
    assert image.grad_fn is None


def test_without_attention_it_takes_one_source(made):
    model = baselines.load("fs-vid2vid", checkpoint=made(attention=False))
    assert model.spec.shots == 1
    assert model.encode_source(frames(1), extras(1)).images.shape[0] == 1
    with pytest.raises(InputError, match="expected at most 1 source image, which is what fs-vid2vid uses, got 2"):
        model.encode_source(frames(2), extras(2))


def test_what_it_cannot_take_is_named(model):
    lost = extras(3)
    lost["landmarks68"][1] = float("nan")
    with pytest.raises(InputError, match="landmarks68: no face was found in source frames 1"):
        model.encode_source(frames(3), lost)
    encoded = model.encode_source(frames(1), extras(1))
    with pytest.raises(InputError, match="relative_to: fs-vid2vid knows absolute motion alone"):
        model.reenact(encoded, frames(2), extras(2), relative_to=frames(1))


def test_a_published_file_with_optimisers_becomes_ours(made, tmp_path):
    """As the authors' trainer leaves it: wrapped, with a running average, optimisers, schedulers and counters."""
    made(attention=False)
    torch.manual_seed(3)
    networks = models.create("fs-vid2vid", "mini")
    live, judge = networks["net_G"].state_dict(), networks["net_D"].state_dict()
    mean = {name: tensor + 1 for name, tensor in live.items()}
    moments = {0: {"step": 1, "exp_avg": torch.zeros(3), "exp_avg_sq": torch.zeros(3)}}
    content = {
        "net_G": {
            **{f"module.module.{name}": tensor for name, tensor in live.items()},
            **{f"module.averaged_model.{name}": tensor for name, tensor in mean.items()},
            "module.num_updates_tracked": torch.tensor(5),
        },
        "net_D": {f"module.{name}": tensor for name, tensor in judge.items()},
        **{name: {"state": moments, "param_groups": [{"lr": 1e-4, "params": [0]}]} for name in ("opt_G", "opt_D")},
        **{name: {"last_epoch": 3} for name in ("sch_G", "sch_D")},
        "current_epoch": 3,
        "current_iteration": 99,
    }
    torch.save(content, tmp_path / "theirs.pt")
    layout = tables().layouts["fs-vid2vid"]
    found = read_published([tmp_path / "theirs.pt"], "fs-vid2vid", layout=replace(layout, preset="mini"), verify=False)
    assert all(torch.equal(found.state["net_G"][name], tensor) for name, tensor in mean.items())
    assert all(torch.equal(found.state["net_D"][name], tensor) for name, tensor in judge.items())
    assert found.details["ignored"] == "current_epoch, current_iteration, opt_D, opt_G, sch_D, sch_G"
    networks["net_G"].load_state_dict(mean)
    save(tmp_path / "ours.safetensors", {"net_G": networks["net_G"]}, model="fs-vid2vid", preset="mini", steps=0)
    model = baselines.load("fs-vid2vid", checkpoint=tmp_path / "ours.safetensors")
    encoded = model.encode_source(frames(1), extras(1))
    assert model.reenact(encoded, frames(2), extras(2)).isfinite().all()
