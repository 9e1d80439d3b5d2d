"""Kill every command that writes at random moments, and look at what is left.

    python -m tests.faults kills [--kills 120] [--seed 1] [--only NAME ...]

After each kill every output file must be what it was before, or whole and equal to the bit to that
of an undisturbed run; no process may be left; Ctrl-C must be one line and exit 130. Commands that
keep finished pieces go on with --resume, and the result must again be equal to the bit, with no
draft and no work folder left.
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.processes import Ended, left_behind, run

OLD = b"what was there before"
SMALL = ("--draws", 150, "--tune", 100, "--chains", 3, "--extend", 1)
REFITS = ("--draws", 60, "--tune", 60, "--chains", 2, "-r", "de_r0_wsd", "-r", "de_r25_cos")
PLANNED = ("--plans", "../plans.toml")
GOALS = ("-g", "general=3.4", "-g", "german=3.1")
COMPARED = ("--card", "cpt_replay", "--card", "cpt_fade")
FIGURES = ("--figure", "a.png", "--pit-figure", "b.png", "--runs-figure", "c.png")
PLANS = """[[plan]]
name = "a"
schedule = "cosine"
lr = 2e-3
num_training_steps = 1000
replay_ratio = 0.3
start = "pt_r0"
"""
SPACE = """[space]
schedule = "cosine"
lr = { low = 1e-3, high = 3e-3 }
num_training_steps = 1000
num_warmup_steps = 30
replay_ratio = { low = 0.1, high = 0.5 }
start = "pt_r0"
domain = "german"
"""


@dataclass(frozen=True)
class Case:
    """A command that writes: its words, outputs, and share of the kills."""

    name: str
    words: tuple[object, ...]
    outputs: tuple[str, ...]
    share: int
    resume: bool = False
    # So many kills follow each other before the command is left to finish.
    chain: int = 5
    program: tuple[str, ...] = ("-m", "bayescpt")
    quiet: bool = True


WRITER = (str(Path(__file__).with_name("writer.py")),)
STUDY = ("study.toml", "runs.csv", "curves.csv", "lrs.parquet")
CASES = (
    Case(
        "Python: save, write_study, tables, figures",
        ("../fit.nc", 1),
        ("fit.nc", "table.parquet", "table.csv", "study.png", *(f"study/{n}" for n in STUDY)),
        30,
        program=WRITER,
        quiet=False,
    ),
    Case(
        "forecast --csv --figure",
        ("forecast", "../fit.nc", *PLANNED, "--csv", "a.csv", "--figure", "a.png"),
        ("a.csv", "a.png"),
        15,
    ),
    Case(
        "goal --figure",
        ("goal", "../fit.nc", *PLANNED, "-g", "general=3.4", "--figure", "a.png"),
        ("a.png",),
        10,
    ),
    Case(
        "import --overwrite --figure",
        ("import", "../logs", "--out", "made", "--figure", "a.png", "--overwrite"),
        ("made/study.toml", "made/runs.csv", "made/curves.csv", "a.png"),
        15,
    ),
    Case("check --figure", ("check", "cpt_micro", "--figure", "a.png"), ("a.png",), 5),
    Case(
        "compare --figure --front-figure",
        ("compare", "../fit.nc", *PLANNED, *GOALS, "--figure", "a.png", "--front-figure", "b.png"),
        ("a.png", "b.png"),
        10,
    ),
    Case(
        "optimise --figure",
        ("optimise", "../fit.nc", "--space", "../space.toml", *GOALS, "--figure", "a.png"),
        ("a.png",),
        5,
    ),
    Case(
        "report",
        ("report", "../fit.nc", *PLANNED, *GOALS, "--out", "a.html"),
        ("a.html",),
        10,
    ),
    Case(
        "notebook",
        ("notebook", "cpt_micro", *GOALS, "--out", "a.ipynb", "--overwrite"),
        ("a.ipynb",),
        10,
    ),
    Case("fit", ("fit", "cpt_micro", *SMALL, "--cores", 1), ("fit.nc",), 18, True, 3),
    Case(
        "backtest --out --figure",
        ("backtest", "cpt_micro", *REFITS, "--out", "a.parquet", *FIGURES),
        ("a.parquet", "a.png", "b.png", "c.png"),
        12,
        True,
        4,
    ),
    Case(
        "backtest --workers 2",
        ("backtest", "cpt_micro", *REFITS, "--out", "a.csv", "--workers", 2),
        ("a.csv",),
        12,
        True,
        4,
    ),
    Case(
        "calibrate --work",
        ("calibrate", "cpt", "--simulations", 4, "--draws", 60, "--tune", 100, "--work", "kept"),
        (),
        6,
        True,
        3,
    ),
    Case(
        "cards --compare --out",
        ("cards", "--compare", "cpt_micro", *COMPARED, *REFITS, "--out", "a.nc"),
        ("a.nc",),
        8,
        True,
        4,
    ),
    Case(
        "demo",
        ("demo", "--out", ".", "--draws", 60, "--tune", 100, "--chains", 2),
        ("fit.nc", "plans.toml", "forecast.png", "goal.png"),
        5,
    ),
)


@dataclass
class Report:
    """What happened to one command."""

    kills: int = 0
    writing: int = 0
    interrupts: int = 0
    finished: int = 0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)


def prepare(root: Path, seed_fit: bool = True) -> None:
    """Inputs of all commands: a fit, plans, a space and logs."""
    (root / "plans.toml").write_text(PLANS)
    (root / "space.toml").write_text(SPACE)
    logs = root / "logs"
    logs.mkdir()
    for name, slope in (("one", 1000), ("two", 1200)):
        rows = "".join(f"{step},{4 - step / slope},1e-3\n" for step in range(0, 1001, 50))
        (logs / f"{name}.csv").write_text(f"step,eval/loss,lr\n{rows}")
    if seed_fit:
        run(("fit", "cpt_micro", *SMALL, "--card", "cpt_replay"), root)


def snapshot(folder: Path, case: Case) -> dict[str, bytes]:
    """Content of the output files that are there."""
    paths = {name: folder / name for name in case.outputs}
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def fresh(folder: Path, case: Case) -> None:
    """Folder with an old file under each output name, but for folders that must be new."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name in case.outputs:
        if not name.startswith("study/") and not name.startswith("made/"):
            (folder / name).write_bytes(OLD)


