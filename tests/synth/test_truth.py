"""truth.parquet: what is written comes back bit by bit, one clip at a time, and other files are named as such."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curate import angles
from curate.errors import MissingPrerequisite, UserError
from curate.synth import truth
from curate.synth.parameters import EXPRESSION, IDENTITY, Identity, Motion, Scene, sample_identity, sample_scene
from curate.synth.truth import TRUTH, ClipTruth, Truth


def made(clip_id: str, n: int = 3, seed: int = 0) -> ClipTruth:
    """A clip's truth of random numbers: any bit pattern of a finite float32 may occur."""
    rng = np.random.default_rng((seed, n))

    def floats(*shape: int) -> np.ndarray:
        values = rng.integers(0, 1 << 32, shape, dtype=np.uint32).view(np.float32)
        return np.where(np.isfinite(values), values, np.float32(0.1))

    camera = floats(3, 3)
    return ClipTruth(
        clip_id=clip_id,
        identity=Identity(f"person {seed}", floats(len(IDENTITY))),
        motion=Motion(floats(n, len(EXPRESSION)), floats(n, 3), floats(n, 3), float(rng.uniform(1, 3))),
        scene=sample_scene(rng),
        size=int(rng.integers(64, 512)),
        fps=float(rng.choice([25.0, 30000 / 1001])),
        noise=float(rng.random()),
        noise_seed=int(rng.integers(1 << 31)),
        synth_version=1,
        rotation=floats(n, 3, 3),
        camera=camera,
        landmarks2d=floats(n, 68, 2),
        landmarks3d=floats(n, 68, 3),
        visible=rng.random((n, 68)) < 0.5,
        face_box=floats(n, 4),
        crop_box=floats(n, 4),
    )


def write(folder: Path, *clips: ClipTruth) -> Path:
    truth.write(folder / TRUTH, [truth.to_table(clip) for clip in clips])
    return folder


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, ClipTruth | Motion | Identity):
        return all(same(getattr(a, field.name), getattr(b, field.name)) for field in fields(a))
    return type(a) is type(b) and a == b


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 40), min_size=1, max_size=4), st.integers(0, 1 << 30))
def test_what_is_written_comes_back_bit_by_bit(tmp_path: Path, lengths: list[int], seed: int) -> None:
    clips = [made(f"clip-{k}", n, seed + k) for k, n in enumerate(lengths)]
    known = Truth.open(write(tmp_path, *clips))
    assert known.clip_ids == tuple(clip.clip_id for clip in clips)
    for clip in clips:
        assert same(known.clip(clip.clip_id), clip)


def test_the_scene_and_identity_of_the_generator_come_back_equal(tmp_path: Path) -> None:
    clip = replace(made("a"), identity=sample_identity(3, 5), scene=sample_scene(np.random.default_rng(9)))
    back = Truth.open(write(tmp_path, clip)).clip("a")
    assert back.scene == clip.scene
    assert isinstance(back.scene, Scene)
    assert back.identity.named == clip.identity.named


def test_a_table_that_was_read_is_written_with_the_same_bytes(tmp_path: Path) -> None:
    clips = [made("a", 40), made("b", 7)]
    known = Truth.open(write(tmp_path, *clips))
    again = tmp_path / "again.parquet"
    truth.write(again, [known.table("a"), known.table("b")])
    assert again.read_bytes() == (tmp_path / TRUTH).read_bytes()


def test_one_clip_is_read_without_the_others(tmp_path: Path) -> None:
    """The bytes of all other clips may be anything."""
    clips = [made(f"clip-{k}", 200, k) for k in range(3)]
    path = write(tmp_path, *clips) / TRUTH
    group = pq.ParquetFile(path).metadata.row_group(0)
    first = group.column(0)
    content = bytearray(path.read_bytes())
    start = first.dictionary_page_offset or first.data_page_offset
    content[start : start + 400] = bytes(400)
    path.write_bytes(bytes(content))
    known = Truth.open(tmp_path)
    assert same(known.clip("clip-2"), clips[2])
    with pytest.raises(UserError, match=r"truth\.parquet cannot be read at clip 'clip-0'"):
        known.clip("clip-0")


def test_every_column_is_documented_and_has_its_type() -> None:
    for field in truth.schema():
        assert len(field.metadata[b"meaning"]) > 2
        assert not field.nullable
    assert truth.schema().field("landmarks2d").type.list_size == 136
    assert truth.schema().field("landmarks3d").type.list_size == 204
    assert truth.schema().field("visible").type.value_type == pa.bool_()


def test_other_tools_can_read_it(tmp_path: Path) -> None:
    import duckdb

    clip = made("a", 5)
    clip.motion.angles[:] = 12.5
    path = write(tmp_path, clip) / TRUTH
    table = duckdb.read_parquet(str(path))
    rows = table.order("frame").project("frame, yaw, landmarks2d[1], visible[68]").fetchall()
    assert rows == [(t, 12.5, float(clip.landmarks2d[t, 0, 0]), bool(clip.visible[t, 67])) for t in range(5)]


def test_absent_truth_is_a_missing_prerequisite_with_its_mend(tmp_path: Path) -> None:
    assert not truth.available(tmp_path)
    with pytest.raises(MissingPrerequisite, match="curate synth --out DIR") as caught:
        Truth.open(tmp_path)
    assert "\n" not in str(caught.value)
    write(tmp_path, made("a"))
    assert truth.available(tmp_path)
    with pytest.raises(UserError, match="has no clip 'b'"):
        Truth.open(tmp_path).clip("b")


