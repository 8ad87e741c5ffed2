"""One pass over the pairs of a plan, for every row of a table together, and the run folders that it leaves."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import provenance, run_folder
from bench.entrants import Entrant, Reencoded, Shuffled, TruthItself
from bench.evaluators.suite import Suite
from bench.features import Features
from bench.pair_reader import PairReader
from bench.plan import Plan
from bench.predictions import Predicted
from bench.rows import Row
from bench.tasks.base import Pair, pair_list_sha256
from curate.console import milestone, progress, say
from curate.errors import BadVideo
from curate.files import sha256_text
from leaderboard.records import SCHEMA_VERSION, DatasetInfo, EvaluatorInfo, ModelInfo, ProtocolInfo, RunRecord

PREVIEWED_PAIRS = 4
COPY = "source-copy"


@dataclass(frozen=True)
class Result:
    """What a pass leaves of one row."""

    folder: Path
    failures: dict[str, str]  # pair id -> why the pair gave no frames


class Pass:
    """Decodes every frame once, lets every network see it once, and asks each row for its own."""

    def __init__(
        self,
        plan: Plan,
        suite: Suite,
        *,
        arguments: Mapping[str, Any],
        out: Path,
        seed: int,
        limit: int | None,
        device: str,
        driven: Collection[str] = (),
    ) -> None:
        """`driven`: kinds of features that models are given; the others go into the record as they are."""
        self.started, self._clock = datetime.now(UTC), time.perf_counter()
        self.plan, self.suite = plan, suite
        self.features = Features(suite)
        hears = {m.hears for m in plan.metrics if m.hears and not set(m.kinds) & set(suite.missing)}
        looks = plan.looks(suite, driven)
        self.reader = PairReader(plan.dataset, plan.task, self.features, looks, plan.truth, sorted(hears))
        self._arguments, self._out, self._seed, self._limit = dict(arguments), out, seed, limit
        self._device = device
        self._git_sha, self._git_dirty = provenance.git_state()  # now: the files may change meanwhile

    def calibration(self, copy: Entrant) -> list[Entrant]:
        """The rows that frame every table: the best that can be had, that after a codec, doing nothing (`copy`), and
        frames that have nothing to do with the pair."""
        return [TruthItself(), Reencoded(), copy, Shuffled(self.plan.pairs, self.reader)]

    def run(self, entrants: Sequence[Entrant]) -> list[Result]:
        """Measure the entrants, one of which is `source-copy`; gives what is left of each."""
        plan = self.plan
        kinds = plan.kinds(self.suite)
        rows = [Row(one, plan.references, plan.metrics, self.suite, self.features, kinds) for one in entrants]
        run_folder.prepare(self._out)
        label = f"{plan.protocol.id} {entrants[0].spec.name}"
        with progress() as bar:
            item = bar.add_task(label, total=len(plan.pairs), note="")
            for number, pair in enumerate(plan.pairs):
                bar.update(item, note=pair.driving.clip_id)
                self._compare(pair, rows, preview=number if number < PREVIEWED_PAIRS else None)
                bar.advance(item)
                if milestone(number + 1, len(plan.pairs)):
                    say(f"{label}: {number + 1} of {len(plan.pairs)} pairs")
        for row in rows:
            row.finish()
        if plan.task.conclude:
            plan.task.conclude(plan.task, rows)
        worst = next(row for row in rows if row.entrant.spec.name == COPY).worst_values()
        return [Result(self._publish(self._record(row, worst), row), row.failures) for row in rows]

    def _compare(self, pair: Pair, rows: Sequence[Row], preview: int | None) -> None:
        """Let every row take one pair; `preview` numbers the pair when frames of it are to be kept."""
        try:
            view = self.reader.read(pair)
        except (BadVideo, IndexError) as error:
            for row in rows:
                row.fail(pair, self.reader.indices(pair), f"a clip cannot be read: {error}")
            return
        seed = int(sha256_text(f"{self._seed}\t{pair.id}")[:15], 16)
        for row in rows:
            made = row.take(pair, view, seed)
            if made is not None and preview is not None:
                row.previews.append(run_folder.preview(preview, pair, *made))

    def _record(self, row: Row, worst: Mapping[str, float]) -> RunRecord:
        plan, task, spec = self.plan, self.plan.task, row.entrant.spec
        stated: dict[str, Any] = {"references": {aspect: ref.meaning for aspect, ref in row.references.items()}}
        if task.parameters:
            stated["parameters"] = dict(task.parameters)
        if task.angles:
            stated["angles"] = [list(of_frame) for of_frame in task.angles]  # what the samples' frame numbers mean
        seconds = row.seconds | {
            "decode": self.reader.seconds,
            "truth": plan.truth.seconds if plan.truth else 0.0,
            "evaluators": self.features.seconds,
            "total": time.perf_counter() - self._clock,
        }
        return RunRecord(
            schema_version=SCHEMA_VERSION,
            run_id="",
            status="complete",
            created=self.started.isoformat(timespec="milliseconds"),
            source="predictions" if isinstance(row.entrant, Predicted) else "measured",
            command=(Path(sys.argv[0]).name, *sys.argv[1:]),
            arguments=self._arguments | stated | row.stated,
            git_sha=self._git_sha,
            git_dirty=self._git_dirty,
            packages=provenance.packages(),
            machine=provenance.machine(self._device),
            seed=self._seed,
            suite=self.suite.name,
            model=ModelInfo(**{name: getattr(spec, name) for name in ModelInfo.model_fields}),
            dataset=DatasetInfo(
                name=plan.dataset.name, fingerprint=plan.dataset.fingerprint, n_clips=len(plan.dataset.clips)
            ),
            protocol=ProtocolInfo(
                id=plan.protocol.id,
                task=task.id,
                pair_list_sha256=pair_list_sha256(plan.pairs),
                n_pairs=len(plan.pairs),
                size=task.size,
                frames_per_clip=task.frames_per_clip,
                limit=self._limit,
                split=plan.split,
                shots=task.shots,
                failed_frames=plan.protocol.file.failed_frames,
            ),
            metrics=row.infos(worst),
            evaluators={kind: EvaluatorInfo(**asdict(info)) for kind, info in self.suite.networks.items()},
            seconds={part: round(value, 3) for part, value in seconds.items()},
            frames_driven=row.frames_driven,
            previews=(),
            samples_sha256="",
        )

    def _publish(self, record: RunRecord, row: Row) -> Path:
        """Write the run's folder."""
        spec = record.model_dump_json(
            include={"model", "dataset", "protocol", "metrics", "evaluators", "seed", "suite", "source"}
        )
        stamp = self.started.strftime("%Y%m%dT%H%M%S") + f"{self.started.microsecond // 1000:03d}Z"
        run_id = f"{stamp}-{record.protocol.task}-{_plain(record.model.name)}-{sha256_text(spec)[:8]}"
        named = record.model_copy(update={"run_id": run_id})
        return run_folder.publish(self._out, named, row.samples, row.previews, row.worst.finish())


def _plain(name: str) -> str:
    """A name that somebody chose, as a part of a folder's name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[:60]