def moment(
    folder: Path, seconds: float, rng: random.Random, writing: bool, drafts: int = 6
) -> Callable[[float], bool]:
    """When to kill: anywhen, or a moment after one of the first drafts has appeared."""
    if not writing:
        at = rng.uniform(0.0, seconds)
        return lambda elapsed: elapsed > at
    skip, delay = rng.randrange(drafts), rng.uniform(0.0, 0.01)
    seen: set[int] = set()
    first: dict[Path, int] = {}

    def _now(_elapsed: float) -> bool:
        found = _inodes(folder)
        if not first:
            first.update(found)
        # A draft keeps its inode when renamed: one that came and went between two looks counts.
        seen.update(inode for path, inode in found.items() if first.get(path) != inode)
        if len(seen) <= skip:
            return False
        time.sleep(delay)
        return True

    return _now


def _inodes(folder: Path) -> dict[Path, int]:
    """Files of a folder and those below, but for what is gone meanwhile."""
    found = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found[path] = path.stat().st_ino
    return found


Files = dict[str, bytes]


def faults_of(
    case: Case, ended: Ended, number: int, before: Files, after: Files, whole: Files
) -> list[str]:
    """What is wrong after a kill."""
    found = []
    for name in case.outputs:
        if after.get(name) not in (before.get(name), whole[name]):
            found.append(f"{name}: neither old nor whole, {len(after.get(name, b''))} bytes")
    if not case.resume and "study/study.toml" in whole:
        there = {name for name in after if name.startswith("study/")}
        if there and len(there) < sum(name.startswith("study/") for name in whole):
            found.append(f"a study of {len(there)} files")
    if number == signal.SIGINT and case.quiet and ended.code == 130:
        lines = ended.lines
        if len(lines) != 1 or not lines[0].startswith("bayescpt: interrupted"):
            found.append(f"not one line: {ended.err[-2000:]}")
    elif number == signal.SIGINT and case.quiet and "bayescpt/" in ended.err:
        found.append(f"exit {ended.code}: {ended.err[-2000:]}")
    return [*found, *(f"left running: {words}" for words in left_behind())]