def test_asking_whether_there_is_truth_loads_nothing_heavy() -> None:
    code = "import sys; from curate.synth import truth; truth.available('.'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pyarrow", "numba", "torch", "av", "cv2", "pandas"} & set(done.stdout.split())


def rewrite(change: Callable[[pa.Table], pa.Table]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        pq.write_table(change(pq.read_table(path)), path)

    return damage


def replaced(table: pa.Table, name: str, values: list[object]) -> pa.Table:
    index = table.schema.get_field_index(name)
    field = table.schema.field(name).with_nullable(True)
    return table.set_column(index, field, pa.array(values, field.type))


def scene(**change: object) -> list[object]:
    value = json.loads(truth.to_table(made("a")).column("scene")[0].as_py()) | change
    return [json.dumps({name: item for name, item in value.items() if item != "gone"})] * 3


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "text": (lambda path: path.write_text("not a table"), "is no readable truth"),
    "empty": (lambda path: path.write_bytes(b""), "is no readable truth"),
    "cut off": (lambda path: path.write_bytes(path.read_bytes()[:-200]), "is no readable truth"),
    "other table": (rewrite(lambda table: table.select(["clip_id"])), "it has no column 'frame'"),
    "other type": (rewrite(lambda table: replaced(table, "yaw", [0.0] * 3).cast(
        pa.schema([f.with_type(pa.float64()) if f.name == "yaw" else f for f in table.schema])
    )), "column 'yaw' is double, expected float"),
    "no rows": (rewrite(lambda table: table.slice(0, 0)), "is not one clip"),
    "two clips in a group": (rewrite(lambda table: replaced(table, "clip_id", ["a", "b", "b"])), "is not one clip"),
    "frames missing": (rewrite(lambda table: replaced(table, "frame", [0, 2, 3])), "frames are not numbered"),
    "null": (rewrite(lambda table: replaced(table, "yaw", [0, None, 1])), "yaw has NULLs"),
    "not finite": (rewrite(lambda table: replaced(table, "yaw", [0, np.nan, 1])), "yaw is not finite"),
    "null list": (rewrite(lambda table: replaced(table, "rotation", [None] * 3)), "rotation has NULLs"),
    "two people": (rewrite(lambda table: replaced(table, "identity_id", ["x", "y", "x"])), "identity_id must be"),
    "two sizes": (rewrite(lambda table: replaced(table, "size", [64, 64, 65])), "size must be the same"),
    "negative size": (rewrite(lambda table: replaced(table, "size", [-1] * 3)), "out of range"),
    "scene no json": (rewrite(lambda table: replaced(table, "scene", ["{"] * 3)), "make no sense"),
    "scene other json": (rewrite(lambda table: replaced(table, "scene", ["[]"] * 3)), "scene is not what"),
    "scene lacks": (rewrite(lambda table: replaced(table, "scene", scene(key="gone"))), "scene is not what"),
    "scene has more": (rewrite(lambda table: replaced(table, "scene", scene(x=1))), "scene is not what"),
    "scene text": (rewrite(lambda table: replaced(table, "scene", scene(exposure="high"))), "exposure = 'high'"),
    "scene nan": (rewrite(lambda table: replaced(table, "scene", scene(exposure=float("nan")))), "exposure = nan"),
    "scene short colour": (rewrite(lambda table: replaced(table, "scene", scene(key=[1, 2]))), "key = "),
    "scene seed": (rewrite(lambda table: replaced(table, "scene", scene(background=-1))), "background is no seed"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_files_that_are_no_truth_are_named_in_one_line(name: str, tmp_path: Path) -> None:
    damage, message = DAMAGES[name]
    damage(write(tmp_path, made("a")) / TRUTH)
    with pytest.raises(UserError, match=message) as caught:
        Truth.open(tmp_path).clip("a")
    assert "\n" not in str(caught.value)
    assert TRUTH in str(caught.value)


def test_a_byte_that_changed_is_noticed_or_harmless(tmp_path: Path) -> None:
    """Data pages carry checksums, so no changed number is taken for the truth; a broken footer is named."""
    clips = [made("a", 3), made("b", 3, seed=1)]
    path = write(tmp_path, *clips) / TRUTH
    content, rng = path.read_bytes(), np.random.default_rng(0)
    noticed = []
    for _ in range(150):
        damaged = bytearray(content)
        at = int(rng.integers(4, len(content) - 8))
        damaged[at] ^= int(rng.integers(1, 256))
        path.write_bytes(bytes(damaged))
        try:
            known = Truth.open(tmp_path)
            assert all(same(known.clip(clip.clip_id), clip) for clip in clips if clip.clip_id in known)
        except UserError as error:
            noticed.append(str(error))
    assert len(noticed) > 75
    assert all(TRUTH in line for line in noticed)


def test_a_clip_that_stands_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, made("a"), made("a"))
    with pytest.raises(UserError, match="'a' stands in it twice"):
        Truth.open(tmp_path)


def test_angles_of_the_stored_rotation_are_the_stored_angles(tmp_path: Path) -> None:
    turned = np.random.default_rng(0).uniform(-60, 60, (20, 3)).astype(np.float32)
    clip = made("a", 20)
    clip = replace(
        clip, motion=replace(clip.motion, angles=turned), rotation=angles.rotation(turned).astype(np.float32)
    )
    back = Truth.open(write(tmp_path, clip)).clip("a")
    assert np.abs(angles.angles(back.rotation) - back.motion.angles).max() < 1e-3
