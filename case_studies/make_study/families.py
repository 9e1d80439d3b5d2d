"""Schedules of the fleet's runs by family, with arguments drawn at random."""

from __future__ import annotations

from typing import Any

import numpy as np

Params = dict[str, Any]


def wsd(peak: float, steps: int, warmup: int = 30, decay: float = 0.2, **more: Any) -> Params:
    """Arguments of warmup_stable_decay."""
    return {
        "lr": peak,
        "num_training_steps": steps,
        "num_warmup_steps": warmup,
        "num_decay_steps": round(decay * steps),
    } | more


def linear(peak: float, steps: int, warmup: int) -> Params:
    """Arguments of linear."""
    return {"lr": peak, "num_training_steps": steps, "num_warmup_steps": warmup}


# Families of schedules and their weights in the random runs.
FAMILIES = {
    "wsd": 5.0,
    "wsd_cosine": 1.0,
    "wsd_sqrt": 1.5,
    "wsd_exponential": 1.0,
    "wsd_geometric": 1.0,
    "cosine": 4.0,
    "linear": 2.5,
    "constant": 1.0,
    "warm_constant": 1.5,
    "inverse_sqrt": 1.5,
    "infinite": 2.0,
    "piecewise": 1.0,
    "stepped": 1.5,
}


def _wsd(decay_type: str) -> Any:
    def make(
        peak: float, steps: int, warmup: int, generator: np.random.Generator
    ) -> tuple[str, dict[str, Any]]:
        fraction = float(generator.choice([0.05, 0.1, 0.2, 0.2, 0.35, 0.6]))
        lowest = 0.01 if decay_type == "geometric" else 0.0
        ratio = max(lowest, float(generator.choice([0.0, 0.0, 0.05, 0.1, 0.3])))
        params = wsd(peak, steps, warmup, fraction, min_lr_ratio=ratio, decay_type=decay_type)
        return "warmup_stable_decay", params

    return make


def _cosine(peak: float, steps: int, warmup: int, generator: Any) -> tuple[str, dict[str, Any]]:
    ratio = float(generator.choice([0.0, 0.1, 0.1, 0.3]))
    return "cosine", linear(peak, steps, warmup) | {"min_lr_ratio": ratio}


def _linear(peak: float, steps: int, warmup: int, generator: Any) -> tuple[str, dict[str, Any]]:
    ratio = float(generator.choice([0.0, 0.0, 0.1]))
    return "linear", linear(peak, steps, warmup) | {"min_lr_ratio": ratio}


def _constant(peak: float, steps: int, warmup: int, generator: Any) -> tuple[str, dict[str, Any]]:
    return "constant", {"lr": peak, "num_training_steps": steps}


def _warm_constant(peak: float, steps: int, warmup: int, generator: Any) -> Any:
    return "constant_with_warmup", linear(peak, steps, max(warmup, 10))


def _inverse_sqrt(peak: float, steps: int, warmup: int, generator: Any) -> Any:
    timescale = int(generator.choice([50, 150, 400]))
    return "inverse_sqrt", linear(peak, steps, warmup) | {"timescale": timescale}


def _infinite(peak: float, steps: int, warmup: int, generator: Any) -> Any:
    params = linear(peak, steps, warmup) | {
        "num_cooldown_steps": round(float(generator.choice([0.1, 0.25, 0.4])) * steps),
        "constant_lr": float(f"{peak * float(generator.choice([0.2, 0.4, 0.6])):.3g}"),
        "num_decay_steps": round(float(generator.choice([0.1, 0.2])) * steps),
        "min_lr_ratio": 0.02,
        "cooldown_type": str(generator.choice(["cosine", "inverse_sqrt"])),
    }
    return "infinite", params


def _piecewise(peak: float, steps: int, warmup: int, generator: Any) -> Any:
    """Down, warm again, down: two cycles with a rise between them."""
    warmup = max(warmup, 10)
    half = steps // 2
    low = float(f"{peak * float(generator.choice([0.1, 0.3])):.3g}")
    pieces = [
        (warmup, "linear", 0.0, peak),
        (half - warmup, "cosine", peak, low),
        (warmup, "linear", low, peak),
        (steps - half - warmup, "linear", peak, 0.0),
    ]
    return "piecewise", {"pieces": pieces}


def _stepped(peak: float, steps: int, warmup: int, generator: Any) -> Any:
    """Constant stages, each a fraction of the one before."""
    factor = float(generator.choice([0.2, 0.316, 0.5]))
    stages = int(generator.choice([2, 3]))
    ends = np.sort(generator.choice(np.arange(2, 9), size=stages - 1, replace=False)) / 10
    edges = [warmup, *(round(float(end) * steps) for end in ends), steps]
    pieces: list[tuple[int, str, float, float]] = []
    if warmup:
        pieces.append((warmup, "linear", 0.0, peak))
    for index in range(stages):
        level = float(f"{peak * factor**index:.3g}")
        pieces.append((edges[index + 1] - edges[index], "constant", level, level))
    return "piecewise", {"pieces": pieces}


SCHEDULES: dict[str, Any] = {
    "wsd": _wsd("linear"),
    "wsd_cosine": _wsd("cosine"),
    "wsd_sqrt": _wsd("1-sqrt"),
    "wsd_exponential": _wsd("exponential"),
    "wsd_geometric": _wsd("geometric"),
    "cosine": _cosine,
    "linear": _linear,
    "constant": _constant,
    "warm_constant": _warm_constant,
    "inverse_sqrt": _inverse_sqrt,
    "infinite": _infinite,
    "piecewise": _piecewise,
    "stepped": _stepped,
}
