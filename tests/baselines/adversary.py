"""One round of training against a discriminator, as the trainer does it."""

import torch


def round_of(objective, networks, batch, recipe, optimisers):
    """A step of the generator's optimiser, then the discriminator's gradients (its step is the caller's).

    Gives the generator's losses, its outputs, and the discriminator's losses.
    """
    losses, outputs = objective.generator_losses(networks, batch, recipe, torch.Generator())
    optimisers[0].zero_grad()
    sum(losses.values()).backward()
    optimisers[0].step()
    seen = {name: output.detach() for name, output in outputs.items()}
    verdict = objective.discriminator_losses(networks, batch, seen, recipe, torch.Generator())
    optimisers[1].zero_grad()
    sum(verdict.values()).backward()
    return losses, outputs, verdict
