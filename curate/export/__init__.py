"""A dataset in the layouts that other people's programs read."""
