"""README and pages of docs/: their code runs, their links lead somewhere.

Every fenced block is run by `test_pages.py`: Python in one namespace a page, commands through
``main([...])``, TOML by the reader of what it is. A comment before a block says what is special:

``<!-- file: NAME -->``
    The block is written to this file in the folder in which the page runs.
``<!-- slow -->``, ``<!-- slow: fit, demo -->``
    Run with ``pytest -m slow`` only: the block, or these commands in it.
``<!-- parsed: REASON -->``, ``<!-- parsed: backtest, calibrate -->``
    Takes many minutes or an extra: never run here, but its options or names are checked.
"""
