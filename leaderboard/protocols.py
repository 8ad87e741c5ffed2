"""In what the protocols of runs and papers differ, in words: why two numbers cannot stand in one ranked column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_FIELDS = {  # of the view `standings`: field -> how a difference in it is told
    "source": "one is {a}, the other {b}",
    "task": "tasks: {a} against {b}",
    "protocol": "versions of the protocol: {a} against {b}",
    "dataset": "datasets: {a} against {b}",
    "dataset_fingerprint": "other clips under the dataset's name: fingerprint {a} against {b}",
    "split": "splits: {a} against {b}",
    "pair_list_sha256": "other pairs: list {a} against {b}",
    "n_pairs": "number of pairs: {a} against {b}",
    "size": "compared at {a} px against {b} px",
    "frames_per_clip": "frames of a clip: {a} against {b}",
    "shots": "source images: {a} against {b}",
    "networks": "networks: {a} against {b}",
    "reference": "compared with the {a} against compared with the {b}",
}
_HASHES = ("dataset_fingerprint", "pair_list_sha256")
_FOLLOWS = {"dataset_fingerprint": "dataset", "protocol": "task"}  # says nothing where the other differs already


def reference(signature: str) -> str:
    """What a signature says that models are compared with, "" where it does not.

    >>> reference("l1|pixels|vs:driving|256px")
    'driving'
    """
    return next((part[3:] for part in signature.split("|") if part.startswith("vs:")), "")


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Why two runs' values of one metric cannot be ranked together; of two equal protocols nothing.

    Both are rows of the view `standings`.
    """
    found = []
    with_reference = [dict(row) | {"reference": reference(row["signature"])} for row in (one, other)]
    for key, words in _FIELDS.items():
        a, b = (row[key] for row in with_reference)
        follows = key in _FOLLOWS and one[_FOLLOWS[key]] != other[_FOLLOWS[key]]
        if a != b and not follows:
            a, b = (str(v)[:8] if key in _HASHES else "none named" if v in (None, "") else v for v in (a, b))
            found.append(words.format(a=a, b=b))
    if one["unit"] != other["unit"] or one["higher_is_better"] != other["higher_is_better"]:
        found.append("the metric has another unit or direction")
    if not found and one["signature"] != other["signature"]:
        found.append(f"signatures: {one['signature']} against {other['signature']}")
    return found
