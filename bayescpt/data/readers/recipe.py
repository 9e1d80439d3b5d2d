"""What a trainer's configuration says of the recipe, under the keys of `LogRun.config`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

# Our key, and the trainers' names for it, most specific first.
_KEYS: dict[str, tuple[str, ...]] = {
    "scheduler": (
        *("lr_scheduler_type", "lr_scheduler", "lr_decay_style", "scheduler_type", "scheduler"),
        *("lr_schedule", "schedule"),
    ),
    "peak_lr": ("learning_rate", "max_lr", "peak_lr", "lr", "base_lr"),
    "warmup_steps": (
        *("warmup_steps", "num_warmup_steps", "lr_warmup_iters", "warmup_iters", "lr_warmup_steps"),
    ),
    "warmup_ratio": ("warmup_ratio", "lr_warmup_fraction", "warmup_fraction"),
    "steps": (
        *("max_steps", "total_steps", "num_training_steps", "train_iters", "max_iters"),
        *("max_iteration", "train_steps", "num_iterations"),
    ),
    "decay_steps": (
        *("num_decay_steps", "lr_wsd_decay_iters", "lr_decay_steps", "decay_steps"),
        *("cooldown_iters", "warmdown_iters"),
    ),
    "decay_end": ("lr_decay_iters",),
    "stable_steps": ("num_stable_steps",),
    "decay_type": ("decay_type", "lr_wsd_decay_style"),
    "min_lr": ("min_lr",),
    "min_lr_ratio": ("min_lr_ratio", "min_lr_rate"),
    "seed": ("seed",),
    "n_params": ("n_params", "num_params", "num_parameters", "model_params"),
    "tokens_per_step": ("tokens_per_step", "total_batch_size_tokens", "tokens_per_batch"),
    "accumulation": ("gradient_accumulation_steps", "grad_accum_steps", "accumulate_grad_batches"),
}
_TEXT = {"scheduler", "decay_type"}
_WHOLE = {"warmup_steps", "steps", "decay_steps", "decay_end", "stable_steps", "seed"}
_SIBLINGS = ("training_args.json", "args.json", "config.yaml", "hparams.yaml", "training_args.yaml")


def recipe(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Recipe in a trainer's settings.

    Parameters
    ----------
    settings : mapping of str to object
        Settings by the trainer's own names (of transformers, Megatron and nanoGPT), with dashes or
        underscores. A nested ``lr_scheduler_kwargs`` is read too.

    Returns
    -------
    dict
        Keys of `LogRun.config`, for what is given and is a value of the right kind.

    Examples
    --------
    >>> from bayescpt.data.readers.recipe import recipe
    >>> recipe({"learning_rate": "1.0e-4", "lr_scheduler_type": "cosine", "max_steps": -1})
    {'scheduler': 'cosine', 'peak_lr': 0.0001}
    """
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        name = str(key).strip().lower().lstrip("-").replace("-", "_")
        if name in ("lr_scheduler_kwargs", "scheduler_kwargs") and isinstance(value, Mapping):
            flat |= {str(k): v for k, v in value.items()}
        else:
            flat.setdefault(name, value)
    out: dict[str, Any] = {}
    for key, names in _KEYS.items():
        for name in names:
            value = _value(key, flat.get(name))
            if value is not None:
                out[key] = value
                break
    return out


def recipe_beside(path: Path) -> dict[str, Any]:
    """Recipe in a configuration file beside a log.

    Parameters
    ----------
    path : Path
        The log.

    Returns
    -------
    dict
        As of `recipe`; empty if there is no such file, or it cannot be read.
    """
    for name in _SIBLINGS:
        found = path.parent / name
        if found.is_file() and found.stat().st_size < 1_000_000:
            try:
                text = found.read_text(encoding="utf-8")
                settings = json.loads(text) if found.suffix == ".json" else flat_yaml(text)
            except (OSError, RecursionError, ValueError):
                continue
            if isinstance(settings, dict) and (out := recipe(settings)):
                return out
    return {}


def flat_yaml(text: str) -> dict[str, Any]:
    r"""Scalars of a YAML file's outermost level; all else is skipped.

    Parameters
    ----------
    text : str
        The file.

    Returns
    -------
    dict of str to str

    Examples
    --------
    >>> from bayescpt.data.readers.recipe import flat_yaml
    >>> flat_yaml("lr: 1.0e-4  # peak\nmodel:\n  depth: 3")
    {'lr': '1.0e-4'}
    """
    pairs = re.findall(r"(?m)^([\w.-]+):[ \t]+([^#\n]+?)[ \t]*(?:#.*)?$", text)
    return {key: value.strip("\"'") for key, value in pairs if value[0] not in "{[&|>!"}


def _value(key: str, given: Any) -> Any:
    if given is None or isinstance(given, bool | Mapping | list):
        return None
    if key in _TEXT:
        text = str(given).rpartition(".")[2].strip().lower()  # SchedulerType.COSINE
        return text or None
    try:
        number = float(given)
    except (TypeError, ValueError):
        return None
    # Trainers write 0 or -1 for what is not set.
    unset = number < 0 or (number == 0 and key not in ("warmup_steps", "seed", "min_lr"))
    if unset or number != number:
        return None
    return int(number) if key in _WHOLE and number.is_integer() else number
