"""Every run of the variants, studies that differ in what the fleet holds fixed, and their split.

uv run python variants.py WORK     # WORK/plan: runs.csv and schedules.npz, what train.py reads
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import recipes as fleet
from families import SCHEDULES, wsd
from recipes import (
    BASE_WARMUP,
    Recipe,
    curriculum,
    evaluation_steps,
    number,
    stratified,
    write_plan,
)
from variant_kinds import CHANGELOG_TOKENS, STACKS, TEST, VARIANTS, Variant

Pieces = tuple[tuple[int, float, float], ...]


@dataclass(frozen=True)
class VariantRecipe(Recipe):
    """One run of a variant; ``size`` is its stack."""

    variant: str = ""

    @property
    def spec(self) -> Variant:
        """Its variant."""
        return VARIANTS[self.variant]

    @property
    def group(self) -> str:
        """Whose runs its name is unique among: a variant's, or those of shared bases."""
        shared = self.phase == "pt" and self.spec.bases
        return self.size if shared else self.variant

    @property
    def key(self) -> str:
        """Name of the run among the runs of its stack."""
        return f"{self.group}-{self.run}"

    @property
    def origins(self) -> list[str]:
        """Keys of the base that it starts from and of the trunk that it branches off, if any."""
        bases = self.size if self.spec.bases else self.variant
        return [f"{bases}-{name}" for name in (self.parent, self.branch_of) if name]

    def evaluations(self) -> list[int]:
        """Steps at which it is evaluated."""
        steps = self.lr().n_steps
        return evaluation_steps(steps, self.branch_step, self.spec.parts, self.spec.dense)

    def row(self) -> dict[str, Any]:
        """Its row of the plan's runs.csv."""
        stack, spec = STACKS[self.size], self.spec
        (origin,) = self.origins or [None]
        return {
            **{f.name: getattr(self, f.name) for f in fields(self)},
            "params": json.dumps(self.params),
            "replay": json.dumps(self.replay),
            "sets": " ".join(self.sets),
            "parent": origin if self.parent else None,
            "branch_of": origin if self.branch_of else None,
            "key": self.key,
            "steps": self.lr().n_steps,
            "evaluations": " ".join(map(str, self.evaluations())),
            "general": spec.general,
            "corpus": spec.target if self.phase == "cpt" else spec.general,
            "weight_decay": spec.weight_decay,
            "beta_2": spec.beta_2,
            "width": stack.model.width,
            "layers": stack.model.layers,
            "sequence": stack.sequence,
            "sequences_per_step": stack.sequences_per_step,
            "optimizer": stack.optimizer,
            "slots": stack.slots,
            "n_params": stack.model.n_params,
        }


def all_recipes() -> list[VariantRecipe]:
    """All runs, by tier; bases that no run starts from are left out, shared ones stand once."""
    runs = [recipe for name in VARIANTS for recipe in study_recipes(name)]
    unique = {(recipe.size, recipe.key): recipe for recipe in runs}
    return sorted(unique.values(), key=lambda recipe: recipe.tier)


@cache
def study_recipes(name: str) -> list[VariantRecipe]:
    """The runs of one variant, bases first, with their split."""
    spec = VARIANTS[name]
    if name == "curricula":
        runs = list(curricula_runs(name))
    elif name == "lengths":
        runs = list(length_runs(name))
    elif spec.stack == "16m":
        runs = list(runs_of_4m(name))
    else:
        runs = [*core(name), *random_runs(name), *extra(name)]
    bases = {base.run: base for base in shared_bases(name) if spec.bases}
    bases = bases or {base.run: base for base in own_bases(name)}
    needed: set[str] = set()
    for run in runs:
        place = run.parent
        while place:
            needed.add(place)
            place = bases[place].branch_of
    used = [base for run, base in bases.items() if run in needed]
    return [replace(recipe, split=splits()[name]) for recipe in (*used, *runs)]


@cache
def splits() -> dict[str, str]:
    """The split of each variant, from hashes of names: a half `fit`, a quarter each of the rest."""
    others = [name for name in VARIANTS if name not in (*TEST, "lengths")]
    ranked = sorted(others, key=lambda name: number("split", "variant", name))
    kinds = ["test", *["choose"] * 3]
    kinds += ["fit"] * (len(ranked) - len(kinds))
    known = dict.fromkeys(TEST, "test") | {"lengths": "choose"}
    return dict(zip(ranked, kinds, strict=True)) | known


