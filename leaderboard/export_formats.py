"""Boards in the forms of papers and of other collections: LaTeX, Parquet, Every Eval Ever, Hugging Face eval results.

Every Eval Ever: github.com/evaleval/every_eval_ever, eval.schema.json, version 0.2.1. Hugging Face's form is a YAML
list for a model's `.eval_results/` folder. Both hold values alone: a score that is NULL is left out there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from leaderboard.export import flat
from leaderboard.standings import Board, Cell, Column, Row, decimals
from leaderboard.text import plain, value

EEE_VERSION = "0.2.1"
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}",
}  # fmt: skip


def latex_text(text: str) -> str:
    """Text that LaTeX sets as it is and never runs.

    >>> latex_text("a_b & 5%")
    'a\\\\_b \\\\& 5\\\\%'
    """
    return "".join(_LATEX.get(char, char) for char in plain(text, 200))


def to_latex(boards: Sequence[Board]) -> str:
    """One booktabs table a board: the best in bold, the second underlined, intervals small beneath; NULL is a dash."""
    return "\n".join(_latex(board) for board in boards)


def _latex(board: Board) -> str:
    columns = list(board.filled)
    arrows = {True: r"$\uparrow$", False: r"$\downarrow$"}
    heads = [f"{latex_text(board.columns[i].label)} {arrows[board.columns[i].higher_is_better]}" for i in columns]
    seconds = {i: _second(board, i) for i in columns}
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(board.protocol)} on {latex_text(board.dataset)}, {board.n_pairs} pairs, "
        rf"{board.size} px, suite {latex_text(board.suite)}; 95\% intervals over persons.}}",
        rf"\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"\toprule",
        " & ".join(["model", *heads]) + r" \\",
    ]
    for rows in (board.upper, board.ranked, board.lower):
        lines += [r"\midrule"] * bool(rows)
        for row in rows:
            name = latex_text(f"{row.model} {row.preset}" if row.kind == "model" else row.model)
            cells = [_latex_cell(row.cells[i], decimals(board, i), seconds[i]) for i in columns]
            lines.append(" & ".join([name if row.kind == "model" else rf"\textit{{{name}}}", *cells]) + r" \\")
    signatures = [f"% {plain(board.columns[i].signature, None)}" for i in columns]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", *signatures]) + "\n"


def _second(board: Board, i: int) -> float | None:
    """The second best of the ranked values of a column, None where there are not two different ones."""
    values = {cell.mean for row in board.ranked if (cell := row.cells[i]) and cell.mean is not None}
    ordered = sorted(values, reverse=board.columns[i].higher_is_better)
    return ordered[1] if len(ordered) > 1 else None


def _latex_cell(cell: Cell | None, places: int, second: float | None) -> str:
    if cell is None or cell.mean is None:
        return "--"
    text = value(cell, places)
    text = rf"\textbf{{{text}}}" if cell.best else rf"\underline{{{text}}}" if cell.mean == second else text
    if cell.ci_low is None or cell.ci_high is None:
        return text
    return rf"{text} {{\scriptsize [{cell.ci_low:.{places}f}, {cell.ci_high:.{places}f}]}}"


def to_parquet(boards: Sequence[Board]) -> bytes:
    """One row per score, as in CSV."""
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(flat(boards)), out, compression="zstd")
    return out.getvalue()


def to_every_eval_ever(boards: Sequence[Board]) -> str:
    """One record per run and line (JSON lines), each by the schema of Every Eval Ever."""
    records = [_record(board, row) for board in boards for row in board.rows if row.kind == "model"]
    return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records if record["evaluation_results"])


def _record(board: Board, row: Row) -> dict[str, Any]:
    results = [
        _result(board, column, cell) for column, cell in zip(board.columns, row.cells, strict=True) if cell is not None
    ]
    created = str(int(row.created.timestamp()))
    return {
        "schema_version": EEE_VERSION,
        "evaluation_id": f"{board.protocol}/{row.model}/{row.run_id}",
        "evaluation_timestamp": created,
        "retrieved_timestamp": created,
        "source_metadata": {
            "source_name": "talkinghead-bench",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "third_party" if board.source == "measured" else "other",
        },
        "eval_library": {"name": "talkinghead-bench", "version": "unknown"},
        "model_info": {
            "name": f"{row.model} {row.preset}",
            "id": f"{row.model}/{row.preset}",
            "additional_details": {"weights_sha256": row.weights_sha256, "licence": row.licence},
        },
        "evaluation_results": [result for result in results if result is not None],
    }


def _result(board: Board, column: Column, cell: Cell) -> dict[str, Any] | None:
    if cell.mean is None:
        return None
    score: dict[str, Any] = {"score": cell.mean, "details": {"signature": column.signature, "unit": column.unit}}
    if cell.ci_low is not None and cell.ci_high is not None:
        interval = {"lower": cell.ci_low, "upper": cell.ci_high, "confidence_level": 0.95, "method": "bootstrap"}
        score["uncertainty"] = {"confidence_interval": interval, "num_samples": cell.n_ok}
    details = {"metric": column.metric, "networks": column.networks}
    return {
        "evaluation_name": f"{board.protocol}/{column.metric}",
        "source_data": {"dataset_name": board.dataset, "source_type": "other"},
        "metric_config": {
            "evaluation_description": column.description,
            "lower_is_better": not column.higher_is_better,
            "additional_details": details,
        },
        "score_details": score,
    }


def to_hugging_face(boards: Sequence[Board]) -> str:
    """A YAML list of eval results, one entry per score of a model; strings are quoted as in JSON, which YAML reads."""
    lines = []
    for board in boards:
        for row in board.ranked:
            for column, cell in zip(board.columns, row.cells, strict=True):
                if cell is not None and cell.mean is not None:
                    notes = f"{row.model} {row.preset}; {column.signature}"
                    lines += [
                        "- dataset:",
                        f"    id: {json.dumps(board.dataset)}",
                        f"    task_id: {json.dumps(f'{board.protocol}/{column.metric}')}",
                        f"    revision: {json.dumps(board.dataset_fingerprint)}",
                        f"  value: {cell.mean!r}",
                        f"  date: {json.dumps(row.created.date().isoformat())}",
                        f"  notes: {json.dumps(notes)}",
                    ]
    return "\n".join(lines) + "\n" if lines else "[]\n"
