"""How fast bayescpt is, against baselines measured beside it.

    uv run python -m tests.benchmarks [NAME ...] [--json FILE] [--repeats N] [--quick] [--markdown]

Each module but a few helpers holds one benchmark: a function ``run`` that gives `Result`s. Numbers
are medians of repeats, taken in turn with those of the baseline; a target is a ratio, so that it
means the same on any machine.
"""