def make(name: str, run: str, **more: Any) -> VariantRecipe:
    """A run of continual pre-training, with a seed from its name."""
    spec = VARIANTS[name]
    more.setdefault("seed", number("variant", name, run))
    more.setdefault("state", spec.state)
    common = {"size": spec.stack, "phase": "cpt", "domain": spec.target, "sets": spec.sets}
    return VariantRecipe(run, variant=name, **common, **more)


def own_bases(name: str) -> Iterator[VariantRecipe]:
    """Pre-training of a variant: a trunk and its decays, or cosines to a tenth."""
    spec = VARIANTS[name]
    common = {"size": spec.stack, "phase": "pt", "tier": 0, "variant": name, "sets": spec.sets}
    seed = number("base", "variant", name)
    for steps in spec.cosine_bases:
        params = {"lr": spec.peak_lr, "num_training_steps": steps, "num_warmup_steps": BASE_WARMUP}
        run = f"pt{steps // 1_000}k_cos"
        params |= {"min_lr_ratio": 0.1}
        yield VariantRecipe(run, schedule="cosine", params=params, seed=seed, **common)
    if spec.cosine_bases:
        return
    steps, trunk = spec.base_steps, f"pt{spec.base_steps // 1_000}k_r1"
    params = {"lr": spec.peak_lr, "num_training_steps": steps, "num_warmup_steps": BASE_WARMUP}
    yield VariantRecipe(trunk, schedule="constant_with_warmup", params=params, seed=seed, **common)
    for end in spec.ends:
        yield VariantRecipe(
            f"pt{steps // 1_000}k_r{end:g}",
            schedule="warmup_stable_decay",
            params=params | {"num_decay_steps": spec.base_decay, "min_lr_ratio": end},
            branch_of=trunk,
            branch_step=steps - spec.base_decay,
            seed=seed,
            **common,
        )


def shared_bases(name: str) -> Iterator[VariantRecipe]:
    """The fleet's bases, trained anew: at 330k the same ones, at 16m with other LRs."""
    spec = VARIANTS[name]
    sets = ("general", "code", "german", "changelog")
    for base in fleet.bases(spec.bases) if spec.bases else ():
        seed = base.seed if spec.stack == spec.bases else number("base", spec.stack, base.run)
        yield of_fleet(base, name, tier=0, seed=seed, sets=sets)


def of_fleet(recipe: Recipe, name: str, **more: Any) -> VariantRecipe:
    """A run of the fleet as one of a variant, its LRs scaled to the variant's peak."""
    spec = VARIANTS[name]
    factor = spec.peak_lr / fleet.SIZES[spec.bases].peak_lr
    old = {f.name: getattr(recipe, f.name) for f in fields(Recipe)}
    params = scaled(recipe.params, factor)
    return VariantRecipe(**old | {"size": spec.stack, "params": params, "variant": name} | more)


def scaled(params: dict[str, Any], factor: float) -> dict[str, Any]:
    """Arguments of a schedule with all learning rates times a factor."""
    result = dict(params)
    for field in ("lr", "constant_lr"):
        if field in params:
            result[field] = float(f"{params[field] * factor:.4g}")
    if "pieces" in params:
        result["pieces"] = [
            (steps, kind, *(float(f"{lr * factor:.4g}") for lr in lrs))
            for steps, kind, *lrs in params["pieces"]
        ]
    return result


def annealed(name: str) -> str:
    """The base that a team would start from first."""
    spec = VARIANTS[name]
    if spec.cosine_bases:
        return f"pt{spec.cosine_bases[0] // 1_000}k_cos"
    if spec.bases:
        return "pt8k_r0"
    return f"pt{spec.base_steps // 1_000}k_r{spec.ends[0]:g}"


def starts(name: str) -> list[str]:
    """Bases of the random runs: the annealed one twice as often as each other one."""
    spec = VARIANTS[name]
    if spec.cosine_bases:
        long, short = (f"pt{steps // 1_000}k_cos" for steps in spec.cosine_bases)
        return [long, long, short]
    stem = "pt8k" if spec.bases else f"pt{spec.base_steps // 1_000}k"
    return [annealed(name), annealed(name), f"{stem}_r{spec.ends[1]:g}", f"{stem}_r1"]


