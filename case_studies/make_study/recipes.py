"""Every run of the fleet: bases, continual pre-training and its split, fixed before any result.

uv run python recipes.py WORK     # WORK/plan: runs.csv and schedules.npz, what train.py reads
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from families import FAMILIES, SCHEDULES, linear, wsd
from numpy.typing import NDArray

from bayescpt.data import schedules
from bayescpt.data.schedule import Schedule
from bayescpt.files import write_files

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Size:
    """A model: width, layers, heads of 32 and the peak LR of its bases."""

    width: int
    layers: int
    peak_lr: float

    @property
    def n_params(self) -> int:
        """Parameters without embeddings."""
        return 12 * self.layers * self.width**2


SIZES = {
    "100k": Size(64, 2, 3e-3),
    "330k": Size(96, 3, 2e-3),
    "1200k": Size(160, 4, 1.4e-3),
    "4m": Size(256, 5, 1e-3),
}
TARGETS = ("code", "german", "spanish", "russian", "changelog", "math")
GENERAL = "general"
# Two sets outside a target's domain, one nearer and one farther.
OTHERS = {
    "code": ("changelog", "german"),
    "german": ("spanish", "code"),
    "spanish": ("german", "code"),
    "russian": ("german", "code"),
    "changelog": ("code", "german"),
    "math": ("code", "german"),
}
BUDGETS = {"pt3k": (3_000, 2_500), "pt8k": (8_000, 6_800)}  # steps, the last at the peak
ENDS = (0.0, 0.1, 0.5)
BASE_WARMUP = 100
DENSE = (0, 2, 4, 8, 11, 16, 22, 32, 45, 64, 90)  # evaluations of a run's start
REPLAYS = (0.0, 0.02, 0.05, 0.1, 0.25, 0.5, 0.75)

# Looked at once, at the end: two targets and the largest size, whole.
TEST_TARGETS = ("spanish", "russian")
TEST_SIZE = "4m"

# Random runs of each study: in the first round, and in the round for time that is left.
RANDOM = {"100k": (8, 3), "330k": (13, 7), "1200k": (8, 3), "4m": (7, 3)}
# (size, target, name of the core recipe, further seeds)
REPEATS = (
    ("330k", "german", "r25_wsd", 3),
    ("330k", "code", "r25_wsd", 2),
    ("330k", "math", "r0_wsd", 2),
    ("330k", "changelog", "r10_cos", 2),
    ("330k", "russian", "r25_wsd", 2),
    ("100k", "code", "r0_wsd", 2),
    ("100k", "german", "r50_wsd", 2),
    ("1200k", "math", "r25_wsd", 2),
    ("1200k", "german", "r10_cos", 2),
    ("4m", "code", "r25_wsd", 2),
)


@dataclass(frozen=True)
class Recipe:
    """One run.

    ``replay`` is one ratio, or pieces (steps, first ratio, last ratio) of a curriculum. ``state``
    is the optimiser's at the start: "carried" over from the parent, or "fresh".
    """

    run: str
    size: str
    phase: str
    schedule: str
    params: dict[str, Any]
    tier: int
    seed: int
    parent: str | None = None
    domain: str | None = None
    replay: float | tuple[tuple[int, float, float], ...] = 1.0
    branch_of: str | None = None
    branch_step: int = 0
    state: str = "carried"
    split: str = "fit"
    kind: str = "base"
    sets: tuple[str, ...] = field(default=(GENERAL, *TARGETS))

    @property
    def key(self) -> str:
        """Name of the run among the runs of its size: bases are shared by the targets."""
        return f"{self.domain}-{self.run}" if self.domain else self.run

    @property
    def origins(self) -> list[str]:
        """Keys of the base that it starts from and of the trunk that it branches off, if any."""
        return [name for name in (self.parent, self.branch_of) if name]

    @property
    def stem(self) -> str:
        """Name of the recipe, which repeated seeds share."""
        return self.run.rpartition("_s")[0] if self.kind == "repeat" else self.run

    def lr(self) -> Schedule:
        """Learning rates."""
        return schedules.from_name(self.schedule, **self.params)

    def replays(self) -> Array:
        """Replay ratio at each step."""
        if isinstance(self.replay, float):
            return np.full(self.lr().n_steps, self.replay)
        parts = [np.linspace(first, last, steps) for steps, first, last in self.replay]
        return np.concatenate(parts)

    def evaluations(self) -> list[int]:
        """Steps at which it is evaluated."""
        return evaluation_steps(self.lr().n_steps, self.branch_step)

    def row(self) -> dict[str, Any]:
        """Its row of the plan's runs.csv."""
        row = asdict(self)
        row["params"] = json.dumps(row["params"])
        row["replay"] = json.dumps(row["replay"])
        row["sets"] = " ".join(self.sets)
        row["key"] = self.key
        row["steps"] = self.lr().n_steps
        row["evaluations"] = " ".join(map(str, self.evaluations()))
        return row | asdict(SIZES[self.size]) | {"n_params": SIZES[self.size].n_params}


