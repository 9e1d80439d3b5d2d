"""Plan files: TOML, with one ``[[plan]]`` table per recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayescpt.data import Schedule, schedules
from bayescpt.data.curriculum import is_pieces
from bayescpt.data.final_losses import is_final
from bayescpt.data.schedules.registry import schedule_arguments
from bayescpt.data.schedules.shares import check_names, suggestion
from bayescpt.data.units import did_you_mean
from bayescpt.errors import PlanError, ScheduleError
from bayescpt.forecast.final_plan_file import final_plan
from bayescpt.forecast.plan import Plan, Starts
from bayescpt.toml_file import read_toml

if TYPE_CHECKING:
    from bayescpt.data import Study
    from bayescpt.model.card import Card

# Keys of the plan itself; all others are arguments of its schedule.
OWN_KEYS = ("name", "schedule", "replay_ratio", "start", "domain", "from_scratch", "n_params")


def read_plans(
    path: str | Path, study: Study | None = None, card: Card | None = None
) -> list[Plan]:
    """Read plans from a TOML file.

    Each ``[[plan]]`` has a ``name`` and a schedule: ``schedule``, a constructor of
    `bayescpt.schedules`, with its arguments as further keys (``warmup_share`` and the like give the
    length of a part as a share of all steps), or only ``lr``, an array with one LR per step.
    ``replay_ratio`` is a number, pieces such as ``[[0, 0.1], [5000, 0.5]]`` (0.1 from the start,
    0.5 from step 5000 on) or an array with one value per step; ``start`` the run whose final
    checkpoint the plan starts from, and ``domain`` its target. The last two may be omitted where
    the study has only one. ``n_params``, the size of the model, is that of the start. For a study
    of final losses, see `final_plan`.

    Parameters
    ----------
    path : str or Path
        The file.
    study : Study, optional
        The fitted study. If its runs start from several checkpoints, a plan without ``start`` is an
        error unless it says ``from_scratch = true``.
    card : Card, optional
        The fitted card: it says whether plans need a replay ratio and may be from scratch.

    Returns
    -------
    list of Plan
        In file order.

    Raises
    ------
    PlanError
        If the file cannot be read or a plan is invalid; the message names file, plan and key.
    """
    source = Path(path)
    content = read_toml(source, PlanError)
    tables = content.get("plan")
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise PlanError(f"{source}: no [[plan]] table; start each plan with a line [[plan]]")
    other = [key for key in content if key != "plan"]
    if other:
        hint = did_you_mean(other[0], ["plan"])
        raise PlanError(
            f"{source}: unknown key {other[0]!r}; {hint}a plan file has [[plan]] tables only"
        )
    plans: dict[str, Plan] = {}
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        if not isinstance(name, str) or not name:
            raise PlanError(f"{source}: plan {number}: key 'name' must be a string; got {name!r}")
        if name in plans:
            raise PlanError(f"{source}: plan {name!r}: key 'name' is taken by an earlier plan")
        plans[name] = _plan(name, table, f"{source}: plan {name!r}", study, card)
    return list(plans.values())


def _plan(
    name: str, table: dict[str, Any], where: str, study: Study | None, card: Card | None
) -> Plan:
    if study is not None and is_final(study):
        return final_plan(name, table, where)
    schedule = _schedule(table, where)
    start, domain = (_text(table, key, where) for key in ("start", "domain"))
    scratch = table.get("from_scratch", False)
    if not isinstance(scratch, bool):
        raise PlanError(f"{where}: key 'from_scratch' must be true or false; got {scratch!r}")
    if scratch and start is not None:
        raise PlanError(
            f"{where}: key 'start' contradicts from_scratch = true; give only one of them"
        )
    if scratch and card is not None and not card.law.describes_pretraining:
        raise PlanError(
            f"{where}: key 'from_scratch' = true, but card {card.name!r} fits no pre-training: "
            "give 'start'"
        )
    several = study is not None and len(Starts(study).checkpoints) != 1
    if study is not None and study.cpt_runs and several and start is None and not scratch:
        raise PlanError(
            f"{where}: key 'start' is missing: give the run whose final checkpoint it starts from, "
            f"such as {study.run(study.cpt_runs[0]).parent!r} (or from_scratch = true)"
        )
    if study is not None and start is not None and start not in study:
        known = ", ".join([*study.pt_runs, *study.cpt_runs])
        raise PlanError(
            f"{where}: key 'start' = {start!r} is not a run of the study; runs are {known}"
        )
    if study is not None and domain is not None and domain not in study.targets:
        raise PlanError(
            f"{where}: key 'domain' = {domain!r}: no run of the study trains on it; targets are "
            f"{', '.join(study.targets) or 'none'}"
        )
    continual = start is not None or (study is not None and study.cpt_runs and not scratch)
    if "replay_ratio" not in table and continual and card is not None and card.law.needs_replay:
        raise PlanError(
            f"{where}: key 'replay_ratio' is missing: give the share of general data in its "
            "batches, 0 to 1 (0 where there is none)"
        )
    replay_ratio, n_params = 1.0 if scratch else _replay(table, where), _size(table, where)
    try:
        return Plan(
            name=name,
            schedule=schedule,
            replay_ratio=replay_ratio,
            start=start,
            domain=domain,
            n_params=n_params,
        )
    except PlanError as error:
        # The message already names the plan and the key.
        raise PlanError(f"{where.partition(': plan ')[0]}: {error}") from error


def _size(table: dict[str, Any], where: str) -> float | None:
    """Number of parameters; None where there is no key."""
    value = table.get("n_params")
    if value is None:
        return None
    number = _numbers(value, "n_params", where)
    if number.ndim:
        raise PlanError(f"{where}: key 'n_params' must be one number; got {value!r}")
    return float(number)


def _replay(table: dict[str, Any], where: str) -> Any:
    """Replay ratio as a plan takes it; None where there is no key."""
    value = table.get("replay_ratio")
    if value is None or is_pieces(value):
        return value
    ratio = _numbers(value, "replay_ratio", where)
    return float(ratio) if ratio.ndim == 0 else ratio


def _schedule(table: dict[str, Any], where: str) -> Schedule:
    shape = _text(table, "schedule", where)
    given = {key: value for key, value in table.items() if key not in OWN_KEYS}
    try:
        if shape is not None:
            check_names(given, schedule_arguments(shape), OWN_KEYS)
            return schedules.from_name(shape, **given)
        if isinstance(given.get("lr"), list):
            unknown = [key for key in given if key != "lr"]
            if unknown:
                own = sorted({"lr", *OWN_KEYS} - {"schedule"})
                raise PlanError(
                    f"{where}: unknown key {unknown[0]!r}; {suggestion(unknown[0], own)}with an "
                    f"array of LRs, a plan has only {', '.join(own)}"
                )
            return schedules.from_array(_numbers(given["lr"], "lr", where))
    except ScheduleError as error:
        # A misspelt plan key looks like an argument of the schedule.
        hint = f"; keys of a plan are {', '.join(OWN_KEYS)}" if "unknown arg" in str(error) else ""
        raise PlanError(f"{where}: {error}{hint}") from error
    raise PlanError(
        f"{where}: key 'schedule' is missing: give a constructor of bayescpt.schedules such as "
        "'wsd', with its arguments as keys, or only lr = [one number per step]"
    )


def _text(table: dict[str, Any], key: str, where: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value):
        raise PlanError(f"{where}: key {key!r} must be a string; got {value!r}")
    return value


def _numbers(value: Any, key: str, where: str) -> np.ndarray:
    """Number or array of numbers; booleans are rejected."""
    flat = value if isinstance(value, list) else [value]
    bad = [v for v in flat if isinstance(v, bool) or not isinstance(v, int | float)]
    if bad or not flat:
        shown = bad[0] if bad else value
        raise PlanError(f"{where}: key {key!r} must be a number, or one per step; got {shown!r}")
    return np.asarray(value, dtype=float)
