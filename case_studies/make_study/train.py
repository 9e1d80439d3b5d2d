"""Train the fleet: all runs of a plan, many at once, on a CPU or a GPU.

    nice -n 19 uv run --group fleet python train.py WORK --sizes 100k 330k

Reads WORK/plan (recipes.py) and WORK/packed (pack_tokens.py); writes a curve to
WORK/results/SIZE/RUN.json when the run is complete, and what is needed to go on after an
interruption to WORK/states. Started again, it goes on. With several sizes, each has a process of
its own. --budget-s stops in time: runs that would not end are not begun. The results are packed
into curves.parquet, done.csv and train.log in --out, again and again while it trains.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from pace import Pace
from pool import Active, Data, Job, Pool
from stack import SEQUENCE, Shape, State, evaluate

from bayescpt.files import write_bytes, write_file, write_files, write_text

SLOTS_GPU = {"100k": 48, "330k": 32, "1200k": 16, "4m": 12}
SLOTS_CPU = 4
CHECKPOINT_S = 600.0  # between snapshots of the stack, on a CPU
PACK_S = 60.0


def main() -> None:
    options = arguments()
    options.deadline = options.deadline or (time.time() + options.budget_s)
    if options.worker:
        train_size(options.sizes[0], options)
    else:
        supervise(options)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--sizes", nargs="+", help="stacks to train (all of the plan)")
    parser.add_argument("--out", type=Path, help="folder of the packed results (WORK/packed_out)")
    parser.add_argument("--budget-s", type=float, default=1e9, help="seconds until it has stopped")
    parser.add_argument("--max-tier", type=int, default=9, help="leave out later rounds of runs")
    parser.add_argument("--only", help="train only runs whose key has this text, and their bases")
    parser.add_argument("--done", type=Path, help="done.csv of an earlier call: runs to leave out")
    parser.add_argument("--slots", type=int, help="runs at once")
    parser.add_argument("--precision", choices=["bf16", "tf32", "fp32"])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, default=0.0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out = options.out or options.work / "packed_out"
    options.sizes = options.sizes or list(read_plan(options.work)["size"].unique())
    options.precision = options.precision or ("bf16" if options.device == "cuda" else "fp32")
    return options


def read_plan(work: Path) -> pd.DataFrame:
    """The plan's runs; a column that the fleet's plan lacks is one in which its runs agree."""
    return pd.read_csv(work / "plan" / "runs.csv", keep_default_na=False)


def slots_of(size: str, row: dict[str, Any], options: argparse.Namespace) -> int:
    """Runs at once in a stack."""
    slots = SLOTS_GPU.get(size) or int(row["slots"])
    return options.slots or (slots if options.device == "cuda" else SLOTS_CPU)


def supervise(options: argparse.Namespace) -> None:
    """One process a size; one that fails is started twice more, each time with less."""
    command = [sys.executable, *sys.argv, "--worker", "--deadline", str(options.deadline)]
    position = command.index("--sizes") if "--sizes" in command else None
    if position is not None:
        del command[position : position + 1 + len(options.sizes)]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    if options.device == "cpu":
        environment |= {"OMP_NUM_THREADS": str(max(1, os.cpu_count() // len(options.sizes)))}
    logs = options.work / "logs"
    logs.mkdir(exist_ok=True)

    def start(size: str, *more: str) -> subprocess.Popen[bytes]:
        with (logs / f"{size}.log").open("ab") as log:
            return subprocess.Popen(  # noqa: S603
                [*command, *more, "--sizes", size], stdout=log, stderr=log, env=environment
            )

    plan = read_plan(options.work)
    first_rows = {size: plan[plan["size"] == size].iloc[0].to_dict() for size in options.sizes}
    workers = {size: start(size) for size in options.sizes}
    failures = dict.fromkeys(options.sizes, 0)
    packed = time.time()
    while any(worker.poll() is None for worker in workers.values()):
        time.sleep(1)
        for size, worker in workers.items():
            if worker.poll() and failures[size] < 2 and time.time() < options.deadline - 30:
                failures[size] += 1
                slots = max(1, slots_of(size, first_rows[size], options) // 2)
                precision = "tf32" if failures[size] == 1 else "fp32"
                more = ["--slots", str(slots), "--precision", precision]
                print(f"{size}: failed with {worker.returncode}; again with {more}", flush=True)
                workers[size] = start(size, *more)
        if time.time() - packed > PACK_S:
            packed = time.time()
            pack(options)
            for path in sorted(logs.glob("*.log")):
                print(path.read_text().splitlines()[-1:], flush=True)
        if time.time() > options.deadline + 10:
            for worker in workers.values():
                worker.kill()
    pack(options)


def load_jobs(size: str, options: argparse.Namespace) -> dict[str, Job]:
    """The runs of a size in the order of the plan."""
    table = read_plan(options.work)
    table = table[(table["size"] == size) & (table["tier"].astype(int) <= options.max_tier)]
    if options.done:
        done = pd.read_csv(options.done)
        done = set(done.loc[done["size"] == size, "key"])
        # The bases are trained again: their states were lost with the machine.
        table = table[(table["phase"] == "pt") | ~table["key"].isin(done)]
    jobs = {}
    with np.load(options.work / "plan" / "schedules.npz") as arrays:
        for row in table.to_dict("records"):
            key = row["key"]
            if options.only and row["phase"] == "cpt" and options.only not in key:
                continue
            lr, replay = (arrays[f"{name}/{size}/{key}"] for name in ("lr", "replay"))
            jobs[key] = Job(key, row, lr, replay)
    return jobs


class Store:
    """Curves and states of a size on disk; everything is written whole or not at all."""

    def __init__(self, work: Path, size: str, device: str) -> None:
        self.results, self.states = work / "results" / size, work / "states" / size
        self.results.mkdir(parents=True, exist_ok=True)
        self.states.mkdir(parents=True, exist_ok=True)
        self.device = device
        self._kept: dict[tuple[str, int], State] = {}

    def done(self, key: str) -> bool:
        """Whether a run's curve is there."""
        return (self.results / f"{key}.json").exists()

    def write(self, key: str, content: dict[str, Any]) -> None:
        """Write a complete curve."""
        write_text(self.results / f"{key}.json", json.dumps(content))

    def keep(self, key: str, step: int, state: State) -> None:
        """Keep a state that runs start from; step -1 is the end."""
        self._kept[key, step] = state
        save(self.states / f"{key}@{step}.pt", state.tensors())

    def state(self, key: str, step: int) -> State | None:
        """A kept state, or None."""
        if (key, step) not in self._kept:
            path = self.states / f"{key}@{step}.pt"
            if not path.exists():
                return None
            tensors = torch.load(path, map_location=self.device, weights_only=True)
            self._kept[key, step] = State(*tensors)
        return self._kept[key, step]


