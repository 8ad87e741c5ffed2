"""The `curate` command. Each verb is a thin wrapper over one function; bodies import what they need."""

from __future__ import annotations

from pathlib import Path

import click

from curate.commands.audit import audit
from curate.commands.build import build
from curate.commands.dataset import export, purge, report, stats, verify
from curate.commands.doctor import doctor
from curate.commands.lists import lists
from curate.commands.plan import plan
from curate.commands.redecide import redecide
from curate.console import Commands, print_json, say


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="talkinghead-bench", prog_name="curate")
def main() -> None:
    """Turn raw videos into square, single-face clips with a manifest, and explain everything that was dropped."""


for verb in (audit, build, doctor, export, lists, plan, purge, redecide, report, stats, verify):
    main.add_command(verb)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder to make the dataset in.")
@click.option("--identities", type=int, default=None, help="People.  [default: 16]")
@click.option("--seconds", type=float, default=4.0, show_default=True, help="Length of a clip; raw: of a shot.")
@click.option(
    "--size", type=int, default=None, help="Side of the frames, pixels; raw: height.  [default: 256; raw: 360]"
)
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives other people.")
@click.option("--clips-per-identity", type=int, default=None, help="Clips of each person.  [default: 2]")
@click.option("--noise", type=float, default=0.0, show_default=True, help="Camera noise: 0 none, 1 a poor webcam.")
@click.option(
    "--raw", is_flag=True, help="Raw videos (cuts, several people, nobody ...) to test `build` on, not clips."
)
@click.option("--workers", type=click.IntRange(1), default=None, help="Processes.  [default: one per core]")
@click.option("--dry-run", is_flag=True, help="Say what it would cost and make nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def synth(
    out: Path,
    identities: int | None,
    seconds: float,
    size: int | None,
    seed: int,
    clips_per_identity: int | None,
    noise: float,
    raw: bool,
    workers: int | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Render talking heads of which everything is known: clips, a manifest, and the truth of every frame.

    The same options give the same bytes. Run it again after a kill: it goes on where it stopped.
    """
    import os
    from dataclasses import asdict

    from curate.errors import UserError
    from curate.synth.dataset import estimate, make
    from curate.synth.raw import RawRecipe, estimate_raw, make_raw
    from curate.synth.recipe import Recipe

    processes = workers or os.cpu_count() or 1
    recipe: Recipe | RawRecipe
    if raw:
        for option, value in (("--identities", identities), ("--clips-per-identity", clips_per_identity)):
            if value is not None:
                raise UserError(f"{option} has no meaning with --raw: the raw videos have a fixed cast")
        recipe = RawRecipe(seconds=seconds, height=360 if size is None else size, seed=seed, noise=noise)
    else:
        recipe = Recipe.of(
            16 if identities is None else identities,
            clips_per_identity=2 if clips_per_identity is None else clips_per_identity,
            seconds=seconds,
            size=256 if size is None else size,
            seed=seed,
            noise=noise,
        )
    if dry_run:
        cost = estimate_raw(recipe, processes) if isinstance(recipe, RawRecipe) else estimate(recipe, processes)
        if as_json:
            print_json(asdict(cost))
        else:
            click.echo(
                f"{cost.clips} {'videos' if raw else 'clips'}, {cost.frames} frames, about {cost.seconds:.0f} s "
                f"in {processes} processes, {cost.megabytes:.0f} MB"
            )
        return
    if isinstance(recipe, RawRecipe):
        done = make_raw(out, recipe, workers=processes)
    else:
        done = make(out, recipe, workers=processes)
    if as_json:
        print_json(asdict(done))
    elif not done.failed:
        if done.done_before == done.clips:
            say(f"nothing to do: all {done.clips} were done before")
        click.echo(f"{done.clips} {'videos' if raw else 'clips'}, {done.frames} frames: {done.manifest}")
    for name, reason in done.failed:
        say(f"failed: {name}: {reason}")
    raise SystemExit(1 if done.failed else 0)


@main.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Folder for the page and its pictures.")
@click.option("--people", type=int, default=24, show_default=True, help="How many people.")
@click.option("--size", type=int, default=160, show_default=True, help="Side of a picture, pixels.")
@click.option("--seed", type=int, default=0, show_default=True, help="Another seed gives other people.")
def gallery(out: Path, people: int, size: int, seed: int) -> None:
    """Show SynthHeads people in seven poses and expressions; prints the page's path."""
    from curate.synth.gallery import write_gallery

    click.echo(write_gallery(out, people=people, size=size, seed=seed))
