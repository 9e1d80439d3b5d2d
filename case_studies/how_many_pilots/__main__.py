"""Make the tables that the case study reads, and the figure in the README.

Finished fits are kept in build/how_many_pilots, where the command goes on after an interruption.
Remove that folder to begin anew, after a change of the code or of the settings.

    uv run python -m case_studies.how_many_pilots tables
    uv run python -m case_studies.how_many_pilots figure    # assets/pilots.png, from the tables
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pandas as pd

from bayescpt.evaluate import Backtest
from bayescpt.files import write_file
from case_studies.how_many_pilots.figure import figure
from case_studies.how_many_pilots.tables import FOLDER, Tables, tables_of
from case_studies.how_many_pilots.tasks import SAMPLER, Task, all_tasks

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "how_many_pilots"
DRAWS = 1


def fitted(task: Task, folder: Path) -> Backtest:
    """A task's forecasts, from the folder of finished ones or made now."""
    parts = ("table", "fits", "finals")
    paths = {part: folder / f"{task.name}.{part}.parquet" for part in parts}
    if not all(path.exists() for path in paths.values()):
        begun = time.process_time()
        made = task.run(**SAMPLER)
        fits = made.fits.assign(processor_seconds=time.process_time() - begun)
        for part, table in {"table": made.table, "fits": fits, "finals": made.finals}.items():
            write_file(paths[part], lambda draft, table=table: table.to_parquet(draft))
        print(f"{task.name}: {time.process_time() - begun:.1f} s", flush=True)
    return Backtest(*(pd.read_parquet(paths[part]) for part in parts))


def make_tables() -> Tables:
    """All fits, and the tables of them."""
    WORK.mkdir(parents=True, exist_ok=True)
    made = {task: fitted(task, WORK) for task in all_tasks(DRAWS)}
    return tables_of(made)


def main(words: list[str]) -> None:
    if words == ["tables"]:
        for path in make_tables().save(FOLDER):
            print("wrote", path)
    elif words == ["figure"]:
        path = ROOT / "assets" / "pilots.png"
        drawn = figure(Tables.read(FOLDER))
        write_file(path, lambda draft: drawn.savefig(draft, format="png", dpi=150))
        print("wrote", path)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
