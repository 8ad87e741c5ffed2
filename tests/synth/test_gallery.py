"""The gallery: one page, one sheet, every cell where the page says."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from curate.errors import UserError
from curate.synth import gallery


def test_the_page_shows_every_person_in_every_column(tmp_path: Path) -> None:
    page = gallery.write_gallery(tmp_path / "g", people=2, size=64, seed=3)
    text = page.read_text()
    sheet = np.asarray(Image.open(page.with_name(gallery.SHEET)))
    assert sheet.shape == (2 * 64, len(gallery.COLUMNS) * 64, 3)
    places = re.findall(r"background-position:-(\d+)px -(\d+)px", text)
    assert len(set(places)) == 2 * len(gallery.COLUMNS)
    assert max(int(x) for x, _ in places) == (len(gallery.COLUMNS) - 1) * 64
    assert "synth3-0001, eyes closed" in text
    cells = sheet.reshape(2, 64, len(gallery.COLUMNS), 64, 3).transpose(0, 2, 1, 3, 4).reshape(-1, 64 * 64 * 3)
    assert len(np.unique(cells.astype(np.int64).sum(axis=1))) == len(cells)  # no two pictures are the same
    assert "http" not in text


@pytest.mark.parametrize(("people", "size"), [(0, 64), (1, 8), (1, 9999)])
def test_wrong_sizes_are_named(tmp_path: Path, people: int, size: int) -> None:
    with pytest.raises(UserError, match=r"at least one person|64 to 512"):
        gallery.write_gallery(tmp_path, people=people, size=size)
