"""What the keys of metrics and the columns of tables mean, in all log formats alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from bayescpt.data.readers.record import StepsAre
from bayescpt.data.units import did_you_mean
from bayescpt.errors import StudyError

Role = Literal["eval", "ppl", "lr", "train", "step", "tokens", "micro", "run", "domain", "ignore"]

UNNAMED = "val"  # a set whose key gives no name

# Counters of updates, best first: `_step` of W&B counts log calls.
UPDATE_COUNTERS = (
    *("update_step", "num_updates", "n_updates", "updates", "optimizer_step", "optimiser_step"),
    *("global_step", "trainer/global_step", "train/global_step", "current_steps", "step", "steps"),
    *("iteration", "iterations", "iter", "iters", "it", "train/step", "training_step", "_step"),
)
TOKEN_COUNTERS = (
    *("tokens", "n_tokens", "num_tokens", "tokens_seen", "total_tokens", "consumed_tokens"),
    *("num_input_tokens_seen", "train/tokens", "tokens_processed", "trained_tokens"),
    *("throughput/total_tokens", "train/total_tokens", "train/num_input_tokens_seen"),
)
MICRO_COUNTERS = ("micro_step", "micro_steps", "micro_batch", "batch_idx", "micro_iteration")
RUN_COLUMNS = ("run", "run_name", "run_tag", "run_id", "experiment", "run id", "tag_run")
DOMAIN_COLUMNS = (
    "domain",
    "set",
    "dataset",
    "eval_set",
    "val_set",
    "eval_dataset",
    "split",
    "name",
)
LR_KEYS = (
    *("lr", "learning_rate", "learningrate", "train/lr", "train/learning_rate"),
    "learning_rate/learning_rate",
    *(
        "optim/lr",
        "optim/lr_group0",
        "optimizer/lr",
        "opt/lr",
        "schedule/lr",
        "optim/learning_rate",
    ),
    *("lr/group0", "lr/group_0", "lr_group0", "lr_0", "lr/0", "optim/learning_rate_group0"),
)

_EVAL_WORDS = {"eval", "evaluation", "val", "valid", "validation", "dev", "heldout", "test"}
_TRAIN_WORDS = {"train", "training"}
_LOSS_WORDS = {"loss", "losses", "nll", "ce", "xent", "crossentropy"}
_PPL_WORDS = {"ppl", "perplexity", "perplexities"}
# Words around the name of a set that are no part of it.
_USUAL = (
    _EVAL_WORDS | _LOSS_WORDS | _PPL_WORDS
    | {"lm", "cross", "entropy", "avg", "average", "mean", "held", "out", "set", "metrics", "epoch"}
    | {"step", "batch", "iter", "iteration", "global"}
)  # fmt: skip
# Parts of a loss or summaries of several, which are no loss of a set.
_OTHER_LOSSES = {
    *("aux", "auxiliary", "z", "balance", "balancing", "router", "load", "kl", "reward", "mtp"),
    *("best", "min", "max", "std", "stderr", "var", "scale", "ema", "smooth", "smoothed"),
    *("samples", "vs", "count", "weight", "time", "runtime", "second", "predict", "prediction"),
    "downstream",  # OLMo-core's tasks
}


@dataclass(frozen=True)
class Meaning:
    """What a key holds.

    Parameters
    ----------
    role : str
        One of "eval" (loss on a set, in nats), "ppl" (its perplexity), "lr", "train" (training
        loss), "step", "tokens" and "micro" (counters), "run" and "domain" (names), or "ignore".
    domain : str
        Name of the set, for "eval" and "ppl".
    """

    role: Role
    domain: str = ""


IGNORE = Meaning("ignore")


def meaning(key: str, columns: Mapping[str, str] | None = None) -> Meaning:
    """What a metric's key or a column of a table holds.

    Parameters
    ----------
    key : str
        The key, as the log has it.
    columns : mapping of str to str, optional
        What the user says of some keys, as in `ReadOptions`.

    Returns
    -------
    Meaning
        Role "ignore" for what is no loss, learning rate, counter or name.

    Raises
    ------
    StudyError
        If the user's word for the key is none of the roles.

    Examples
    --------
    >>> from bayescpt.data.readers.names import meaning
    >>> meaning("eval/medical_loss")
    Meaning(role='eval', domain='medical')
    >>> meaning("lm loss validation-greek")
    Meaning(role='eval', domain='greek')
    >>> meaning("eval_loss")
    Meaning(role='eval', domain='val')
    >>> meaning("eval_medical_perplexity")
    Meaning(role='ppl', domain='medical')
    >>> meaning("train/loss"), meaning("eval_runtime")
    (Meaning(role='train', domain=''), Meaning(role='ignore', domain=''))
    """
    if columns and key in columns:
        return _given(key, columns[key])
    plain = key.strip().lower()
    for role, known in _EXACT.items():
        if plain in known:
            return Meaning(role)
    if _is_lr(plain):
        return Meaning("lr")
    return _loss_meaning(key.strip())


def step_counter(
    keys: Iterable[str], columns: Mapping[str, str] | None = None
) -> tuple[str, StepsAre] | None:
    """The key that counts steps, where a log has several.

    Parameters
    ----------
    keys : iterable of str
        Keys of the log.
    columns : mapping of str to str, optional
        What the user says of some keys; this takes precedence.

    Returns
    -------
    tuple of (str, str), or None
        The key, and what it counts: "updates" where there is such a counter, else "tokens", else
        "micro". None if no key is a counter.

    Examples
    --------
    >>> from bayescpt.data.readers.names import step_counter
    >>> step_counter(["_step", "train/global_step", "eval/loss"])
    ('train/global_step', 'updates')
    >>> step_counter(["tokens", "val_loss"])
    ('tokens', 'tokens')
    """
    keys = list(keys)
    said = {"step": "updates", "tokens": "tokens", "micro": "micro"}
    for key in keys:
        if columns and columns.get(key) in said:
            return key, said[columns[key]]  # type: ignore[return-value]
    plain = {
        key.strip().lower(): key for key in reversed(keys) if not columns or key not in columns
    }
    kinds: tuple[tuple[StepsAre, tuple[str, ...]], ...] = (
        ("updates", UPDATE_COUNTERS),
        ("tokens", TOKEN_COUNTERS),
        ("micro", MICRO_COUNTERS),
    )
    for kind, counters in kinds:
        for counter in counters:
            if counter in plain:
                return plain[counter], kind
    return None


def set_name(key: str) -> str:
    """Name of the set in a key: what stands between the usual words.

    Parameters
    ----------
    key : str
        Key of a metric, or a set's own name.

    Returns
    -------
    str
        The name as the key spells it; "val" if there is none ("test" for a test set).

    Examples
    --------
    >>> from bayescpt.data.readers.names import set_name
    >>> set_name("eval/lm/c4_en-validation/CE loss"), set_name("validation-greek")
    ('c4_en', 'greek')
    >>> set_name("validation-1")
    'val_1'
    """
    words = [(m.group().lower(), m.start(), m.end()) for m in _WORD.finditer(key)]
    first, last = 0, len(words)
    while first < last and words[first][0] in _USUAL:
        first += 1
    while last > first and words[last - 1][0] in _USUAL:
        last -= 1
    if first == last:
        spoken = {word for word, _, _ in words}
        return "test" if "test" in spoken and not spoken & (_EVAL_WORDS - {"test"}) else UNNAMED
    name = key[words[first][1] : words[last - 1][2]]
    # A table would read a bare number back as one.
    return f"{UNNAMED}_{name}" if name.isdecimal() else name


def name_of_path(path: Path) -> tuple[str, str]:
    """Name of the run that a log file belongs to, and the part of the path that it leaves out.

    Parameters
    ----------
    path : Path
        The log file.

    Returns
    -------
    name : str
        The file's own name, unless all logs of that kind have the same: then that of its folder.
    part : str
        Folders such as ``checkpoint-500`` and ``version_5``, which are parts of a run.

    Examples
    --------
    >>> from pathlib import Path
    >>> from bayescpt.data.readers.names import name_of_path
    >>> name_of_path(Path("runs/replay-25/checkpoint-500/trainer_state.json"))
    ('replay-25', 'checkpoint-500')
    >>> name_of_path(Path("runs/replay-25.csv"))
    ('replay-25', '')
    """
    path = path.absolute()
    stem = path.name.split(".")[0] if path.name.startswith("events.out") else path.stem
    usual = _USUAL_FILE.fullmatch(stem)
    if usual is None:
        restart = _RESTART.fullmatch(stem)
        return (restart[1], restart[2]) if restart else (stem, "")
    parts = [stem] if usual["number"] else []
    folder = path.parent
    while _PART_FOLDER.fullmatch(folder.name):
        if not _EMPTY_FOLDER.fullmatch(folder.name):
            parts.insert(0, folder.name)
        dated = _DATED_FOLDER.fullmatch(folder.name)
        folder = folder.parent
        if dated and folder.name == "runs":
            folder = folder.parent
    return folder.name or stem, "/".join(parts)


def _given(key: str, word: str) -> Meaning:
    role, _, domain = word.partition(":")
    known = (*get_args(Role), "loss")
    if role not in known or bool(domain) != (role in ("eval", "ppl")):
        hint = did_you_mean(role, known)
        raise StudyError(
            f"column map: {key!r} is {word!r}; {hint}expected eval:NAME, ppl:NAME, or one of "
            f"{', '.join(known)}"
        )
    return Meaning("train" if role == "loss" else role, domain)  # type: ignore[arg-type]


def _is_lr(plain: str) -> bool:
    squeezed = re.sub(r"[()]", "", plain).replace("group ", "group").replace("-", "_")
    squeezed = squeezed.replace(" ", "_")
    # Lightning's monitor names the optimiser and its group; the first group counts.
    return squeezed in LR_KEYS or bool(
        re.fullmatch(r"(train/)?lr_[a-z]*adam[a-z]*(/pg1)?", squeezed)
    )


def _loss_meaning(key: str) -> Meaning:
    words = [m.group().lower() for m in _WORD.finditer(key)]
    spoken = set(words)
    is_ppl, is_loss = bool(spoken & _PPL_WORDS), bool(spoken & _LOSS_WORDS)
    if not (is_ppl or is_loss) or spoken & _OTHER_LOSSES:
        return IGNORE
    evaluated = next((k for k, word in enumerate(words) if word in _EVAL_WORDS), None)
    trained = next((k for k, word in enumerate(words) if word in _TRAIN_WORDS), None)
    if trained is not None and (evaluated is None or trained < evaluated):
        # A mean over an epoch or a perplexity adds nothing to the loss of each step.
        return IGNORE if is_ppl or "epoch" in spoken else Meaning("train")
    if evaluated is None and spoken <= _USUAL:
        return IGNORE if is_ppl else Meaning("train")
    return Meaning("ppl" if is_ppl else "eval", set_name(key))


# Words of a key; camel case counts as two words, digits stay with their word.
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])|[^\W_]+")
_USUAL_FILE = re.compile(
    r"(?i)(trainer_state|trainer_log|metrics|main|train|training|log|logs|output|stdout|stderr"
    r"|events|history|curves?|loss(es)?|results?|eval|data|mlflow|progress|scalars|run|record|slurm)"
    r"(?P<number>[-_.]?\d[\d_.-]*)?"
)
_PART_FOLDER = re.compile(
    r"(?i)(checkpoint-\d+|version_\d+|checkpoints?|logs?|lightning_logs|csv_logs|tensorboard"
    r"|tb|output|files|attempt_?\d+|restart_?\d+|[a-z]{3}\d\d_\d\d-\d\d-\d\d_.+)"
)
# SummaryWriter's default, in the folder runs: one for each start.
_DATED_FOLDER = re.compile(r"(?i)[a-z]{3}\d\d_\d\d-\d\d-\d\d_.+")
_RESTART = re.compile(r"(?i)(.+?)[-_.]((?:restart|resumed?|part|attempt|cont)[-_.]?\d*)")
_EMPTY_FOLDER = re.compile(
    r"(?i)(checkpoints?|logs?|lightning_logs|csv_logs|tensorboard|tb|output|files)"
)
_EXACT: dict[Role, tuple[str, ...]] = {
    "step": UPDATE_COUNTERS,
    "tokens": TOKEN_COUNTERS,
    "micro": MICRO_COUNTERS,
    "run": RUN_COLUMNS,
    "domain": DOMAIN_COLUMNS,
}
