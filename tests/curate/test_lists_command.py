"""`curate lists` and what it counts; readers meet hostile input."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from curate.commands.lists import lists
from curate.errors import UserError
from curate.lists import FORMATS, default_list, read


def run(*arguments: object) -> tuple[str, str]:
    done = CliRunner().invoke(lists, [str(argument) for argument in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_the_list_that_ships_is_the_default() -> None:
    table = json.loads(run("--json")[0])
    assert (table["videos"], table["without_clips"], table["clips"], table["with_address"]) == (28, 2, 38, 28)
    assert table["splits"] == {"val": 38}
    assert table["frame_sizes"] == {"1920 x 1080": 38}
    assert table["side"]["least"] == 464
    assert (table["length"]["least"], table["length"]["greatest"], table["hours"]) == (500, 1026, None)
    (warning,) = table["warnings"].items()
    assert warning[1] == 37
    assert warning[0].startswith("frames are counted from chunk N")


def test_figures_of_the_training_list(shared: Path) -> None:
    path = shared / "data" / "lists" / "talkinghead1kh_yuangan-fork" / "train_video_tubes.txt"
    table = json.loads(run(path, "--json")[0])
    assert (table["length"]["least"], table["length"]["middle"], table["length"]["greatest"]) == (30, 70, 1920)
    assert table["square"] / table["clips"] == pytest.approx(0.8, abs=0.005)
    assert table["side_512"] / table["clips"] == pytest.approx(0.119, abs=0.0005)


def test_hours_are_those_of_known_rates(tmp_path: Path) -> None:
    rows = [
        {"video_id": "v", "clip_id": "a", "start_s": 10, "end_s": 910},
        {"video_id": "v", "clip_id": "b", "start_frame": 0, "end_frame": 22_500, "fps": 25},
        {"video_id": "v", "clip_id": "c", "start_frame": 0, "end_frame": 100},
        {"video_id": "v", "clip_id": "c"},
    ]
    path = tmp_path / "list.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    table = json.loads(run(path, "--json")[0])
    assert (table["hours"], table["frames"], table["repeated_names"]) == (0.5, 100, 1)
    shown = run(path)[0]
    assert "0.50 h; a clip 900 / 900 / 900 s" in shown
    assert "videos      1, 0 with an address" in shown


def test_conversion_says_what_is_lost(tmp_path: Path) -> None:
    out, err = run(default_list(), "--to", "parquet", "--out", tmp_path / "a.parquet")
    assert (out, err) == ("", f"wrote 38 clips of 28 videos as parquet: {tmp_path / 'a.parquet'}\n")
    assert read(tmp_path / "a.parquet").tubes == read(default_list()).tubes
    run(tmp_path / "a.parquet", "--to", "talkinghead1kh", "--out", tmp_path / "val_video_tubes.txt")
    for name in ("val_video_tubes.txt", "val_video_ids.txt"):
        assert (tmp_path / name).read_bytes() == (default_list().parent / name).read_bytes()
    _, err = run(default_list(), "--to", "ids", "--out", tmp_path / "ids.txt")
    assert "ids has no place for all that the list says of 38 clips" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "ids"], "belong together"),
        (["--to", "idz", "--out", "x"], "did you mean ids"),
        (["--format", "vfq"], "did you mean vfhq"),
        (["--to", "ids", "--out", str(default_list())], "is the list itself"),
        (["absent.csv"], "absent.csv: no such list"),
    ],
)
def test_wrong_use_is_one_line(arguments: list[str], message: str) -> None:
    done = CliRunner().invoke(lists, arguments)
    assert isinstance(done.exception, UserError)
    assert message in str(done.exception)
    assert "\n" not in str(done.exception)


def test_help_names_every_format() -> None:
    shown = run("--help")[0]
    assert all(f"  {name} " in shown for name in FORMATS)


HEADERS = (
    "",
    "video_id,start,end,bbox,fps,width,height,partition\n",
    '{"clips": {"a": ',
    "-5Lm-oibjJQ_0002, ",
    "\ufeffA ",
)
NAMES = ("a.txt", "a.csv", "a.json", "a.jsonl", "RD_video_url.txt", "Clip+x+P0+C0+F5-9.txt", "a.parquet")


@given(
    name=st.sampled_from(NAMES),
    header=st.sampled_from(HEADERS),
    text=st.text(st.sampled_from('{}[]",:-_.0123456789 \n\0\u2028eNaBHWFPSCRO'), max_size=60) | st.binary(max_size=30),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_file_holds_reading_it_works_or_names_it(
    tmp_path_factory: pytest.TempPathFactory, name: str, header: str, text: str | bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "hostile" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(header.encode() + (text if isinstance(text, bytes) else text.encode()))
    error = None
    try:
        read(path)
    except UserError as caught:
        error = str(caught)
    assert error is None or (path.parent.name in error and "\n" not in error)


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", DEEP),
        ("a.jsonl", DEEP),
        ("a.json", '{"clips": {"c": {"ytb_id": "x", "duration": {"start_sec": 0, "end_sec": 1e999}, "bbox": {}}}}'),
        ("a.jsonl", '{"video_id": "v", "clip_id": "c", "start_s": 1, "end_s": ' + "9" * 400 + "}"),
        ("a.jsonl", '{"video_id": "v", "clip_id": "c", "start_frame": 1, "end_frame": ' + "9" * 400 + "}"),
        ("a.json", '{"clips": {"c": {"ytb_id": "x", "duration": {"start_sec": 0, "end_sec": ' + "9" * 400 + "}}}}"),
        ("a.jsonl", '{"video_id": "v", "attributes": {"a": 1}}'),
        ("a.csv", HEADERS[1] + "v,1,9,1-2-3-" + "9" * 5000 + ",25,10,10,train\n"),
        ("a_video_tubes.txt", "-5Lm-oibjJQ_0002, 720, 1280, 0, " + "9" * 5000 + ", 1, 1, 2, 2"),
    ],
)
def test_numbers_and_nesting_without_measure_are_errors(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(UserError) as raised:
        read(tmp_path / name)
    assert name in str(raised.value)
    assert len(str(raised.value)) < 1000