def save(path: Path, content: Any) -> None:
    """Write with torch.save, whole or not at all."""
    write_file(path, partial(torch.save, content))


def train_size(size: str, options: argparse.Namespace) -> None:
    """Train the runs of one size until all are done or the time is."""
    began = time.time()
    gpu = options.device == "cuda"
    torch.set_float32_matmul_precision("high" if options.precision == "tf32" else "highest")
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    jobs = load_jobs(size, options)
    first_row = next(iter(jobs.values())).row
    slots = slots_of(size, first_row, options)
    shape = Shape(
        int(first_row["width"]),
        int(first_row["layers"]),
        int(first_row.get("sequence") or SEQUENCE),
        first_row.get("optimizer") or "adamw",
    )
    data = Data.load(options.work / "packed", options.device, shape.sequence)
    store = Store(options.work, size, options.device)
    forks = {job.origin for job in jobs.values() if job.origin}
    # A state that is missing is trained again, even if its curve is there.
    waiting = {
        key: job
        for key, job in jobs.items()
        if not store.done(key) or any(k == key and not store.state(k, s) for k, s in forks)
    }
    at_once = (12 * 264 if gpu else 88) * SEQUENCE // shape.sequence
    pool = Pool(shape, data, dtype, at_once, store.keep, forks)
    restore(pool, waiting, store)
    print(f"{size}: {len(waiting)} of {len(jobs)} runs to train; {slots} at once", flush=True)
    ticks, updates, pace = 0, 0, Pace()
    since = said = saved = time.time()
    while time.time() < options.deadline:
        left = options.deadline - time.time()
        steps_left = {phase: pace.steps(left, base=phase == "pt") for phase in ("pt", "cpt")}
        admit(pool, waiting, store, slots, steps_left)
        if not pool.active:
            break
        runs = len(pool.active)
        updates += runs
        for entry in pool.tick():
            finish(entry, store)
        ticks += 1
        if ticks % 20 == 0:
            if gpu:
                torch.cuda.synchronize()  # so that the times are true and the queue is short
            now = time.time()
            pace.add(runs, (now - since) / 20)
            since = now
        if time.time() - said > 10:
            said = time.time()
            print(
                f"{size}: {said - began:.0f} s, {ticks} steps, {updates} updates, "
                f"{len(pool.active)} under way, {len(waiting)} waiting, "
                f"{1e3 * pace.now:.1f} ms a step; first: "
                f"{describe(pool)}",
                flush=True,
            )
        if not gpu and time.time() - saved > CHECKPOINT_S:
            saved = time.time()
            snapshot(pool, store)
    if not gpu:
        snapshot(pool, store)
    check_precision(store, shape, data, dtype)
    peak = torch.cuda.max_memory_allocated() / 2**30 if gpu else 0.0
    print(
        f"{size}: stopped after {time.time() - began:.0f} s, {ticks} steps, {updates} updates; "
        f"{len(waiting) + len(pool.active)} runs not done; {peak:.1f} GiB",
        flush=True,
    )