def all_recipes() -> list[Recipe]:
    """All runs, by tier: what stands first trains first."""
    recipes = []
    for size in SIZES:
        recipes += list(bases(size))
        for target in TARGETS:
            recipes += list(core(size, target))
            recipes += list(mistakes(size, target))
            recipes += list(random_runs(size, target))
    recipes += list(repeats(recipes))
    return sorted(with_splits(recipes), key=lambda recipe: recipe.tier)


def bases(size: str) -> Iterator[Recipe]:
    """Pre-training: one trunk at the peak, and its decays to 0, .1 and .5 of the peak."""
    peak = SIZES[size].peak_lr
    trunk: dict[str, Any] = {}
    for name, (steps, stable) in BUDGETS.items():
        params = {"lr": peak, "num_training_steps": steps, "num_warmup_steps": BASE_WARMUP}
        common = {"size": size, "phase": "pt", "tier": 0, "seed": number("base", size, name)}
        run = f"{name}_r1"
        yield Recipe(run, schedule="constant_with_warmup", params=params, **trunk, **common)
        trunk = {"branch_of": run, "branch_step": steps}
        for end in ENDS:
            decay = {"num_decay_steps": steps - stable, "min_lr_ratio": end}
            yield Recipe(
                f"{name}_r{end:g}",
                schedule="warmup_stable_decay",
                params=params | decay,
                branch_of=run,
                branch_step=stable,
                **common,
            )


def cpt(size: str, target: str, name: str, **fields: Any) -> Recipe:
    """A run of continual pre-training, with a seed from its name."""
    fields.setdefault("seed", number(size, target, name))
    sets = (GENERAL, target, *OTHERS[target])
    return Recipe(name, size, "cpt", domain=target, sets=sets, **fields)


def core(size: str, target: str) -> Iterator[Recipe]:
    """What a careful team runs first: one base, a few ratios, peaks and schedules."""
    peak = SIZES[size].peak_lr
    # Half of the studies start from the short base, half from the long one; ends go round.
    place = TARGETS.index(target) + list(SIZES).index(size)
    budget = tuple(BUDGETS)[place % 2]
    parent = f"{budget}_r{(0.0, 0.1, 0.0)[place % 3]:g}"
    cosine = {"num_training_steps": 1_000, "num_warmup_steps": 30, "min_lr_ratio": 0.1}
    rows: list[tuple[str, float, str, dict[str, Any]]] = [
        ("r25_wsd", 0.25, "warmup_stable_decay", wsd(peak, 1_000)),
        ("r0_wsd", 0.0, "warmup_stable_decay", wsd(peak, 1_000)),
        ("r50_wsd", 0.5, "warmup_stable_decay", wsd(peak, 1_000)),
        ("r10_cos", 0.1, "cosine", {"lr": peak} | cosine),
        ("r25_wsd_p25", 0.25, "warmup_stable_decay", wsd(peak / 4, 1_000)),
        ("r5_cos_p50", 0.05, "cosine", {"lr": peak / 2} | cosine),
    ]
    for name, replay, schedule, params in rows:
        fields = {"schedule": schedule, "params": params, "parent": parent, "replay": replay}
        yield cpt(size, target, name, tier=1, kind="core", **fields)


