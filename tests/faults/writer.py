"""Write a fit, a study, a table and a figure again and again, through Python: a script to kill."""

import shutil
import sys
import time
from pathlib import Path

import bayescpt as bc
from bayescpt.cli.output_files import save_figure, save_table


def main(source: str, seconds: float) -> None:
    """Write to the current folder."""
    fit = bc.load_fit(source)
    study = bc.load_example("cpt_micro").select(["de_r0_wsd"])
    end = time.monotonic() + seconds
    while True:
        fit.save("fit.nc")
        save_table(study.curves, Path("table.parquet"))
        save_table(study.curves, Path("table.csv"))
        save_figure(study.plot(), Path("study.png"))
        shutil.rmtree("study", ignore_errors=True)
        bc.write_study(study, "study")
        if time.monotonic() > end:
            return


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
