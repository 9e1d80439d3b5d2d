"""Run one kind of fault in full: ``python -m tests.faults kills``."""

from __future__ import annotations

import sys
from importlib import import_module

# By name: a module of this folder whose `main` takes the arguments after the name.
NAMES = ("kills", "mutations")


def main(arguments: list[str]) -> int:
    """Run it; 1 if something was lost."""
    if not arguments or arguments[0] not in NAMES:
        print(f"usage: python -m tests.faults {'|'.join(NAMES)} ...", file=sys.stderr)
        return 2
    return int(import_module(f"tests.faults.{arguments[0]}").main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
