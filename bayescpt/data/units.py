"""Names of the units of losses: those that a study may have, and how labels call them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from bayescpt.errors import StudyError

DEFAULT_UNIT = "nat/token"
# Value of loss_unit in study.toml, and its name in labels.
UNIT_NAMES = {
    "nat/token": "nats per token",
    "bit/token": "bits per token",
    "nat/byte": "nats per byte",
    "bit/byte": "bits per byte",
    "perplexity": "perplexity",
}
# Short names, in study.toml and before the number of a goal.
ALIASES = {
    "nats": "nat/token",
    "bits": "bit/token",
    "bpt": "bit/token",
    "bpb": "bit/byte",
    "ppl": "perplexity",
}


def check_loss_unit(unit: str, key: str = "loss_unit") -> str:
    """Name of a unit in full; raise an error if it is unknown.

    Parameters
    ----------
    unit : str
        Value of ``loss_unit`` in ``study.toml``: one of `UNIT_NAMES` or of `ALIASES`.
    key : str
        Key that it belongs to.

    Returns
    -------
    str
        One of `UNIT_NAMES`.

    Raises
    ------
    StudyError
        If it is unknown; the message suggests the most similar one.

    Examples
    --------
    >>> from bayescpt.data.units import check_loss_unit
    >>> check_loss_unit("bpb")
    'bit/byte'
    >>> check_loss_unit("nats/token")
    Traceback (most recent call last):
    ...
    bayescpt.errors.StudyError: study.toml: loss_unit is 'nats/token'; did you mean 'nat/token'? \
known units: nat/token, bit/token, nat/byte, bit/byte, perplexity (short: nats, bits, bpt, bpb, ppl)
    """
    unit = ALIASES.get(unit, unit)
    if unit not in UNIT_NAMES:
        names = {name: known for known, name in UNIT_NAMES.items()}
        hint = did_you_mean(unit, [*UNIT_NAMES, *names], names)
        raise StudyError(
            f"study.toml: {key} is {unit!r}; {hint}known units: {', '.join(UNIT_NAMES)} "
            f"(short: {', '.join(ALIASES)})"
        )
    return unit


def did_you_mean(
    value: str, known: Sequence[str], replacements: dict[str, str] | None = None
) -> str:
    """Start of an error message that suggests the known value most similar to an unknown one.

    Parameters
    ----------
    value : str
        The unknown value.
    known : sequence of str
        Known values.
    replacements : dict of str to str, optional
        What to suggest in place of some known values.

    Returns
    -------
    str
        "did you mean ...? ", or "" if no known value is similar.
    """
    for match in difflib.get_close_matches(value.lower(), known, n=1):
        return f"did you mean {(replacements or {}).get(match, match)!r}? "
    return ""


def unit_name(unit: str | None) -> str:
    """Name of a unit in labels.

    Parameters
    ----------
    unit : str or None
        Value of ``loss_unit``, or the attribute ``units`` of a forecast's dataset; None where it
        is not known.

    Returns
    -------
    str
        Such as "nats per token"; the value itself if it is not in `UNIT_NAMES`, and "" for None.

    Examples
    --------
    >>> from bayescpt.data.units import unit_name
    >>> unit_name("bit/byte")
    'bits per byte'
    """
    return "" if unit is None else UNIT_NAMES.get(unit, unit)


def loss_label(unit: str | None, prefix: str = "") -> str:
    """Label of a loss axis or of a column of losses.

    Parameters
    ----------
    unit : str or None
        As for `unit_name`.
    prefix : str
        What comes before the word loss, such as the name of a domain.

    Returns
    -------
    str
        Such as "loss (nats per token)", or "loss" where the unit is not known.

    Examples
    --------
    >>> from bayescpt.data.units import loss_label
    >>> loss_label("nat/token", "german")
    'german loss (nats per token)'
    """
    name = unit_name(unit)
    return " ".join(filter(None, [prefix, "loss", f"({name})" if name else ""]))
