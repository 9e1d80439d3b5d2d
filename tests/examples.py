"""Shipped studies for tests that look at all of them: read once a process."""

from functools import cache

from bayescpt.data import Study, load_example


@cache
def shipped(name: str) -> Study:
    """A shipped study, which the test must not change."""
    return load_example(name)
