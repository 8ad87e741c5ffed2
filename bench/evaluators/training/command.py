"""`bench train-evaluators`: render frames, train the networks, measure them on people they never saw, write the files.

Each network is trained by a process of its own on one thread, so its weights do not depend on how many are trained at
the same time. A network whose file and card are there already is left as it is: after a kill the same command goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, replace
from multiprocessing import Manager, get_context
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from bench.evaluators import shipped
from bench.evaluators.training.frames import FrameSet, Recipe, frame_set
from bench.evaluators.training.objectives import OBJECTIVES
from curate.console import milestone, progress, say
from curate.errors import MissingPrerequisite, UserError, unknown

NAMES = ("head", "face", "identity", "features")
LONGEST_FIRST = ("face", "head", "features", "identity")
STARTS_FROM = {name: objective.starts_from for name, objective in OBJECTIVES.items()}
TOLD = "frames-to-train-with", "frames-to-measure-on"

Message = tuple[str, int, int, str]  # what, done, of how many, note


@dataclass(frozen=True)
class Plan:
    """All that decides the weights."""

    train: Recipe
    held_out: Recipe  # other people
    seed: int
    device: str
    scale: float = 1.0  # of the number of steps
    batch: int | None = None  # None: each network's own

    def fingerprint(self, name: str, folder: Path) -> dict[str, Any]:
        """What a finished network in a folder must have been trained with for it to be left as it is."""
        start = STARTS_FROM.get(name)
        return {
            "seed": self.seed,
            "scale": self.scale,
            "batch": self.batch,
            "train": self.train.fingerprint,
            "held_out": self.held_out.fingerprint,
            "version": shipped.VERSION,
            "starts from": start and shipped.read_card(folder, start)["sha256"],
        }


FULL = (Recipe(population=1000, identities=700, cameras=4, shots=8), Recipe(population=2000, identities=100, cameras=2))
QUICK = (Recipe(population=1000, identities=4, cameras=2, shots=3), Recipe(population=2000, identities=3, shots=2))


def plan(*, quick: bool = False, seed: int = 0, device: str = "cpu") -> Plan:
    """The full plan, or one that only shows within a minute that everything works."""
    if device.startswith("cuda"):
        import torch

        if not torch.cuda.is_available():
            raise MissingPrerequisite(f"device {device!r}: there is no CUDA device here; train with --device cpu")
    train, held_out = QUICK if quick else FULL
    return Plan(train, held_out, seed, device, scale=0.002 if quick else 1.0, batch=8 if quick else None)


def train_evaluators(
    out: Path, only: Sequence[str] = NAMES, *, quick: bool = False, seed: int = 0, workers: int = 2, device: str = "cpu"
) -> list[Path]:
    """Train networks into the folder `out`; gives the paths of their files. Raises `UserError`."""
    for name in only:
        if name not in NAMES:
            raise unknown("evaluator", name, NAMES)
    if workers < 1:
        raise UserError(f"workers must be at least 1, but is {workers}")
    chosen = plan(quick=quick, seed=seed, device=device)
    todo = [name for name in LONGEST_FIRST if name in only and not _finished(out, name, chosen)]
    for name in todo:
        needed = STARTS_FROM.get(name)
        if needed and needed not in todo and not _finished(out, needed, chosen):
            raise UserError(f"{name} starts from {needed}, which is not in {out}: train both, or that one first")
    for name in (name for name in only if name not in todo):
        say(f"{out / name}.safetensors is there already: left as it is")
    if todo:
        with progress() as bar:
            board = _Board(bar)
            for told, recipe in zip(TOLD, (chosen.train, chosen.held_out), strict=True):
                frame_set(recipe, out, workers, board.counter(told, recipe.identities))
            _train_all(todo, chosen, out, workers, board)
    return [out / f"{name}.safetensors" for name in only]


def _finished(out: Path, name: str, chosen: Plan) -> bool:
    try:
        card = shipped.read_card(out, name)
        shipped.load(name, out)
    except UserError:
        return False
    return card.get("fingerprint") == chosen.fingerprint(name, out)


class _Board:
    """Progress of several things at once; where there is no terminal, a line at every tenth."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._items: dict[str, Any] = {}

    def counter(self, name: str, total: int) -> Callable[[int], None]:
        """A function that takes note of how many of one thing are done."""
        return lambda done: self.show((name, done, total, ""))

    def show(self, message: Message) -> None:
        """Take note of a message."""
        name, done, total, note = message
        if name not in self._items:
            self._items[name] = self._bar.add_task(name.replace("-", " "), total=total, note="")
        self._bar.update(self._items[name], completed=done, note=note)
        if milestone(done, total):
            say(f"{name.replace('-', ' ')}: {done} of {total}" + (f": {note}" if note else ""))