def core(name: str) -> Iterator[VariantRecipe]:
    """What a careful team runs first."""
    spec = VARIANTS[name]
    peak, steps = spec.peak_lr, round(2 * spec.lengths[0], -2)
    cosine = {"num_training_steps": steps, "num_warmup_steps": 30, "min_lr_ratio": 0.1}
    rows: list[tuple[str, float, str, dict[str, Any]]] = [
        ("r25_wsd", 0.25, "warmup_stable_decay", wsd(peak, steps)),
        ("r0_wsd", 0.0, "warmup_stable_decay", wsd(peak, steps)),
        ("r50_wsd", 0.5, "warmup_stable_decay", wsd(peak, steps)),
        ("r10_cos", 0.1, "cosine", {"lr": peak} | cosine),
        ("r25_wsd_p25", 0.25, "warmup_stable_decay", wsd(peak / 4, steps)),
        ("r5_cos_p50", 0.05, "cosine", {"lr": peak / 2} | cosine),
    ]
    for run, replay, schedule, params in rows:
        more = {"schedule": schedule, "params": params, "replay": replay}
        yield make(name, run, parent=annealed(name), tier=1, kind="core", **more)


N_RANDOM = 10
RATIOS = (0.0, 0.05, 0.1, 0.25, 0.25, 0.5, 0.75)
PEAKS = (0.125, 0.25, 0.5, 0.7, 1.0, 1.0, 1.0, 1.4, 2.0)
KINDS = ("wsd", "wsd", "wsd_sqrt", "cosine", "cosine", "linear", "infinite", "stepped")


