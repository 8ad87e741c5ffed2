"""What only the whole dataset tells: near-duplicates, who is who, and splits that share nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from curate.dedup import duplicate_of, near_duplicates
from curate.identity import clusters
from curate.ledger import Trace
from curate.settings import DatasetSettings
from curate.splits import assign

Row = dict[str, Any]


def finished(rows: Sequence[Row], traces: Sequence[tuple[str, Trace]], settings: DatasetSettings) -> list[Row]:
    """Manifest rows with `duplicate_of`, `identity_id` and `split` filled in where something tells them.

    What a list or a path says of identity and split stays. The order of the arguments does not matter.
    """
    done = {str(row["clip_id"]): dict(row) for row in rows}
    known = [(video, trace) for video, trace in traces if trace.clip_id in done]
    originals = _duplicates(done, known)
    for clip, original in originals.items():
        done[clip]["duplicate_of"] = original
    for clip, person in _persons(done, known, settings.same_person).items():
        if done[clip].get("identity_id") is None:
            done[clip]["identity_id"] = person
    if settings.splits:
        people = {clip: str(row.get("identity_id") or row["video_id"]) for clip, row in done.items()}
        drawn = assign(people, settings.splits, settings.seed, together=_together(done, originals))
        for clip, split in drawn.items():
            if done[clip].get("split") is None:
                done[clip]["split"] = split
    return [done[clip] for clip in sorted(done)]


def _duplicates(rows: Mapping[str, Row], traces: Sequence[tuple[str, Trace]]) -> dict[str, str]:
    sequences = {trace.clip_id: trace.hashes for _, trace in traces}
    matches = near_duplicates(sequences, videos={trace.clip_id: video for video, trace in traces})
    order = {clip: (float(row["native_side"]), float(row["n_frames"] / row["fps"])) for clip, row in rows.items()}
    return duplicate_of(matches, order)


def _persons(rows: Mapping[str, Row], traces: Sequence[tuple[str, Trace]], threshold: float) -> dict[str, str]:
    """Identities of the clips whose faces have embeddings."""
    embeddings = {
        trace.clip_id: np.asarray(trace.embedding, np.float32) for _, trace in traces if trace.embedding is not None
    }
    by_track, by_video = defaultdict(list), defaultdict(list)
    for video, trace in traces:
        by_track[video, trace.track].append(trace.clip_id)
        by_video[video].append(trace)
    together = [(clips[0], other) for clips in by_track.values() for other in clips[1:]]
    apart = [
        (a.clip_id, b.clip_id)
        for clips in by_video.values()
        for a, b in combinations(clips, 2)
        if a.track != b.track and _meet(rows[a.clip_id], rows[b.clip_id])
    ]
    return clusters(embeddings, threshold=threshold, together=together, apart=apart)


def _meet(a: Row, b: Row) -> bool:
    """Whether two clips of a video share a moment: then two tracks are two people."""
    return bool(a["start_frame"] < b["end_frame"] and b["start_frame"] < a["end_frame"])


def _together(rows: Mapping[str, Row], originals: Mapping[str, str]) -> list[tuple[str, str]]:
    """Clips that must be in one split: near-duplicates, and all of one video, whoever is in it."""
    pairs = list(originals.items())
    first: dict[str, str] = {}
    for clip, row in rows.items():
        pairs.append((first.setdefault(str(row["video_id"]), clip), clip))
    return pairs
