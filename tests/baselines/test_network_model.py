"""What all adapters share: precision, compiling, streams, random weights."""

from dataclasses import asdict

import pytest
import torch

import baselines
import baselines.fomm
from baselines.fomm import Fomm
from models.errors import UnknownName


def frames(count, seed=0):
    smooth = torch.rand(count, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(smooth, size=(32, 32), mode="bilinear")


def psnr(a, b):
    return float(-10 * (a - b).square().mean().log10())


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_at_half_precision_pictures_stay_the_same_to_rounding(checkpoint, precision, dtype):
    exact = baselines.load("fomm", checkpoint=checkpoint)
    model = baselines.load("fomm", checkpoint=checkpoint, precision=precision)
    seen = set()
    model.generator.bottleneck.register_forward_hook(lambda _, inputs, output: seen.add(output.dtype))
    assert model.generator.final.weight.dtype == dtype
    source, driving = frames(1), frames(4, 1)
    for relative_to in (None, driving[:1]):
        expected = exact.reenact(exact.encode_source(source, {}), driving, {}, relative_to=relative_to)
        found = model.reenact(model.encode_source(source, {}), driving, {}, relative_to=relative_to)
        assert found.dtype == torch.float32
        assert psnr(found, expected) > 40
        assert not torch.equal(found, expected)
    assert seen == {dtype}
    encoded = model.encode_source(source, {})
    assert encoded.state["keypoints"]["value"].dtype == torch.float32  # places are not rounded


def test_compiled_calls_are_those_the_adapter_names(checkpoint, monkeypatch):
    compiled = []

    def stand_in(call):
        return lambda *args, **kwargs: compiled.append(call.__qualname__) or call(*args, **kwargs)

    monkeypatch.setattr(torch, "compile", stand_in)
    model = baselines.load("fomm", checkpoint=checkpoint, compiled=True)
    plain = baselines.load("fomm", checkpoint=checkpoint)
    source, driving = frames(1), frames(2, 1)
    found = model.reenact(model.encode_source(source, {}), driving, {})
    assert torch.equal(found, plain.reenact(plain.encode_source(source, {}), driving, {}))
    once = ["Generator.encode", "KeypointDetector.forward"]
    assert compiled == [*once, "KeypointDetector.forward", "DenseMotion.combine", "Generator.decode"]


def test_what_cannot_be_done_is_told(checkpoint):
    with pytest.raises(ValueError, match="precision bf16: source-copy has no networks"):
        baselines.load("source-copy", precision="bf16")
    with pytest.raises(ValueError, match="compiled: truth has no networks"):
        baselines.load("truth", compiled=True)
    with pytest.raises(UnknownName, match=r"unknown precision 'bf15': did you mean bf16"):
        baselines.load("fomm", checkpoint=checkpoint, precision="bf15")
    model = baselines.load("fomm", checkpoint=checkpoint, precision="bf16")
    with pytest.raises(ValueError, match="fomm computes in bf16 already"):
        model.use("fp16")


def test_a_stream_gives_each_chunk_when_it_is_asked_for(checkpoint):
    model = baselines.load("fomm", checkpoint=checkpoint)
    driving = frames(7, 1)
    asked = []

    def chunks():
        for part in driving.split(3):
            asked.append(len(part))
            yield part, {}

    source = model.encode_source(frames(1), {})
    for relative_to in (None, driving[:1]):
        asked.clear()
        stream = model.stream(source, chunks(), relative_to)
        first = next(stream)
        assert asked == [3]
        found = torch.cat([first, *stream])
        assert asked == [3, 3, 1]
        expected = model.reenact(source, driving, {}, relative_to=relative_to)
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_random_weights_need_no_checkpoint_and_are_always_the_same(tiny):
    with torch.random.fork_rng():
        torch.manual_seed(5)
        one, following = Fomm.random("mini"), torch.rand(1)
        torch.manual_seed(5)
        assert torch.equal(following, torch.rand(1))  # the caller's generator is left alone
    other = Fomm.random("mini")
    assert (one.spec.details, one.spec.checkpoint, one.spec.weights_sha256) == ({"weights": "random"}, "", "")
    assert asdict(one.spec) == asdict(other.spec)
    source, driving = frames(1), frames(2, 1)
    a, b = (model.reenact(model.encode_source(source, {}), driving, {}) for model in (one, other))
    assert torch.equal(a, b)
    with pytest.raises(ValueError, match="no weights for fomm, preset mini: random does not exist"):
        baselines.load("fomm", checkpoint="random")  # no name leads there


def test_parameters_are_counted_before_folding(checkpoint):
    model = baselines.load("fomm", checkpoint=checkpoint)
    networks = baselines.network_model.load_networks("fomm", "mini", checkpoint, "cpu", model.parts)[0]
    assert model.spec.parameters == sum(p.numel() for n in networks.values() for p in n.parameters())