def mistakes(size: str, target: str) -> Iterator[Recipe]:
    """What teams do wrong: two of these for each study, and one from another start."""
    peak = SIZES[size].peak_lr
    parents = [f"{budget}_r{end:g}" for budget in BUDGETS for end in (*ENDS, 1.0)]
    rows: list[tuple[str, float, str, dict[str, Any], str]] = [
        ("p200", 0.1, "warmup_stable_decay", wsd(2 * peak, 1_000), "carried"),
        ("nowarm", 0.0, "constant", {"lr": peak, "num_training_steps": 800}, "carried"),
        (
            "early_decay",
            0.25,
            "warmup_stable_decay",
            wsd(peak, 1_200, num_stable_steps=150, min_lr_ratio=0.02),
            "carried",
        ),
        ("p12", 0.25, "linear", linear(peak / 8, 1_000, 30), "carried"),
        ("p200_nowarm", 0.0, "linear", linear(2 * peak, 500, 0), "carried"),
        ("fresh", 0.25, "warmup_stable_decay", wsd(peak, 1_000, warmup=10), "fresh"),
    ]
    place = TARGETS.index(target) + 2 * list(SIZES).index(size)
    for index in (place % 6, (place + 3) % 6):
        name, replay, schedule, params, state = rows[index]
        parent = parents[number("mistake", size, target, name) % len(parents)]
        fields = {"schedule": schedule, "params": params, "parent": parent, "replay": replay}
        yield cpt(size, target, name, tier=3, kind="mistake", state=state, **fields)


def random_runs(size: str, target: str) -> Iterator[Recipe]:
    """Runs spread over all dimensions at once: a Latin hypercube in each round of a study."""
    first, second = RANDOM[size]
    for tier, count, offset in ((2, first, 0), (4, second, first)):
        generator = np.random.default_rng(number("random", size, target, str(tier)))
        cube = np.column_stack([stratified(count, generator) for _ in range(7)])
        for index, row in enumerate(cube):
            yield random_run(size, target, f"x{offset + index + 1:02d}", tier, row, generator)


def stratified(count: int, generator: np.random.Generator) -> Array:
    """One uniform number in each of `count` equal parts of 0 to 1, in random order."""
    return (generator.permutation(count) + generator.uniform(size=count)) / count


