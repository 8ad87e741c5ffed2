"""What the three commands share: errors in one line with their exit code, tables."""

import errno

import click
import pytest
from click.testing import CliRunner, Result

from curate.console import Commands, milestone, print_table
from curate.errors import BadVideo, MissingPrerequisite, UserError, unknown


def outcome(error: BaseException) -> Result:
    @click.group(cls=Commands)
    def main() -> None:
        pass

    @main.command()
    def verb() -> None:
        raise error

    return CliRunner().invoke(main, ["verb"])


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (UserError("no such thing"), 2, "error: no such thing\n"),
        (BadVideo("a.mp4: no video"), 2, "error: a.mp4: no video\n"),
        (MissingPrerequisite("fetch it"), 3, "error: fetch it\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "folder"),
            3,
            "error: folder: Permission denied; change that",
        ),
        (OSError(errno.EROFS, "Read-only file system", "out/x"), 3, "error: out/x: Read-only file system; change that"),
        (OSError(errno.EFBIG, "File too large", "out/x"), 3, "error: the disk is full"),
        (OSError(errno.ENOSPC, "No space left on device"), 3, "error: the disk is full"),
    ],
)
def test_errors_that_a_person_can_mend(error: Exception, code: int, text: str) -> None:
    result = outcome(error)
    assert result.exit_code == code
    assert result.stderr.startswith(text)
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize("error", [ValueError("a fault"), OSError(errno.EBADF, "a fault")])
def test_faults_of_the_program_keep_their_traceback(error: Exception) -> None:
    assert outcome(error).exception is error


def test_unknown_names_are_answered_with_near_ones() -> None:
    assert str(unknown("task", "same_id", ["same-id", "cross-id"])) == (
        "unknown task 'same_id': did you mean same-id? (known: cross-id, same-id)"
    )
    assert str(unknown("task", "zzz", ["same-id"])) == "unknown task 'zzz' (known: same-id)"


def test_tables_align_numbers_right_and_words_left(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "n", "why"), [("a", 5, "x"), ("bcd", 10, "long")], title="title")
    assert capsys.readouterr().out.splitlines() == [
        "title",
        "name   n  why",
        "----  --  ----",
        "a      5  x",
        "bcd   10  long",
    ]


def test_milestones_come_ten_times_at_most_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    for total in (1, 3, 10, 34, 1000):
        said = [done for done in range(1, total + 1) if milestone(done, total)]
        assert said[-1] == total
        assert len(said) == min(total, 10)
