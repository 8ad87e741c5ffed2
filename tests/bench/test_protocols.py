"""Protocols: what ships is as pinned, published lists are read, and a change of a protocol is another column."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

import bench
from bench import metrics, pair_lists, protocols, tasks
from bench.cli import main
from bench.pair_lists import Listed
from bench.plan import settle_task
from bench.protocol_maker import Draw, draw
from bench.tasks.base import Pair, pair_list_sha256
from curate import video
from curate.dataset import Clip
from curate.errors import MissingPrerequisite, UserError
from curate.synth.named import dataset_names, recipe
from leaderboard.ingest import ingest
from leaderboard.records import read_record
from leaderboard.standings import boards
from leaderboard.store import Store

from .conftest import FRAMES, FakeSuite, picture, write_dataset

LISTS = Path(__file__).resolve().parents[3] / "shared" / "data" / "lists"
OURS = tuple(tasks.available())


def command(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def clip(name: str, person: str = "", frames: int = 9, at: Path = Path()) -> Clip:
    return Clip(name, at, "", f"v-{name}", person or name, None, frames, 25.0, 64, 64)


@pytest.mark.parametrize("name", protocols.shipped())
def test_what_ships_is_what_was_pinned(name):
    protocol = protocols.get(name)
    assert protocol.file.definition_sha256 == protocol.definition_sha256
    assert protocols.verify(protocol) == ""
    assert f"{protocol.file.protocol}@{protocol.file.version}" == name


@pytest.mark.parametrize("name", OURS)
def test_our_protocols_are_the_tasks_as_they_are(name):
    task = tasks.get(name)
    protocol, same = settle_task(name, None, None, None)
    assert protocol.file.protocol == name
    versions = [one.file.version for one in protocols.shipped().values() if one.file.protocol == name]
    assert protocol.file.version == max(versions)
    assert protocol.file.failed_frames == "penalise"
    assert replace(same, parameters=task.parameters) == task
    added = {key: value for key, value in same.parameters.items() if key not in task.parameters}
    used = [metric for metric in metrics.available().values() if metric.aspect in task.references]
    assert [metric.under(added).id for metric in used] == [metric.id for metric in used]  # the usual thresholds
    assert set(protocol.file.lists) == set(dataset_names())
    for dataset, named in protocol.file.lists.items():
        clips = [
            Clip(c.clip_id, Path(), "", c.video_id, str(c.identity), c.split, c.n_frames, 25.0, 256, 256)
            for c in recipe(dataset).clips()
            if c.split == "test"
        ]
        listed = pair_lists.read(protocol.path(named), named.form)
        pairs, lacking = pair_lists.resolve(listed, pair_lists.names_of(clips, {}))
        assert not lacking
        assert pairs == task.pairs(clips, 0)


def test_a_change_without_a_new_version_is_found(tmp_path):
    for path in protocols.SHIPPED.glob("cross-id@2.toml"):
        text = path.read_text()
    shutil.copytree(protocols.SHIPPED / "pairs", tmp_path / "pairs")
    for old, new in (("size = 256", "size = 128"), ("shots = 1", "shots = 2"), ('"penalise"', '"drop"')):
        (tmp_path / "other.toml").write_text(text.replace(old, new))
        assert "raise its version" in protocols.verify(protocols.get(str(tmp_path / "other.toml")))
    (tmp_path / "other.toml").write_text(text)
    assert protocols.verify(protocols.get(str(tmp_path / "other.toml"))) == ""
    with (tmp_path / "pairs" / "cross-id.synthheads.csv").open("a") as file:
        file.write("a,b\n")
    result = command("protocols", "verify", tmp_path / "other.toml")
    assert result.exit_code == 1
    assert "its sha256 is" in result.stdout


PUBLISHED = {  # two of them have a pair twice
    "dagan-vox-same@1": (
        2082,
        Listed("id10282#Zbz058o9j6s#004557#004656", "id10282#Zbz058o9j6s#004557#004656", (13,), (48,)),
    ),
    "dagan-vox-cross@1": (
        2083,
        Listed("id10292#ENIHEvg_VLM#009003#009125", "id10290#gTbcgoYXWdU#001173#001330", (75,), (34,)),
    ),
    "dagan-vox-animate@1": (
        2082,
        Listed("id10292#ENIHEvg_VLM#009003#009125", "id10290#gTbcgoYXWdU#001173#001330", (75,)),
    ),
    "dagan-vox-pairs@1": (
        498,
        Listed("id10291#TMCTm7GxiDE#002960#003224", "id10286#isKyMAYUOgg#004288#004420", initial=0),
    ),
    "dagan-celebv-cross@1": (2083, Listed("Donald_Trump", "Emmanuel_Macron", (54394,), (45662,))),
    "mcnet-hdtf-same@1": (2083, Listed("RD_Radio39_000", "RD_Radio39_000", (346,), (1675,))),
    "mcnet-hdtf-cross@1": (100, Listed("WDA_CarolynMaloney1_000", "WRA_KristiNoem1_000", (0,), (508,), 291)),
}


@pytest.mark.skipif(not LISTS.is_dir(), reason="needs the lists as published")
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_lists_are_read(name, monkeypatch):
    monkeypatch.setenv(protocols.LISTS, str(LISTS))
    protocol = protocols.get(name)
    listed = pair_lists.read(protocol.path(protocol.file.pairs), protocol.file.pairs.form)
    count, first = PUBLISHED[name]
    assert len(listed) == count
    assert listed[0] == first


def test_a_published_list_that_is_not_here_says_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv(protocols.LISTS, raising=False)
    protocol = protocols.get("dagan-vox-same")
    with pytest.raises(
        MissingPrerequisite, match=r"vox_evaluation.csv .*published at https://.*export TALKINGHEAD_LISTS"
    ):
        protocol.path(protocol.file.pairs)
    (tmp_path / "vox_evaluation.csv").write_text("source,driving,frame\n")
    monkeypatch.setenv(protocols.LISTS, str(tmp_path))
    with pytest.raises(UserError, match="is not the list of dagan-vox-same@1: its sha256 is"):
        protocol.path(protocol.file.pairs)


def test_names_of_lists_find_clips_and_frames_must_be_there():
    vox, hdtf = clip("x1"), clip("x2")
    clips = pair_lists.names_of([vox, hdtf], {"x1": "id1#abc#000001#000100", "x2": "WDA_A_0"})
    listed = [Listed("id1#abc#000001#000100", "WDA_A_000.mp4", (1,), (8,), 2), Listed("gone", "WDA_A_000")]
    assert pair_lists.resolve(listed, clips) == ([Pair(vox, hdtf, (1,), (8,), 2)], ["gone"])
    with pytest.raises(UserError, match="frame 9 of x2, which has 9"):
        pair_lists.resolve([Listed("x1", "x2", driving_at=(9,))], clips)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\nc,d\n", "the first line must name the columns"),
        ("source,driving\nx\n", "line 2: "),
        ("source,driving,source_at\na,b,-1\n", "line 2: expected two clips"),
        ("source,driving\na,b\na,b\n", "has a pair twice"),
        (b"source,driving\n\xff,b\n", "is no CSV file"),
    ],
)
def test_lists_that_are_none(tmp_path, text, message):
    path = tmp_path / "list.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=message):
        pair_lists.read(path, "clips")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("size = 256", "size = 0"), "size"),
        (("shots = 1", "shots = 1\nshorts = 2"), "shorts"),
        (('task = "same-id"', "task = ["), "is no TOML file"),
        (('protocol = "same-id"', 'protocol = "../x"'), "protocol"),
    ],
)
def test_files_that_are_no_protocols(tmp_path, wrong, message):
    text = (protocols.SHIPPED / "same-id@1.toml").read_text()
    assert wrong[0] in text
    (tmp_path / "p.toml").write_text(text.replace(*wrong))
    result = command("protocols", "show", tmp_path / "p.toml")
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_list_cannot_lead_out_of_its_folder(tmp_path):
    (tmp_path / "secret.csv").write_text("source,driving\n")
    (tmp_path / "in").mkdir()
    assert protocols._found(tmp_path / "in", "../secret.csv") == []
    (tmp_path / "in" / "list.csv").symlink_to(tmp_path / "secret.csv")
    assert protocols._found(tmp_path / "in", "list.csv") == []


@given(st.integers(2, 6), st.integers(1, 8), st.integers(0, 99), st.sampled_from(["same", "other"]), st.randoms())
@settings(max_examples=60, deadline=None)
def test_drawn_lists_depend_on_seed_and_clips_alone(count, n, seed, people, random):
    clips = [clip(f"c{i}", f"p{i % 3}") for i in range(count)]
    for of, shots in (("frames", 2), ("clips", 1)):
        possible = count if people == "same" else len([1 for a in clips for b in clips if a.person != b.person])
        how = Draw(people, of, n if of == "frames" else min(n, possible), shots, seed)
        first = draw(clips, how)
        random.shuffle(clips)
        assert draw(clips, how) == first
        assert len({pair.id for pair in first}) == how.n
        for pair in first:
            assert (pair.source == pair.driving) == (people == "same")
            assert people == "same" or pair.source.person != pair.driving.person
            if of == "frames":
                assert len(set(pair.source_at)) == 2
                assert not (people == "same" and set(pair.source_at) & set(pair.driving_at))


def test_draws_that_cannot_be():
    with pytest.raises(UserError, match="two persons in two videos"):
        draw([clip("a")], Draw("other"))
    with pytest.raises(UserError, match="give 1 pairs, and 2 are asked for"):
        draw([clip("a")], Draw("same", n=2))
    with pytest.raises(UserError, match="hardly more than"):
        draw([clip("a", frames=2)], Draw("same", "frames", n=3))


def signatures(folder: Path) -> list[str]:
    record = read_record(folder)
    return [record.signature(metric) for metric in record.metrics]


def test_whatever_is_swapped_is_another_column(dataset, suite, outside, tmp_path, monkeypatch):
    """A protocol of one's own, and then another pair list, policy, size, version, weights file, and other crops."""

    def made(name: str, **options) -> Path:
        arguments = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
        result = command(
            *("protocols", "make", "--name", name, "--task", "cross-id", "--dataset", dataset, "--people", "other"),
            *("--out", tmp_path / name, *arguments),
        )
        assert result.exit_code == 0, result.stderr
        return Path(result.stdout.strip())

    def run(name: str, protocol: Path, data: Path = dataset) -> Path:
        return bench.run("cross-id", "shifter", data, protocol=protocol, out=tmp_path / "runs" / name)[0]

    protocol = made("mine", of="frames", pairs=4, seed=1)
    folders = {"first": run("first", protocol)}
    record = read_record(folders["first"])
    assert record.protocol.id.startswith("mine@1#")
    assert (record.protocol.failed_frames, record.protocol.n_pairs) == ("penalise", 4)
    assert record.frames_driven == 4  # one driving frame of each
    assert signatures(run("again", protocol)) == signatures(folders["first"])

    folders["pairs"] = run("pairs", made("mine2", of="frames", pairs=4, seed=2))
    text = protocol.read_text()
    for name, old, new in (
        ("policy", '"penalise"', '"drop"'),
        ("size", "size = 256", "size = 128"),
        ("version", "version = 1\ntask", "version = 2\ntask"),
    ):
        assert old in text
        if name == "size":
            continue  # the suite of these tests sees 256 pixels alone; size stands in the signature
        changed = protocol.with_name(f"{name}.toml")
        changed.write_text(text.replace(old, new, 1))
        folders[name] = run(name, changed)
    cropped = write_dataset(tmp_path / "cropped" / "tiny", [0, 1, 2])
    for i in range(3):
        video.write_video(cropped / "clips" / f"clip{i}.mp4", [picture(i, s + i + 3) for s in range(FRAMES)], 25.0)
    _hash_again(cropped)
    folders["crop"] = run("crop", protocol, cropped)
    other = replace(suite)
    monkeypatch.setattr("bench.runner.open_suite", lambda name: other)
    networks = {kind: replace(info, sha256="9" * 64) for kind, info in FakeSuite().networks.items()}
    monkeypatch.setattr(FakeSuite, "networks", property(lambda self: networks))
    folders["weights"] = run("weights", protocol)

    first = set(signatures(folders["first"]))
    for name, folder in folders.items():
        shared = first & set(signatures(folder))
        if name == "weights":  # metrics of pixels alone use no network
            assert {one.split("|")[1] for one in shared} <= {"pixels"}
        elif name != "first":
            assert not shared, name
    with Store(tmp_path / "a.duckdb") as store:
        assert not ingest(store, list(folders.values())).refused
        for board in boards(store):
            for i, column in enumerate(board.columns):
                filled = [row for row in board.ranked if (cell := row.cells[i]) and cell.mean is not None]
                assert len({row.run_id for row in filled}) <= 1, (column.signature, filled)


