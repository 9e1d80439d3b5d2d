"""The recipe in the argument dump of Megatron-LM."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bayescpt.data.readers.names import set_name
from bayescpt.data.readers.recipe import recipe

_IN_SAMPLES = {
    "steps": "train_samples",
    "decay_end": "lr_decay_samples",
    "warmup_steps": "lr_warmup_samples",
    "decay_steps": "lr_wsd_decay_samples",
}


def config_of(arguments: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Recipe of a run, from its arguments.

    Parameters
    ----------
    arguments : mapping of str to str
        Arguments by name, as printed.

    Returns
    -------
    config : dict
        As in `LogRun`.
    notes : list of str
        What the arguments say and `config` cannot.

    Examples
    --------
    >>> from bayescpt.data.readers.megatron_arguments import config_of
    >>> config_of({"lr": "0.0002", "train_iters": "500", "lr_decay_style": "cosine"})[0]
    {'scheduler': 'cosine', 'peak_lr': 0.0002, 'steps': 500}
    """
    config = recipe(arguments)
    batch, length = _number(arguments, "global_batch_size"), _number(arguments, "seq_length")
    if batch:
        # Lengths may be given in samples.
        for key, argument in _IN_SAMPLES.items():
            if samples := _number(arguments, argument):
                config[key] = int(samples // batch)
        if length:
            config["tokens_per_step"] = int(batch * length)
    ratio, end = config.pop("warmup_ratio", None), config.get("decay_end", config.get("steps"))
    if ratio and end:
        config["warmup_steps"] = round(ratio * end)
    if initial := _number(arguments, "lr_warmup_init"):
        config["warmup_init_lr"] = initial
    if config.get("decay_type") == "minus_sqrt":
        config["decay_type"] = "1-sqrt"
    if config.get("scheduler") != "wsd":
        config.pop("decay_type", None)
        config.pop("decay_steps", None)
    notes = []
    if ramp := _text(arguments, "rampup_batch_size"):
        config.pop("tokens_per_step", None)
        notes.append(f"the batch size grows ({ramp}), so tokens_per_step is not one number")
    return config, notes


def validation_names(arguments: Mapping[str, str], count: int) -> list[str]:
    """Names of numbered validation sets, from the files that they are read from.

    Parameters
    ----------
    arguments : mapping of str to str
        Arguments by name, as printed.
    count : int
        Number of sets.

    Returns
    -------
    list of str
        Names in the order of the files; empty if their number is another, or two are the same.

    Examples
    --------
    >>> from bayescpt.data.readers.megatron_arguments import validation_names
    >>> validation_names({"valid_data_path": "['/d/el_text_document', '/d/en_text_document']"}, 2)
    ['el', 'en']
    """
    paths = re.findall(r"'([^']+)'", arguments.get("valid_data_path", ""))
    # Weights stand between the paths of a blend.
    files = [path.rsplit("/", 1)[-1] for path in paths if not re.fullmatch(r"[\d.eE+-]+", path)]
    names = [set_name(re.sub(r"_text_(document|sentence)$", "", file)) for file in files]
    return names if count and len(names) == count == len(set(names)) else []


def _text(arguments: Mapping[str, str], key: str) -> str | None:
    value = arguments.get(key, "None")
    return None if value in ("None", "") else value


def _number(arguments: Mapping[str, str], key: str) -> float | None:
    try:
        return float(arguments[key])
    except (KeyError, ValueError):
        return None
