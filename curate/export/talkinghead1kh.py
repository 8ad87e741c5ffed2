"""TalkingHead-1KH's layout: clips named by their tube, and the lists of ids and tubes. E is the last frame itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from curate.export.clips import ExportClip, public_ids, splits
from curate.export.target import Piece, clip_piece, text_piece
from curate.lists.talkinghead1kh import tube_name

CHUNK = "0000"  # the list numbers frames inside chunks of a minute; here the whole video is the first and only chunk


def pieces(clips: Sequence[ExportClip]) -> Iterator[Piece]:
    """SPLIT/cropped_clips/VIDEO_0000_S0_E9_L0_T0_R8_B8.mp4 and data_list/SPLIT_video_tubes.txt and _video_ids.txt.

    The lists can be read as the published ones where videos are known by YouTube ids.
    """
    known = public_ids(clips)
    for split, members in splits(clips).items():
        tubes, videos = [], []
        for clip in sorted(members, key=lambda clip: (clip.row["video_id"], clip.row["start_frame"], clip.clip_id)):
            row, video = clip.row, known[str(clip.row["video_id"])]
            first, last = row["start_frame"], row["end_frame"] - 1
            box = (row["box_left"], row["box_top"], row["box_right"], row["box_bottom"])
            name = f"{video}_{CHUNK}"
            yield clip_piece(
                f"{split}/cropped_clips/{tube_name(name, first, last, box)}.mp4", clip.path, str(row["sha256"])
            )
            tubes.append(", ".join(map(str, (name, row["ref_height"], row["ref_width"], first, last, *box))))
            videos.append(video)
        yield text_piece(f"data_list/{split}_video_tubes.txt", "\n".join(tubes))  # no last line end, as published
        yield text_piece(f"data_list/{split}_video_ids.txt", "".join(f"{line}\n" for line in dict.fromkeys(videos)))