def random_run(
    size: str, target: str, name: str, tier: int, row: Array, generator: np.random.Generator
) -> Recipe:
    """The run at one point of the cube: ratio, peak, length, family, warm-up, base, curriculum."""
    longest = 2_000 if size == "4m" else 4_000
    steps = round_to(250 * (longest / 250) ** row[2], 50)
    peak = float(f"{SIZES[size].peak_lr * 2 ** (4 * row[1] - 3):.3g}")
    warmup = min((0, 10, 30, 100, steps // 10, steps // 50)[int(row[4] * 6)], steps // 4)
    parents = [f"{budget}_r{end:g}" for budget in BUDGETS for end in (*ENDS, 1.0)]
    families = list(FAMILIES)
    weights = np.cumsum([FAMILIES[family] for family in families])
    family = families[int(np.searchsorted(weights, row[3] * weights[-1], side="right"))]
    schedule, params = SCHEDULES[family](peak, steps, warmup, generator)
    replay: float | tuple[tuple[int, float, float], ...]
    replay = REPLAYS[int(row[0] * len(REPLAYS))]
    if row[6] < 0.15:
        replay = curriculum(steps, generator)
    # What takes longest starts early, so that little is under way when the time is over.
    tier = 1 if tier == 2 and steps > 2_000 else tier
    fields = {"schedule": schedule, "params": params, "replay": replay, "tier": tier}
    fields["state"] = "fresh" if row[6] > 0.96 else "carried"
    parent = parents[int(row[5] * len(parents))]
    return cpt(size, target, f"{name}_{family}", parent=parent, kind="random", **fields)


def round_to(value: float, unit: int) -> int:
    """The nearest multiple of `unit`."""
    return int(unit * round(value / unit))


def curriculum(steps: int, generator: np.random.Generator) -> tuple[tuple[int, float, float], ...]:
    """Replay that rises, falls or steps."""
    low, high = sorted(generator.choice(REPLAYS, size=2, replace=False).tolist())
    shape = generator.choice(["rising", "falling", "stepped down", "stepped up"])
    if shape == "rising":
        return ((steps, low, high),)
    if shape == "falling":
        return ((steps, high, low),)
    cut = round(float(generator.choice([0.2, 0.5, 0.8])) * steps)
    before, after = (high, low) if shape == "stepped down" else (low, high)
    return ((cut, before, before), (steps - cut, after, after))


def repeats(recipes: list[Recipe]) -> Iterator[Recipe]:
    """Core recipes again, with further seeds."""
    by_key = {(recipe.size, recipe.key): recipe for recipe in recipes}
    for size, target, name, count in REPEATS:
        recipe = by_key[size, f"{target}-{name}"]
        for index in range(2, count + 2):
            run = f"{name}_s{index}"
            seed = number(size, target, run)
            yield replace(recipe, run=run, seed=seed, tier=3, kind="repeat")


def with_splits(recipes: list[Recipe]) -> list[Recipe]:
    """The recipes with their splits: by target and size, else by the rank of a hash.

    Of each study for fitting, one recipe in five is for the test and one for choosing; seeds of a
    recipe stay together.
    """
    places = {}
    for size in SIZES:
        for target in TARGETS:
            stems = {r.stem for r in recipes if (r.size, r.domain) == (size, target)}
            ranked = sorted(stems, key=lambda stem: number("split", size, target, stem))
            places |= {(size, target, stem): place % 5 for place, stem in enumerate(ranked)}
    split_of = {0: "test", 1: "choose"}
    result = []
    for recipe in recipes:
        split = split_of.get(places.get((recipe.size, recipe.domain, recipe.stem), 2), "fit")
        if recipe.domain in TEST_TARGETS or recipe.size == TEST_SIZE:
            split = "test"
        result.append(replace(recipe, split=split))
    return result


def number(*words: str) -> int:
    """A whole number that depends on the words only."""
    return int.from_bytes(hashlib.sha256("/".join(words).encode()).digest()[:4], "big")


def evaluation_steps(
    steps: int, first: int = 0, parts: int = 40, dense: tuple[int, ...] = DENSE
) -> list[int]:
    """Steps at which a run is evaluated: dense at the start, then every 2.5% of the run.

    Parameters
    ----------
    steps : int
        Length of the run.
    first : int
        Where a branch leaves its trunk; its evaluations follow that step.
    parts : int
        Parts of the run between evaluations.
    dense : tuple of int
        Steps after the start that are evaluated too.
    """
    length = steps - first
    even = [round(first + length * part / parts) for part in range(1, parts + 1)]
    gap = min(max(length // 80, 4), 26)
    kept = [first + step for step in dense if step < length]
    for step in even:
        if step - kept[-1] >= gap:
            kept.append(step)
    if kept[-1] != steps:
        kept.append(steps)
    return kept[1:] if first else kept


def write_plan(recipes: list[Recipe], folder: Path) -> None:
    """Write what train.py reads: it does not need this file."""
    table = pd.DataFrame([recipe.row() for recipe in recipes])
    arrays = {}
    for recipe in recipes:
        arrays[f"lr/{recipe.size}/{recipe.key}"] = recipe.lr().lr
        arrays[f"replay/{recipe.size}/{recipe.key}"] = recipe.replays()
    write_files(
        folder,
        {
            "runs.csv": partial(table.to_csv, index=False),
            "schedules.npz": lambda draft: np.savez_compressed(draft, **arrays),
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder that gets plan/")
    work = parser.parse_args().work
    recipes = all_recipes()
    write_plan(recipes, work / "plan")
    table = pd.DataFrame([recipe.row() for recipe in recipes])
    print(table.pivot_table(index="size", columns="tier", values="steps", aggfunc=["size", "sum"]))
    print(table.pivot_table(index="size", columns="split", values="steps", aggfunc="size"))


if __name__ == "__main__":
    main()
