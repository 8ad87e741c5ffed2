"""What each model is trained for: one module a model, named by its recipe.

    generator_losses(networks, batch, recipe, rng) -> (weighted losses, outputs)
    discriminator_losses(networks, batch, outputs, recipe, rng) -> weighted losses
    prepare(networks, recipe)

The second stands only where a recipe has discriminators; the third, if it is there, changes the random start. `outputs`
has at least "prediction" [B, T, 3, R, R], and comes detached to the second.

`rng` is on the CPU; it and torch's own generators depend on seed, step and process alone.
Losses are means over the rows, so that processes and parts of a batch can be averaged.
"""
