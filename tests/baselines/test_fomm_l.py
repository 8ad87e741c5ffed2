"""How FOMM-L is driven."""

import torch

import baselines
import models
from baselines.checkpoint import save
from baselines.fomm import PARTS


def test_a_checkpoint_says_which_reading_it_is_of(tiny, tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "fomm-l.safetensors"
    networks = models.create("fomm-l", "mini", reading="generator")
    learnt = {part: networks[part].eval().requires_grad_(False) for part in PARTS}
    save(path, learnt, model="fomm-l", preset="mini", steps=1, switches={"reading": "generator"})
    model = baselines.load("fomm-l", checkpoint=path)
    assert (model.spec.name, model.spec.capabilities) == ("fomm-l", ("relative",))
    source, driving = torch.rand(1, 3, 32, 32), torch.rand(2, 3, 32, 32)
    found = model.reenact(model.encode_source(source, {}), driving, {})
    detector, generator = learnt["kp_detector"], learnt["generator"]
    expected = generator(source, kp_source=detector(source), kp_driving=detector(driving[1:]))["prediction"]
    torch.testing.assert_close(found[1:], expected, atol=1e-5, rtol=0)
