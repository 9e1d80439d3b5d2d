"""Check the out-of-domain sets that a study names."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bayescpt.data.units import did_you_mean
from bayescpt.errors import StudyError


def check_out_of_domain(
    names: Iterable[str], measured: Collection[str], general: str | None, targets: Collection[str]
) -> tuple[str, ...]:
    """Sets whose loss is taken as a combination of the general and the target loss.

    Parameters
    ----------
    names : iterable of str
        Names of validation sets; a single name may be given as str.
    measured : collection of str
        Domains with a loss.
    general : str or None
        The general domain.
    targets : collection of str
        Targets of the runs.

    Returns
    -------
    tuple of str
        The names without duplicates.

    Raises
    ------
    StudyError
        If a name is no text, has no loss, is the general domain or a target, or the study has no
        general domain or no target to combine.

    Examples
    --------
    >>> check_out_of_domain("code", ["general", "german", "code"], "general", ["german"])
    ('code',)
    """
    if not isinstance(names, str | list | tuple) or not all(isinstance(n, str) for n in names):
        raise StudyError(f"study.toml: out_of_domain is {names!r}; expected names of domains")
    found = tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in found:
        if name not in measured:
            hint = did_you_mean(str(name), sorted(measured))
            raise StudyError(
                f"study.toml: out_of_domain has {name!r}, of which curves have no loss; {hint}"
                f"domains are {', '.join(sorted(measured))}"
            )
        if name == general or name in targets:
            role = "the general domain" if name == general else "a target"
            raise StudyError(
                f"study.toml: out_of_domain has {name!r}, which is {role}: only other sets are "
                "combinations of the general and the target loss"
            )
    if found and (not general or not targets):
        lacks = "general domain" if not general else "run of continual pre-training with a target"
        raise StudyError(
            f"study.toml: out_of_domain has {found[0]!r}, but the study has no {lacks}, whose "
            "losses such sets are combinations of"
        )
    return found
