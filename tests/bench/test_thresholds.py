"""Thresholds of redirection are parameters of a protocol, and part of what a value is cited with."""

import torch

from bench import metrics


def test_other_thresholds_are_other_metrics_with_other_values():
    pose, asked = torch.tensor([[12.0, 0, 0], [20.0, 0, 0]]), torch.zeros(2, 3)
    face, source = torch.tensor([[1.0, 0.4], [1.0, 0.2]]), torch.tensor([[1.0, 0.0], [1.0, 0.0]])  # 0.072, 0.019
    strict = {"angle_degrees": 10.0, "identity_distance": 0.01}
    loose = {"angle_degrees": 25.0, "identity_distance": 0.1}
    inputs = {"angle-hit-15": (pose, asked), "identity-hit-0.05": (face, source)}
    inputs["redirection-hit-15-0.05"] = torch.cat((pose, face), 1), torch.cat((asked, source), 1)
    usual = {"angle-hit-15": [1, 0], "identity-hit-0.05": [0, 1], "redirection-hit-15-0.05": [0, 0]}
    found = {"angle-hit-15": "angle-hit-25", "identity-hit-0.05": "identity-hit-0.1"}
    found["redirection-hit-15-0.05"] = "redirection-hit-25-0.1"
    for name, sides in inputs.items():
        metric = metrics.get(name)
        assert metric.under({}) == metric
        assert metric.function(*sides).tolist() == usual[name]
        assert metric.under(loose).id == found[name]
        assert metric.under(loose).function(*sides).tolist() == [1, 1]
        assert metric.under(strict).function(*sides).tolist() == [0, 0]
        assert "0.01" in metric.under(strict).description or "10 degrees" in metric.under(strict).description
    assert metrics.get("l1").under(loose) is metrics.get("l1")
