"""A few steps on one batch, to see losses fall."""

import torch


def train(objective, networks, batch, recipe, steps, rate):
    """Losses by name of every step of Adam on `recipe.parts`."""
    optimiser = torch.optim.Adam([p for part in recipe.parts for p in networks[part].parameters()], lr=rate)
    seen = []
    for step in range(steps):
        found, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator().manual_seed(step))
        optimiser.zero_grad()
        sum(found.values()).backward()
        optimiser.step()
        seen.append({name: float(value.detach()) for name, value in found.items()})
    assert not outputs or outputs["prediction"].shape == batch.driving.shape
    return seen


def fall(seen, name):
    """What is left of a loss: the mean of the last five steps over that of the first five."""
    return sum(one[name] for one in seen[-5:]) / sum(one[name] for one in seen[:5])