def random_runs(name: str) -> Iterator[VariantRecipe]:
    """Runs spread over ratio, peak, length, schedule and start at once."""
    spec = VARIANTS[name]
    generator = np.random.default_rng(number("random", "variant", name))
    cube = np.column_stack([stratified(N_RANDOM, generator) for _ in range(6)])
    low, high = spec.lengths
    for index, row in enumerate(cube):
        steps = fleet.round_to(low * (high / low) ** row[2], 50)
        kind = KINDS[int(row[3] * len(KINDS))]
        warmup = (10, 30, 100, steps // 20)[int(row[4] * 4)]
        peak = float(f"{spec.peak_lr * PEAKS[int(row[1] * len(PEAKS))]:.3g}")
        schedule, params = SCHEDULES[kind](peak, steps, warmup, generator)
        replay: float | Pieces = RATIOS[int(row[0] * len(RATIOS))]
        parent = starts(name)[int(row[5] * len(starts(name)))]
        # What takes longest starts early, so that little is under way when the time is over.
        tier = 1 if steps > high / 2 else 2 if index < N_RANDOM // 2 else 3
        more = {"schedule": schedule, "params": params, "replay": replay, "tier": tier}
        yield make(name, f"x{index + 1:02d}_{kind}", parent=parent, kind="random", **more)


def extra(name: str) -> Iterator[VariantRecipe]:
    """Two curricula, and two core recipes again with other seeds."""
    spec = VARIANTS[name]
    steps = round(3 * spec.lengths[0], -2)
    for index in (1, 2):
        generator = np.random.default_rng(number("curriculum", "variant", name, str(index)))
        params = wsd(spec.peak_lr, steps)
        replay = curriculum(steps, generator)
        more = {"schedule": "warmup_stable_decay", "params": params, "replay": replay}
        yield make(name, f"c{index}", parent=annealed(name), tier=2, kind="curriculum", **more)
    for recipe in core(name):
        if recipe.run in ("r25_wsd", "r10_cos"):
            run = f"{recipe.run}_s2"
            seed = number("variant", name, run)
            yield replace(recipe, run=run, seed=seed, tier=2, kind="repeat")


def curricula_runs(name: str) -> Iterator[VariantRecipe]:
    """Every shape of replay at two pairs of ratios, and constant ratios to compare with."""
    spec = VARIANTS[name]
    pairs = ((0.0, 0.5), (0.05, 0.5), (0.0, 0.25), (0.1, 0.75), (0.0, 0.75))
    settings = ((1_000, "wsd", 1.0), (1_600, "cosine", 1.0), (1_000, "linear", 0.5))
    settings += ((2_400, "wsd", 0.5), (1_600, "wsd", 1.0))
    designs = []
    for index, shape in enumerate([*SHAPES, *SHAPES]):
        low, high = pairs[index % 5]
        again = index >= len(SHAPES)
        steps, kind, factor = settings[(index + again) % 5]
        generator = np.random.default_rng(number("variant", name, str(index)))
        schedule, params = SCHEDULES[kind](spec.peak_lr * factor, steps, 30, generator)
        replay = shape_pieces(shape, steps, low, high)
        # The first of each shape from the annealed base, the second from any.
        parent = starts(name)[index % 4] if again else annealed(name)
        more = {"schedule": schedule, "params": params, "replay": replay, "parent": parent}
        run = f"{shape}_{'b' if again else 'a'}"
        designs.append(make(name, run, tier=1 + again, kind="curriculum", **more))
    yield from designs
    for run, ratio in (("r0_wsd", 0.0), ("r25_wsd", 0.25), ("r50_wsd", 0.5)):
        params = wsd(spec.peak_lr, 1_600)
        more = {"schedule": "warmup_stable_decay", "params": params, "replay": ratio}
        yield make(name, run, parent=annealed(name), tier=1, kind="core", **more)
    run = f"{designs[1].run}_s2"
    yield replace(designs[1], run=run, seed=number("variant", name, run), tier=3, kind="repeat")


# Where replay is high, as fractions of the run: pieces (end of the piece, at its start, at its end)
SHAPES: dict[str, tuple[tuple[float, str, str], ...]] = {
    "down20": ((0.2, "high", "high"), (1.0, "low", "low")),
    "down50": ((0.5, "high", "high"), (1.0, "low", "low")),
    "down80": ((0.8, "high", "high"), (1.0, "low", "low")),
    "up20": ((0.2, "low", "low"), (1.0, "high", "high")),
    "up50": ((0.5, "low", "low"), (1.0, "high", "high")),
    "up80": ((0.8, "low", "low"), (1.0, "high", "high")),
    "rising": ((1.0, "low", "high"),),
    "falling": ((1.0, "high", "low"),),
    "middle": ((0.35, "low", "low"), (0.65, "high", "high"), (1.0, "low", "low")),
    "ends": ((0.25, "high", "high"), (0.75, "low", "low"), (1.0, "high", "high")),
}


def shape_pieces(shape: str, steps: int, low: float, high: float) -> Pieces:
    """The pieces of a curriculum."""
    levels = {"low": low, "high": high}
    pieces, done = [], 0
    for end, first, last in SHAPES[shape]:
        stop = round(end * steps)
        pieces.append((stop - done, levels[first], levels[last]))
        done = stop
    return tuple(pieces)


def length_runs(name: str) -> Iterator[VariantRecipe]:
    """Three recipes at several lengths, no longer than their mixture has text for."""
    spec = VARIANTS[name]
    for index, steps in enumerate((400, 800, 1_600, 3_200, 5_000)):
        for run, ratio, kind, factor in (
            ("r25_wsd", 0.25, "wsd", 1.0),
            ("r50_cos", 0.5, "cosine", 1.0),
            ("r10_lin", 0.1, "linear", 0.5),
        ):
            longest = CHANGELOG_TOKENS / (1 - ratio) // STACKS[spec.stack].tokens_per_step
            length = min(steps, fleet.round_to(longest - 50, 50))
            generator = np.random.default_rng(number("variant", name, f"{run}_{steps}"))
            schedule, params = SCHEDULES[kind](spec.peak_lr * factor, length, 30, generator)
            more = {"schedule": schedule, "params": params, "replay": ratio}
            more |= {"parent": annealed(name), "tier": 1 if index in (0, 1, 4) else 2}
            yield make(name, f"{run}_{length}", kind="core", **more)


def runs_of_4m(name: str) -> Iterator[VariantRecipe]:
    """The core and the random recipes of the fleet's largest size, at the scaled peak."""
    spec = VARIANTS[name]
    for recipe in fleet.all_recipes():
        chosen = (recipe.size, recipe.domain) == ("4m", spec.target)
        if chosen and recipe.kind in ("core", "random"):
            seed = number("variant", name, recipe.run)
            yield of_fleet(recipe, name, seed=seed, sets=spec.sets)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="folder that gets plan/")
    work = parser.parse_args().work
    recipes = all_recipes()
    write_plan(recipes, work / "plan")
    table = pd.DataFrame([recipe.row() for recipe in recipes])
    counted = table[table["phase"] == "cpt"]
    print(counted.groupby(["size", "variant", "split"])["steps"].agg(["size", "sum", "max"]))
    print(table.pivot_table(index="size", columns="tier", values="steps", aggfunc=["size", "sum"]))


if __name__ == "__main__":
    main()
