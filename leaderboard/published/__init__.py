"""What papers report: their numbers, the tables these stand in, and cards that say what is known of their protocols."""

from __future__ import annotations

from leaderboard.published.cards import Card as Card
from leaderboard.published.cards import Layout as Layout
from leaderboard.published.query import SideBySide as SideBySide
from leaderboard.published.query import cards as cards
from leaderboard.published.query import doubts as doubts
from leaderboard.published.query import find as find
from leaderboard.published.query import incomparable as incomparable
from leaderboard.published.query import rows as rows
from leaderboard.published.query import side_by_side as side_by_side
from leaderboard.published.tables import Table as Table
from leaderboard.published.tables import tables as tables
