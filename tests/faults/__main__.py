"""Run a campaign of faults: ``python -m tests.faults NAME``."""

from __future__ import annotations

import sys

from tests.faults.mutations import mutations

CAMPAIGNS = {"mutations": mutations}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in CAMPAIGNS:
        sys.exit(f"usage: python -m tests.faults {{{','.join(CAMPAIGNS)}}} ...")
    sys.exit(CAMPAIGNS[sys.argv[1]](sys.argv[2:]))