def attack(case: Case, root: Path, kills: int, rng: random.Random) -> Report:
    """Kill a command so many times; each chain of kills ends with a run that must be whole."""
    report, folder = Report(), root / "work"
    fresh(folder, case)
    begun = run(case.words, folder, program=case.program)
    whole, seconds = snapshot(folder, case), begun.seconds
    printed = begun.out
    if set(whole) != set(case.outputs) or begun.code not in (0, 1):
        report.faults.append(f"undisturbed: exit {begun.code}, {sorted(whole)}: {begun.err[-500:]}")
        return report
    resumed = (*case.words, "--resume") if case.resume else case.words
    # Kept pieces are written too, and `work.json`.
    drafts = len(case.outputs) + 4 * case.resume
    tries = told = 0
    while report.kills < kills and tries < 3 * kills:
        fresh(folder, case)
        for _ in range(case.chain):
            tries += 1
            number = rng.choice((signal.SIGINT, signal.SIGKILL))
            writing = rng.random() < 0.5
            before = snapshot(folder, case)
            ended = run(
                resumed,
                folder,
                when=moment(folder, seconds, rng, writing, drafts),
                number=number,
                everyone=number == signal.SIGINT,
                program=case.program,
            )
            if not ended.killed or ended.code == begun.code:
                break  # it had finished before
            report.kills += 1
            report.writing += writing
            report.interrupts += number == signal.SIGINT
            if number == signal.SIGINT:
                report.slowest = max(report.slowest, ended.after)
            after = snapshot(folder, case)
            report.faults += faults_of(case, ended, number, before, after, whole)
        else:
            ended = run(resumed, folder, program=case.program)
        report.finished += 1
        got = snapshot(folder, case)
        differ = [name for name in case.outputs if got.get(name) != whole[name]]
        if differ or ended.code != begun.code:
            report.faults.append(f"in the end exit {ended.code}, {differ}: {ended.err[-500:]}")
        if case.resume and ended.out != printed:
            differ = [*difflib.unified_diff(printed.splitlines(), ended.out.splitlines(), n=0)]
            report.faults.append(f"printed something else in the end: {differ}")
        if remains := [path.name for path in folder.rglob("*") if is_remains(path)]:
            report.faults.append(f"remains: {', '.join(remains)}")
        print(f"{case.name}: {report.kills} kills, {len(report.faults)} faults", flush=True)
        for fault in report.faults[told:]:
            print(f"    {fault}", flush=True)
        told = len(report.faults)
    return report


def is_remains(path: Path) -> bool:
    """Whether a file should have been removed in the end."""
    return ".part" in path.name or path.name.endswith(".work") or path.suffix == ".piece"


def show(reports: dict[str, Report]) -> None:
    """Print the table of docs/reliability.md."""
    heads = ("command", "kills", "Ctrl-C", "while writing", "then finished", "faults", "slowest")
    print(f"| {' | '.join(heads)} |")
    print(f"|{'---|' * len(heads)}")
    rows = dict(reports)
    rows["all"] = Report(
        *(sum(getattr(r, name) for r in reports.values()) for name in list(vars(Report()))[:4]),
        max((r.slowest for r in reports.values()), default=0.0),
        [fault for r in reports.values() for fault in r.faults],
    )
    for name, r in rows.items():
        print(
            f"| {name} | {r.kills} | {r.interrupts} | {r.writing} | {r.finished} | "
            f"{len(r.faults)} | {r.slowest:.1f} s |"
        )
    for name, r in reports.items():
        for fault in r.faults:
            print(f"\n{name}: {fault}")


def main(arguments: list[str]) -> int:
    """Run the whole; 1 if there is a fault."""
    parser = argparse.ArgumentParser("python -m tests.faults kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=sum(case.share for case in CASES))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="+", default=[], help="commands that begin with this")
    asked = parser.parse_args(arguments)
    cases = [c for c in CASES if not asked.only or c.name.startswith(tuple(asked.only))]
    total, reports = sum(case.share for case in CASES), {}
    with tempfile.TemporaryDirectory(prefix="bayescpt-kills-") as name:
        root = Path(name)
        prepare(root)
        for case in cases:
            kills = max(1, round(asked.kills * case.share / total))
            rng = random.Random(f"{asked.seed} {case.name}")  # noqa: S311
            reports[case.name] = attack(case, root, kills, rng)
    show(reports)
    return int(any(report.faults for report in reports.values()))
