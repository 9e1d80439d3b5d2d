"""What matters of a fit, in a few lines."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bayescpt.cli.layout import Column, table_lines
from bayescpt.cli.output import fixed, number, say, screen_width
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.inference import Fit

# Domains shown; --full shows all.
MOST_DOMAINS = 3


def show_fit(fitted: Fit, brief: bool = True) -> None:
    """Print what was fitted, whether it can be trusted, and what moved the losses.

    Parameters
    ----------
    fitted : Fit
        The fit.
    brief : bool
        Few domains, and of the advice on a warning the first sentence; advice on a failed check
        is always shown in full.
    """
    from bayescpt.data.final_losses import is_final

    sizes, rows = fitted.posterior.sizes, fitted.rows
    say(
        f"{printable(fitted.study.name)} under card {printable(fitted.card.name)}: "
        f"{rows.loss.size:,} losses of "
        f"{len(rows.labels.run)} runs, {sizes['chain']} x {sizes['draw']} draws"
    )
    show_verdict(fitted, brief)
    if is_final(fitted.study):
        from bayescpt.cli.final_summary import show_sets

        show_sets(fitted)
    else:
        show_terms(fitted, brief)
        show_combinations(fitted)


def show_verdict(fitted: Fit, brief: bool = True) -> None:
    """Print whether the checks passed, and the advice on those that did not.

    Parameters
    ----------
    fitted : Fit
        The fit.
    brief : bool
        Of the advice on a warning, show the first sentence alone.
    """
    checks = fitted.checks()
    values = {check.name: check.value for check in checks}
    failed = [check.name for check in checks if check.status == "fail"]
    verdict = f"FAILED {', '.join(failed)}" if failed else "passed"
    found = [
        f"{name} {fixed(values[name], digits)}"
        for name, digits in (("R-hat", 3), ("bulk ESS", 0), ("tail ESS", 0))
        if name in values
    ]
    say(f"checks: {verdict} ({', '.join(found)})")
    for check in checks:
        if check.status == "ok":
            continue
        advice, _, rest = check.advice.partition("; ")
        if not brief or check.status == "fail":
            advice, rest = check.advice, ""
        say(f"{check.status}: {check.name} {number(check.value)}: {advice}{' ...' * bool(rest)}")


def show_terms(fitted: Fit, brief: bool = True) -> None:
    """Print what each term of the law adds to the last losses, and the noise, by domain.

    Parameters
    ----------
    fitted : Fit
        The fit.
    brief : bool
        Show three domains at most.
    """
    from bayescpt.forecast.components import final_terms

    draws = fitted.draws(allow_failed=True)
    parts = final_terms(draws)
    shown = list(parts)[:MOST_DOMAINS] if brief else list(parts)
    if not shown:
        return
    names = list(parts[shown[0]])
    columns = [
        Column("nats by the end of a run", tuple(shown)),
        *(
            Column(name, tuple(_signed(parts[domain][name].mean()) for domain in shown), True)
            for name in names
        ),
        Column(
            "noise sd",
            tuple(fixed(draws.noise_parameters(d)["sigma"].mean(), 4) for d in shown),
            True,
        ),
    ]
    sys.stdout.write("".join(f"{line}\n" for line in table_lines(columns, screen_width())))
    if len(shown) < len(parts):
        say(f"and {len(parts) - len(shown)} more domains; --full shows all")


def show_combinations(fitted: Fit) -> None:
    """Print the weights of the out-of-domain sets, one line each.

    Parameters
    ----------
    fitted : Fit
        The fit.
    """
    table, general = fitted.out_of_domain, printable(str(fitted.study.general))
    for domain, target in dict.fromkeys((name[0], name[1]) for name in table.index):
        own = table.loc[(domain, target)]
        weight = {
            name: f"{row['median']:.2f} ({row['lower']:.2f} to {row['upper']:.2f})"
            for name, row in own.iterrows()
        }
        say(
            f"{printable(domain)} = {weight['intercept']} + {weight['general']} {general} + "
            f"{weight['target']} {printable(target)}, to {own.loc['deviation', 'median']:.3f} nats"
        )


def _signed(value: float) -> str:
    return f"{value:+.3f}"
