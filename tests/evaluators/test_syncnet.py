"""SyncNet through a file of the public form, and the face as the public code cuts it out."""

import numpy as np
import pytest
import torch

import models
import models.syncnet
from bench.evaluators import files, syncnet
from bench.evaluators.syncnet import SyncNetReader, bridged, cut, stretches
from curate.errors import UserError

FRAMES = 20


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small network's state as the public file has it, of a torch before counters and zip files; and the network."""
    folder = tmp_path_factory.mktemp("weights")
    (file,) = files.files_of("syncnet")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TALKINGHEAD_WEIGHTS", str(folder))
        patch.setattr(files, "files_of", lambda name: [file.model_copy(update={"sha256": ""})])
        patch.setitem(models.syncnet.PRESETS, "paper", models.syncnet.PRESETS["mini"])
        torch.manual_seed(0)
        network = models.create("syncnet")["syncnet"].eval()
        state = {name: value for name, value in network.state_dict().items() if "num_batches" not in name}
        path = folder / "syncnet_v2.model"
        torch.save(state, path, _use_new_zipfile_serialization=False)
        yield path, network


@pytest.fixture(scope="module")
def frames():
    return np.random.default_rng(0).integers(0, 256, (FRAMES, 96, 80, 3), dtype=np.uint8)


@pytest.fixture
def boxes():
    return np.tile(np.array([20, 24, 60, 72], np.float32), (FRAMES, 1))


def test_each_row_is_of_the_five_frames_from_it_on(made, frames, boxes, monkeypatch):
    reader, network = SyncNetReader(), made[1]
    monkeypatch.setattr(syncnet, "AT_ONCE", 6)
    boxes[7:9] = np.nan
    found = reader.lips(frames, boxes)
    assert found.shape == (FRAMES, 64)
    lacking = np.flatnonzero(~np.isfinite(found).all(axis=1))
    assert lacking.tolist() == [15, 16, 17, 18, 19]  # the last window is left out, as in the public code
    faces = torch.from_numpy(cut(frames, bridged(boxes))).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        np.testing.assert_allclose(found[:15], network.lips(faces)[:15].numpy(), atol=1e-4)
    boxes[:] = np.nan
    assert np.isnan(reader.lips(frames, boxes)).all()


def test_a_sound_that_ends_has_no_embedding(made):
    cepstra = np.random.default_rng(1).normal(size=(5, 13, 20)).astype(np.float32)
    cepstra[4] = np.nan
    found = SyncNetReader().voice(cepstra)
    with torch.inference_mode():
        np.testing.assert_allclose(found[:4], made[1].voice(torch.from_numpy(cepstra[:4])).numpy(), atol=1e-5)
    assert np.isnan(found[4]).all()


def test_long_gaps_divide_and_short_stretches_are_left_out():
    boxes = np.zeros((120, 4), np.float32)
    boxes[20:45] = np.nan  # bridged
    boxes[60:86] = np.nan
    boxes[95:] = np.nan
    assert stretches(boxes) == [(0, 60)]
    assert stretches(boxes[:0]) == []
    boxes[0] = np.nan
    assert stretches(boxes) == [(1, 60)]
    line = np.full((5, 4), np.nan, np.float32)
    line[0], line[4] = 0, [4, 8, 12, 16]
    np.testing.assert_allclose(bridged(line)[1], [1, 2, 3, 4])


def test_the_square_is_the_public_codes(frames, boxes):
    """A box of 40 x 48 about (40, 48): 24 up, 24 * 1.8 down, 24 * 1.4 to the sides, gray beyond the frame."""
    found = cut(frames, boxes.astype(np.float64))
    padded = np.full((96 + 200, 80 + 200, 3), 110, np.uint8)
    padded[100:196, 100:180] = frames[9]
    square = padded[100 + 24 : 100 + 91, 100 + 6 : 100 + 73]
    import cv2

    np.testing.assert_array_equal(found[9], cv2.resize(square, (224, 224)))
    jumped = boxes.astype(np.float64)
    jumped[9] += 30  # one frame's slip moves nothing
    np.testing.assert_array_equal(cut(frames, jumped)[9], found[9])
    beside = cut(frames, boxes.astype(np.float64) - [30, 0, 30, 0])
    assert (beside[9][:, :60] == 110).all()


def test_another_file_is_refused(made):
    path, network = made
    kept = path.read_bytes()
    for content in ({"netcnnlip.0.weight": torch.zeros(1)}, {"other": torch.zeros(1)}, [1]):
        torch.save(content, path)
        with pytest.raises(UserError, match="holds no SyncNet"):
            SyncNetReader()
    state = network.state_dict()
    torch.save({name: value for name, value in state.items() if name != "netfcaud.0.bias"}, path)
    with pytest.raises(UserError, match=r"holds no SyncNet: netfcaud\.0\.bias is missing"):
        SyncNetReader()
    path.write_bytes(kept)
