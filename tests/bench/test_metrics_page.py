"""docs/metrics.md is what the metrics say of themselves."""

from pathlib import Path

from bench import metrics, metrics_page

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_as_it_is_made():
    assert PAGE.read_text(encoding="utf-8") == metrics_page.markdown(), "python -m bench.metrics_page > docs/metrics.md"


def test_papers_are_told_in_ids_that_exist():
    for names in metrics_page.PAPERS.values():
        assert set(names.values()) <= set(metrics.available())
