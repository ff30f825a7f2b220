"""Measurements: ``python -m tests.bench NAME [--claims N] [--json]``. Never part of the ordinary test run."""