def _train_all(names: Sequence[str], chosen: Plan, out: Path, workers: int, board: _Board) -> None:
    with Manager() as manager, ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        messages: Queue[Message] = manager.Queue()
        waiting, running = list(names), dict[Future[None], str]()
        while waiting or running:
            for name in [name for name in waiting if STARTS_FROM.get(name) not in {*waiting, *running.values()}]:
                running[pool.submit(train_one, name, chosen, out, messages)] = name
                waiting.remove(name)
            finished, _ = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
            _drain(messages, board.show)
            for future in finished:
                running.pop(future)
                future.result()


def _drain(messages: Queue[Message], show: Callable[[Message], None]) -> None:
    latest: list[Message] = []
    while True:
        try:
            latest.append(messages.get_nowait())
        except Empty:
            break
    for message in latest:
        show(message)


def train_one(name: str, chosen: Plan, out: Path, messages: Queue[Message] | None = None) -> None:
    """Train and measure one network and write its file and card. Sets this process to one thread."""
    import cv2
    import torch

    from bench.evaluators.training.fit import fit

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    wanted = OBJECTIVES[name]
    objective = replace(wanted, steps=max(2, round(wanted.steps * chosen.scale)), batch=chosen.batch or wanted.batch)

    def told(step: int, losses: dict[str, float]) -> None:
        if messages is not None and (step % 10 == 0 or milestone(step, objective.steps)):
            messages.put((f"train-{name}", step, objective.steps, _short(losses)))

    data = frame_set(chosen.train, out, 1, lambda done: None)
    start = None if objective.starts_from is None else shipped.read(objective.starts_from, out)
    fitted = fit(objective, data, chosen.seed, chosen.device, told, start and start[0])
    path = shipped.save(out, name, fitted.network, objective.steps)
    card: dict[str, Any] = {
        "licence": shipped.LICENCE,
        "parameters": sum(parameter.numel() for parameter in fitted.network.parameters()),
        "bytes": path.stat().st_size,
        "data": {"train": _described(chosen.train), "held out": _described(chosen.held_out)},
        "recipe": {
            "objective": (objective.module.__doc__ or "").strip(),
            "steps": objective.steps,
            "batch": objective.batch,
            "optimiser": f"AdamW, one cycle to {objective.rate:g}, weight decay {objective.decay:g}, float32",
            "numbers in the file": "float16",
            "starts from": start and f"{start[1].name}@{start[1].sha256[:16]}",
        },
        "seed": chosen.seed,
        "device": f"{chosen.device}, 1 thread" if chosen.device == "cpu" else chosen.device,
        "seconds": round(fitted.seconds),
        "torch": torch.__version__.split("+")[0],
        "losses": {key: round(value, 4) for key, value in fitted.losses.items()},
        "fingerprint": chosen.fingerprint(name, out),
        "command": f"bench train-evaluators --only {name} --seed {chosen.seed} --out DIR",
        "limits": "Has seen rendered heads only. docs/evaluators.md compares it with networks made for real faces.",
    }
    shipped.write_card(out, name, card)  # the measurement opens the file as everyone does, by its card
    card["error on held-out identities"] = held_out_error(name, out, chosen.held_out)
    shipped.write_card(out, name, card)


def held_out_error(name: str, folder: Path, recipe: Recipe) -> dict[str, Any]:
    """A network's error on people that it never saw, shown what it would be shown if all before it were without error.

    The chain of detector, head network and this one is measured by benchmarks/evaluators.py.
    """
    from bench.evaluators import builtin
    from bench.evaluators.training import measure

    data: FrameSet = frame_set(recipe, folder, 1, lambda done: None)
    faces, truth = measure.true_faces(data), measure.PerfectHead()
    if name == "head":
        found: dict[str, Any] = measure.head_errors(builtin.BuiltinHead(folder), data, faces).summary()
    elif name == "face":
        errors = measure.face_errors(builtin.BuiltinFace(folder, truth), data, faces)
        found = errors.summary() | {"majority_agreement": errors.majority, "active_share": errors.active}
    elif name == "identity":
        vectors = measure.embeddings(builtin.BuiltinIdentity(folder, truth), data, faces)
        found = asdict(measure.verification(vectors, data.identity))
    else:
        network = builtin.BuiltinFeatures(folder)
        found = {"mean perceptual distance to": measure.perceptual_distances(network, data)}
    rounded: dict[str, Any] = json.loads(json.dumps(found), parse_float=lambda text: round(float(text), 5))
    return rounded


def _described(recipe: Recipe) -> dict[str, Any]:
    return {**asdict(recipe), "frames": recipe.frames, "fingerprint": recipe.fingerprint}


def _short(losses: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in losses.items())
