"""The task `compression` from clips to records: what is sent, what the receiver sees, curves and comparisons."""

import json
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

import baselines
import bench
from baselines.interface import ModelSpec, Source
from bench import compression
from bench.bitstream import Format
from bench.compression import CodedModel, MotionOnce, VideoCoder
from bench.protocols import SHIPPED
from bench.rate_distortion import STATED
from bench.rate_settings import Setting, settings_of
from bench.runner import Request, measure
from bench.scoring import to_frames, to_tensor
from bench.tasks import compression as task
from curate.coding import Coding, CodingFailed, encode
from curate.dataset import Dataset
from curate.errors import UserError
from leaderboard.records import RunRecord, read_record

from .conftest import FRAMES, FakeSuite, write_dataset

CRFS = (20, 34, 48)
CLIPS = 2


class Shifter:
    """Moves the source by whole pixels, as far as the brightest column of a frame is from its middle."""

    def __init__(self, **_):
        able = ("relative", "codec")
        self.spec = ModelSpec("shifter", "mini", 64, capabilities=able, paper="none", parameters=3)
        self.generator = SimpleNamespace(num_kp=2)

    def encode_source(self, images, extras):
        return Source(images, {"own": self._place(images)})

    def _place(self, images):
        return images[:, 0].mean(1).argmax(1).float()

    def reenact(self, source, driving, extras, *, relative_to=None):
        return self.render(source, self.motion(driving))

    def motion(self, driving):
        zero = torch.zeros(len(driving))
        t = torch.stack((self._place(driving) / 32 - 1, zero, zero), 1)
        return {"yaw": zero, "pitch": zero, "roll": zero, "t": t, "delta": torch.zeros(len(driving), 2, 3)}

    def render(self, source, motion):
        places = (motion["t"][:, 0] + 1) * 32
        steps = (places - source.state["own"]).round().int().tolist()
        return torch.stack([source.images[0].roll(step, 2) for step in steps])


def use_shifter(monkeypatch: pytest.MonkeyPatch) -> None:
    """`shifter` is a model."""
    load, names = baselines.load, baselines.names
    monkeypatch.setattr(baselines, "load", lambda name, **o: Shifter() if name == "shifter" else load(name, **o))
    monkeypatch.setattr(baselines, "names", lambda: ["shifter", *names()])


def protocol(folder: Path, **changes: object) -> Path:
    """A protocol as ours, of three settings and three qualities, and with other parameters."""
    told = {"video_crf": list(CRFS), "source_crf": [20, 30, 40], "coarser": [1, 4, 16], **changes}
    lines = (SHIPPED / "compression@1.toml").read_text().split("\n[lists")[0].splitlines()
    lines = [line for line in lines if line.split(" =")[0] not in {"definition_sha256", *told}]
    folder.mkdir(exist_ok=True)
    path = folder / "quick.toml"
    path.write_text("\n".join([*lines, *(f"{name} = {json.dumps(value)}" for name, value in told.items())]))
    return path


