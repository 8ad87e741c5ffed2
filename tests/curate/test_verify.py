"""`curate verify` and `curate stats`: a sound dataset passes, every fault is named with its mend."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from curate import manifest
from curate.commands.dataset import stats, verify
from curate.errors import UserError
from curate.ledger_queries import common_reason, grouped, read
from curate.verify import verify as check


def rows(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "manifest.parquet").to_pylist()


def first_clip(out: Path) -> Path:
    return out / rows(out)[0]["path"]


def test_a_finished_dataset_is_sound(finished: Path) -> None:
    assert check(finished).faults == ()
    done = CliRunner().invoke(verify, [str(finished)])
    assert done.exit_code == 0
    assert done.stdout.endswith("all is well\n")


def lose(out: Path) -> None:
    first_clip(out).unlink()


def flip(out: Path) -> None:
    content = bytearray(first_clip(out).read_bytes())
    content[len(content) // 2] ^= 1
    first_clip(out).write_bytes(content)


def add_stray(out: Path) -> None:
    (out / "clips" / "left over.mp4").write_bytes(b"")


def miscount(out: Path) -> None:
    changed = rows(out)
    changed[0]["n_frames"] += 1
    manifest.write(out, changed)


def lead_outside(out: Path) -> None:
    changed = rows(out)
    changed[0]["path"] = "../in/long.mp4"
    manifest.write(out, changed)


def edit_lines(out: Path) -> None:
    path = out / "manifest.jsonl"
    path.write_text(path.read_text().replace('"fps": 25.0', '"fps": 24.0', 1))


def cut_lines(out: Path) -> None:
    path = out / "manifest.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def lose_lines(out: Path) -> None:
    (out / "manifest.jsonl").unlink()


def forget(out: Path) -> None:
    with duckdb.connect(str(out / "ledger.duckdb")) as db:
        db.execute("DELETE FROM clips WHERE clip_id = (SELECT min(clip_id) FROM clips)")


def drop(out: Path) -> None:
    with duckdb.connect(str(out / "ledger.duckdb")) as db:
        db.execute("UPDATE items SET verdict = 'dropped' WHERE item_id = (SELECT min(clip_id) FROM clips)")


def change_person(out: Path) -> None:
    with duckdb.connect(str(out / "ledger.duckdb")) as db:
        db.execute("""UPDATE clips SET manifest = json_merge_patch(manifest, '{"identity_id": "of a list"}')""")


def lose_ledger(out: Path) -> None:
    (out / "ledger.duckdb").unlink()


@pytest.mark.parametrize(
    ("damage", "message", "mend"),
    [
        (lose, "is not there", "it makes lost clips"),
        (flip, "has other bytes than its sha256 says", "delete clips/"),
        (add_stray, "is in no manifest row", "delete clips/left over.mp4"),
        (miscount, "frames, the manifest says", "delete clips/"),
        (lead_outside, "leads out of the dataset", "once more"),
        (edit_lines, "manifest.parquet and manifest.jsonl differ in fps", "once more"),
        (cut_lines, "is in manifest.parquet and not in manifest.jsonl", "once more"),
        (lose_lines, "manifest.jsonl: is not there", "once more"),
        (forget, "is in manifest.parquet and not in ledger.duckdb", "once more"),
        (drop, "not kept by ledger.duckdb", "once more"),
        (change_person, "manifest.parquet and ledger.duckdb differ in identity_id", "once more"),
        (lose_ledger, "ledger.duckdb: is not there", "once more"),
    ],
)
def test_every_fault_is_named_with_its_mend(
    damage: Callable[[Path], None], message: str, mend: str, dataset: Path
) -> None:
    damage(dataset)
    done = CliRunner().invoke(verify, [str(dataset)])
    assert done.exit_code == 1
    named = [line for line in done.stdout.splitlines() if message in line]
    assert named, done.stdout
    assert mend in named[0].split("; mend: ")[1]
    found = json.loads(CliRunner().invoke(verify, [str(dataset), "--json"]).stdout)
    assert len(found["faults"]) == len(done.stdout.splitlines()) - 1


def test_persons_splits_and_duplicates_may_be_known_to_the_manifest_alone(dataset: Path) -> None:
    changed = [{**row, "identity_id": "p0", "split": "test", "duplicate_of": "x"} for row in rows(dataset)]
    manifest.write(dataset, changed)
    assert check(dataset).faults == ()


def test_a_folder_without_manifest_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is no dataset: it has no manifest.parquet"):
        check(tmp_path)


def test_stats_count_hours_and_errors(finished: Path) -> None:
    done = CliRunner().invoke(stats, [str(finished), "--json"])
    found = json.loads(done.stdout)
    assert found["error_classes"] == {"unreadable": 1}
    assert found["hours_in"] * 3600 == pytest.approx((40 + 80 + 15 + 30) / 25)
    kept = [group for group in found["counts"] if (group["kind"], group["verdict"]) == ("clip", "kept")]
    assert found["hours_kept"] * 3600 == pytest.approx(kept[0]["seconds"])
    size = sum(path.stat().st_size for path in (finished / "clips").iterdir())
    assert found["gb_kept"] * 1e9 == pytest.approx(size)
    assert found["hours_per_work_hour"] > 0
    text = CliRunner().invoke(stats, [str(finished)]).stdout
    assert "failed: unreadable: 1" in text


def test_counts_are_those_of_the_items(finished: Path) -> None:
    items = read(finished).items
    groups = grouped(items)
    assert sum(group.count for group in groups) == len(items)
    assert {group.reason for group in groups if group.verdict == "kept"} == {""}


def test_reasons_that_differ_in_numbers_are_one() -> None:
    assert common_reason(["1 # 2 < 5", "3 # 2 < 5"]) == "# # 2 < 5"
    assert common_reason(["plain"]) == "plain"
