"""Fitting and measuring the landmark transformer of MarioNETte-LT."""