OTHER = {  # one change of a task's own protocol: the row whose values it changes
    "compression": ("key_frame_every = 100000", "key_frame_every = 2", "h264-crf51"),
    "kp-recognition": ("frames_per_clip = 8", "frames_per_clip = 3", "landmarks68"),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_settings_of_a_task_are_never_ranked_together(name, suite, tmp_path):
    data = write_dataset(tmp_path / "data", [0, 1, 0, 1])
    text = (protocols.SHIPPED / f"{name}@1.toml").read_text().split("\n[lists")[0]
    old, new, row = OTHER[name]
    assert old in text
    own = "\n".join(line for line in text.splitlines() if not line.startswith("definition"))
    (tmp_path / "same.toml").write_text(own.replace("[21, 27, 33, 39, 45, 51]", "[51]"))
    (tmp_path / "other.toml").write_text((tmp_path / "same.toml").read_text().replace(old, new))
    found = []
    for file in ("same", "other", "same"):
        folders = bench.run(name, "truth", data, protocol=tmp_path / f"{file}.toml", limit=2, out=tmp_path / "runs")
        found.append({read_record(folder).model.name: folder for folder in folders})
    first, other, again = (signatures(rows[row]) for rows in found)
    assert first == again
    assert not set(first) & set(other)
    with Store(tmp_path / "a.duckdb") as store:
        assert not ingest(store, [rows[row] for rows in found[:2]]).refused
        shown = boards(store)
        for board in shown:
            for i in range(len(board.columns)):
                assert len({one.run_id for one in board.ranked if (c := one.cells[i]) and c.mean is not None}) <= 1
        assert {one.model for board in shown for one in board.rows} == {row}
        assert len({one.run_id for board in shown for one in board.rows}) == 2


def test_a_shipped_protocol_that_somebody_edited_measures_nothing(suite, dataset, tmp_path, monkeypatch):
    shutil.copytree(protocols.SHIPPED, tmp_path / "protocols")
    path = tmp_path / "protocols" / "compression@1.toml"
    path.write_text(path.read_text().replace("video_crf = [21,", "video_crf = [22,"))
    monkeypatch.setattr(protocols, "SHIPPED", tmp_path / "protocols")
    with pytest.raises(UserError, match=r"protocol compression@1: it is not what was pinned.*raise its version"):
        bench.run("compression", "truth", dataset, out=tmp_path / "runs")


def test_a_made_protocol_holds_the_parameters_of_its_task(dataset, tmp_path):
    for task, people, names in (("compression", "same", {"video_crf", "preset", "hold"}), ("same-id", "same", set())):
        arguments = ("--name", "mine", "--task", task, "--dataset", dataset, "--people", people, "--pairs", 2)
        assert command("protocols", "make", *arguments, "--out", tmp_path).exit_code == 0
        made = protocols.get(str(tmp_path / "mine.toml"))
        assert names <= set(made.file.parameters)
        assert bool(names) == bool(made.file.parameters)
        assert made.task().parameters == protocols.of_task(tasks.get(task)).task().parameters


def _hash_again(root: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from curate.files import sha256_file

    rows = pq.read_table(root / "manifest.parquet").to_pylist()
    for row in rows:
        row["sha256"] = sha256_file(root / row["path"])
    pq.write_table(pa.Table.from_pylist(rows), root / "manifest.parquet")


def test_frames_of_a_pair_decide_what_is_compared(dataset, suite, outside, tmp_path):
    (tmp_path / "p.csv").write_text("source,driving,source_at,driving_at\nclip0,clip1,2,1 3\nclip0,clip1,1,1 3\n")
    from curate.files import sha256_file

    text = (protocols.SHIPPED / "cross-id@2.toml").read_text().split("[lists")[0].replace("definition_sha256", "#")
    text += f'[pairs]\nfile = "p.csv"\nsha256 = "{sha256_file(tmp_path / "p.csv")}"\n'
    (tmp_path / "p.toml").write_text(text)
    folder = bench.run("cross-id", "source-copy", dataset, protocol=tmp_path / "p.toml", out=tmp_path / "runs")[0]
    previews = read_record(folder).previews
    assert [preview.pair_id for preview in previews] == ["clip0@2--clip1@1@3", "clip0@1--clip1@1@3"]
    assert previews[0].frames == (1, 3)


def test_pair_lists_hash_as_before_where_no_frames_are_named():
    a, b = clip("a"), clip("b")
    from curate.files import sha256_text

    assert pair_list_sha256([Pair(a, b)]) == sha256_text("a\tb\n")
    kinds = [Pair(a, b), Pair(a, b, (1,)), Pair(a, b, (), (1,)), Pair(a, b, initial=0)]
    assert len({pair_list_sha256([pair]) for pair in kinds}) == 4


def test_protocols_are_listed_and_shown_with_their_gaps(dataset, suite, tmp_path):
    rows = {row["protocol"]: row for row in json.loads(command("protocols", "list", "--json").stdout)}
    assert rows.keys() >= {"cross-id@2", "fomm-vox@1", "osfv-same@1", "liveportrait-cross@1", "marionette-same-8shot@1"}
    assert rows["liveportrait-same@1"]["gaps"] > 0
    shown = command("protocols", "show", "liveportrait-same").stdout
    assert "gaps: no evaluation code is published" in shown
    wrong = command("run", "--task", "same-id", "--model", "truth", "--protocol", "cross-id", "--dataset", dataset)
    assert wrong.exit_code == 2
    assert "protocol cross-id@2 is of the task cross-id" in wrong.stderr
    assert "did you mean cross-id@" in command("protocols", "show", "cross-id@7").stderr
