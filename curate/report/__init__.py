"""The page about a dataset: what was kept, what was lost where, and why."""