@pytest.fixture(scope="module")
def found(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[RunRecord, pd.DataFrame]]:
    """Record and samples of each row, of two clips."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        use_shifter(monkeypatch)
        monkeypatch.setattr("bench.runner.open_suite", lambda name: FakeSuite())
        out = tmp_path_factory.mktemp("runs")
        quick = protocol(out)
        return by_row(bench.run("compression", "shifter", dataset, limit=CLIPS, out=out, protocol=quick))


def by_row(folders):
    found = {}
    for folder in folders:
        record = read_record(folder)
        found[record.model.name] = (record, pd.read_parquet(folder / "samples.parquet"))
    return found


def test_one_table_has_the_model_and_both_coders(found):
    models = {"shifter", "shifter-src30-step4", "shifter-src40-step16", "shifter-adaptive"}
    coders = {f"{codec}-crf{crf}" for codec in ("h264", "h265") for crf in CRFS}
    assert set(found) >= models | coders | {"truth", "source-copy"}
    assert {row for row in set(found) - models - coders if found[row][0].model.kind != "calibration"} == set()
    assert next(iter(found)) == "shifter"
    for record, samples in found.values():
        assert record.protocol.id.startswith("compression@1#")
        assert record.arguments["parameters"]["video_crf"] == list(CRFS)
        ids = {metric.id for metric in record.metrics}
        assert ids >= {"bytes-per-frame", "bits-per-pixel", "l1", "psnr", "lp-open", "bd-rate-h264-lp-open"}
        assert set(samples.metric) == ids
    assert found["h264-crf20"][0].model.preset == "medium"
    assert found["shifter-adaptive"][0].model.parameters == 3


def test_bytes_are_those_of_the_stream_by_hand(found, dataset):
    clip = Dataset.open(dataset).clips[1]
    frames = Dataset.open(dataset).frames(clip, range(FRAMES), 256)
    packets = encode(frames, Coding("h264", 34), 25.0)
    samples = found["h264-crf34"][1].query(f"clip_id == '{clip.clip_id}'")
    rates = samples.query("metric == 'bytes-per-frame'").set_index("frame").value
    assert {packet.number: len(packet.data) for packet in packets} == rates.to_dict()
    bits = samples.query("metric == 'bits-per-pixel'").value
    assert bits.sum() == pytest.approx(8 * rates.sum() / 256**2)


def test_the_source_picture_counts_once(found):
    samples = found["shifter"][1]
    whole = samples.query("metric == 'bytes-per-frame'").groupby("clip_id").value.sum()
    stream = samples.query("metric == 'stream-bytes-per-frame'").groupby("clip_id").value.sum()
    assert (whole - stream > 100).all()  # a picture of 64 x 64
    assert (stream.between(30, 100)).all()  # a header and four frames of 12 numbers that hardly move
    later = samples.query("frame > 0").pivot_table(index=["clip_id", "frame"], columns="metric", values="value")
    assert (later["bytes-per-frame"] == later["stream-bytes-per-frame"]).all()


def test_coarser_settings_send_less_and_calibration_rows_nothing(found):
    def mean(row: str, metric: str) -> float:
        return found[row][1].query(f"metric == '{metric}'").value.mean()

    for family in (["shifter", "shifter-src30-step4", "shifter-src40-step16"], [f"h265-crf{crf}" for crf in CRFS]):
        for metric in ("bytes-per-frame", "psnr"):
            values = [mean(row, metric) for row in family]
            assert values == sorted(values, reverse=True), (family, metric)
    missing = found["truth"][1].query("metric == 'bytes-per-frame'")
    assert set(missing.status) == {"missing"}
    assert set(missing.error) == {"a calibration row sends nothing"}
    assert missing.n.sum() == CLIPS * FRAMES


def test_curves_and_comparisons_are_in_the_records(found):
    record, _ = found["shifter"]
    stated = record.arguments[STATED]
    assert (stated["anchor"], stated["quality"]) == ("h264", "lp-open")
    assert {family: len(curve) for family, curve in stated["curves"].items()} == {
        "shifter": 3,
        "shifter-adaptive": 1,
        "h264": 3,
        "h265": 3,
    }
    for row, samples in ((row, samples) for row, (_, samples) in found.items()):
        for point in (p for curve in stated["curves"].values() for p in curve if p["row"] == row):
            assert point["bytes-per-frame"] == pytest.approx(samples.query("metric == 'bytes-per-frame'").value.mean())
    itself = found["h264-crf34"][1]
    assert itself.query("metric == 'bd-rate-h264-lp-open'").value.tolist() == pytest.approx([0] * CLIPS)
    assert itself.query("metric == 'rate-ratio-h264-lp-open'").value.tolist() == pytest.approx([1] * CLIPS)
    alone = found["shifter-adaptive"][1].query("metric == 'bd-rate-h264-lp-open'")
    assert alone.value.isna().all()
    assert set(alone.error) == {"1 settings of which none beats another: a curve needs 3"}


def test_a_coder_that_fails_on_one_clip_costs_only_that(suite, tmp_path, monkeypatch):
    use_shifter(monkeypatch)
    data = write_dataset(tmp_path / "data", [0, 1])
    coded = compression.encode
    calls = []

    def failing(frames, coding, fps):
        if coding == Coding("h264", 34):
            calls.append(coding)
            if len(calls) == 1:
                raise CodingFailed("x264 was killed")
        return coded(frames, coding, fps)

    monkeypatch.setattr(compression, "encode", failing)
    quick = str(protocol(tmp_path))
    results = measure(Request("compression", "truth", str(data), out=str(tmp_path / "runs"), protocol=quick))
    failed = {result.folder.name.split("-compression-")[1][:10]: result.failures for result in results}
    assert failed.pop("h264-crf34") == {"clip0--clip0": "the model raised CodingFailed: x264 was killed"}
    assert not any(failed.values())
    rows = by_row([result.folder for result in results])
    samples = rows["h264-crf34"][1]
    assert set(samples.query("clip_id == 'clip0'").status) == {"failed"}
    assert len(samples.query("clip_id == 'clip0' and metric == 'bytes-per-frame'")) == FRAMES
    assert set(samples.query("clip_id == 'clip1' and metric == 'bytes-per-frame'").status) == {"ok"}
    stated = rows["h265-crf34"][0].arguments[STATED]
    assert stated["left_out"] == ["clip0--clip0"]
    for point in (point for curve in stated["curves"].values() for point in curve):
        of_row = rows[point["row"]][1].query("clip_id == 'clip1' and metric == 'bytes-per-frame'")
        assert point["bytes-per-frame"] == pytest.approx(of_row.value.mean())
    assert rows["h264-crf34"][0].protocol.failed_frames == "penalise"
    other = rows["h265-crf34"][1].query("metric == 'bd-rate-h264-lp-open'").set_index("clip_id")
    assert other.error["clip0"].startswith("2 settings")  # of H.264 on that clip
    assert not any(str(error).startswith("2 settings") for error in [other.error["clip1"]])


def test_the_receiver_has_nothing_but_bytes(dataset):
    frames = to_tensor(Dataset.open(dataset).frames(Dataset.open(dataset).clips[0], range(FRAMES)))
    model = Shifter()
    setting = Setting(Coding("h264", 45), Format(0, t_step=8 / 512), 8)
    sender = CodedModel(model, setting, "shifter", "shifter", MotionOnce(model))
    source = sender.encode_source(frames[:1], {})
    assert (source.images - frames[:1]).abs().mean() > 0.005  # the source as it was sent
    made = sender.reenact(source, frames, {})
    assert made.shape == frames.shape
    assert sender.told["sent"][0, 0] == source.state["sent"]
    coder = VideoCoder(Coding("h264", 51), 25.0)
    decoded = coder.reenact(coder.encode_source(frames[:1], {}), frames, {})
    assert (to_frames(decoded) != to_frames(frames)).any()


def test_a_model_that_cannot_send_motion_is_told_so(dataset, suite, outside, tmp_path):
    with pytest.raises(UserError, match="task compression needs a model that can do 'codec', and shifter cannot"):
        bench.run("compression", "shifter", dataset, out=tmp_path)


def test_a_protocols_parameters_are_the_rows_settings():
    asked = settings_of({**task.TASK.parameters, "hold": 0.0, "preset": "fast", "angle_step": 0.5, "fps": 30.0})
    assert [setting.name for setting in asked.model[:2]] == ["src18-step1", "src24-step2"]
    assert asked.model[1].picture == Coding("h264", 24, "fast")
    assert asked.model[1].motion == Format(0, 30.0, 0, 1.0, 2 / 512, 2 / 512)
    assert asked.adaptive is None
    assert asked.coders[-1] == Coding("h265", 51, "fast")
    usual = settings_of(task.TASK.parameters)
    assert usual.adaptive is not None
    assert usual.adaptive.motion == Format(0, hold=6)
    assert usual.model[0].motion == Format(0)  # the steps of the bitstream's own form


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"video_crf": [21, 21]}, "video_crf: expected rising whole numbers from 0 to 51"),
        ({"video_crf": [50, 52]}, "video_crf: expected rising whole numbers from 0 to 51"),
        ({"source_crf": [18.5, 19, 20]}, "source_crf: expected rising whole numbers"),
        ({"source_crf": []}, "source_crf: expected a list of numbers"),
        ({"coarser": [1, 2]}, r"coarser: expected a number in \(0, 1000\] for each of 3 source_crf"),
        ({"preset": "best"}, "preset: expected one of ultrafast"),
        ({"hold": 1.5}, "hold: expected a whole number from 0"),
        ({"t_step": 0}, "t_step: expected a number above 0 and up to 1, got 0.0"),
        ({"fps": "25"}, "parameters.fps: expected a number, got '25'"),
        ({"preset": 3}, "parameters.preset: expected a text, got 3.0"),
        ({"crf": 3}, "unknown parameter of compression@1#.* 'crf'"),
        ({"fps": -1}, "parameters.fps"),
        ({"fps": True}, "parameters.fps"),
    ],
)
def test_parameters_that_cannot_be_are_named(suite, dataset, tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        bench.run("compression", "truth", dataset, out=tmp_path / "runs", protocol=protocol(tmp_path, **changes))
    assert not (tmp_path / "runs").exists()