def describe(pool: Pool) -> str:
    """The first run under way and its step."""
    return f"{pool.active[0].job.key} {pool.active[0].step}" if pool.active else "none"


def admit(
    pool: Pool, waiting: dict[str, Job], store: Store, slots: int, steps_left: dict[str, float]
) -> None:
    """Fill the stack with runs whose start is there and which would end in time.

    ``steps_left`` has the steps that there is time for by phase. Bases are alone in the stack, as
    that is quicker and the others wait for them; a base that would not end in time holds up no run
    that starts from another.
    """
    bases = any(entry.job.row["phase"] == "pt" for entry in pool.active)
    entries: list[tuple[Active, State]] = []
    # Bases, then long runs of a tier first, so that the last ones are short.
    order = sorted(waiting.values(), key=rank)
    for job in order:
        if len(pool.active) + len(entries) >= slots:
            break
        phase = job.row["phase"]
        if bases and phase == "cpt":
            break
        if job.steps - job.first > steps_left[phase]:
            continue
        state = origin_state(job, store, pool)
        if state is None:
            continue
        bases = bases or phase == "pt"
        del waiting[job.key]
        entries.append((Active(job, job.first), state))
    pool.add(entries)


def rank(job: Job) -> tuple[bool, int, int]:
    """Its place among the runs that wait: bases, then by tier, long ones first."""
    return job.row["phase"] == "cpt", int(job.row["tier"]), job.first - job.steps


def origin_state(job: Job, store: Store, pool: Pool) -> State | None:
    """What a run starts from, or None if that is not trained yet."""
    device = pool.data.train.device
    if job.origin is None:
        return State.start(pool.shape.initial(int(job.row["seed"])).to(device))
    state = store.state(*job.origin)
    if state is not None and job.row["state"] == "fresh":
        return State.start(state.weights[0])
    return state


def finish(entry: Active, store: Store) -> None:
    """Write the curve of a run that is done."""
    content = {"key": entry.job.key, "size": entry.job.row["size"]} | entry.curve()
    store.write(entry.job.key, content)


def snapshot(pool: Pool, store: Store) -> None:
    """Save the stack under way, to go on from there."""
    path = store.states / "under_way.pt"
    if pool.state is None:
        path.unlink(missing_ok=True)
        return
    runs = [(entry.job.key, entry.step, entry.curve()) for entry in pool.active]
    save(path, {"runs": runs, "state": pool.state.tensors()})


def restore(pool: Pool, waiting: dict[str, Job], store: Store) -> None:
    """Put the runs of a snapshot back into the stack."""
    path = store.states / "under_way.pt"
    if not path.exists():
        return
    content = torch.load(path, map_location=store.device, weights_only=True)
    whole = State(*content["state"])
    entries = []
    for row, (key, step, curve) in enumerate(content["runs"]):
        job = waiting.pop(key, None)
        if job is None:
            continue
        measured = list(zip(curve["step"], curve["domain"], strict=True))
        losses = [torch.tensor(curve["loss"], device=store.device)] if measured else []
        entries.append((Active(job, step, measured, losses), whole.pick([row])))
    pool.add(entries)


def check_precision(store: Store, shape: Shape, data: Data, dtype: torch.dtype) -> None:
    """Print by how much the losses of a base differ between float32 and the type used."""
    paths = sorted(store.states.glob("*@-1.pt"))
    if not paths or dtype == torch.float32:
        return
    state = State(*torch.load(paths[0], map_location=store.device, weights_only=True))
    for name, tokens in data.validation.items():
        part = tokens[None]
        full, used = (
            float(evaluate(state.weights, part, shape, kind, 1_056))
            for kind in (torch.float32, dtype)
        )
        print(f"precision: {paths[0].stem} {name}: {full:.5f} {used:.5f} {used - full:+.5f}")


def pack(options: argparse.Namespace) -> None:
    """All complete curves in one table, the runs done in another, and the logs' ends."""
    parts = []
    for path in sorted((options.work / "results").glob("*/*.json")):
        content = json.loads(path.read_text())
        frame = pd.DataFrame({name: content[name] for name in ("step", "domain", "loss")})
        frame.insert(0, "key", content["key"])
        frame.insert(0, "size", content["size"])
        parts.append(frame)
    options.out.mkdir(parents=True, exist_ok=True)
    logs = sorted((options.work / "logs").glob("*.log"))
    write_bytes(options.out / "train.log", b"".join(p.read_bytes()[-200_000:] for p in logs))
    if not parts:
        return
    curves = pd.concat(parts, ignore_index=True)
    curves["loss"] = curves["loss"].astype("float32")
    done = curves.groupby(["size", "key"], as_index=False)["step"].max()
    write_files(
        options.out,
        {
            "curves.parquet": partial(curves.to_parquet, index=False, compression="zstd"),
            "done.csv": partial(done.to_csv, index=False),
        },
    )
    print(f"packed {len(done)} runs, {len(curves):,} losses", flush=True)


if __name__ == "__main__":
    main()
