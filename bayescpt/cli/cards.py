"""``bayescpt cards``: list the model cards, show one, or compare them on a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.compare_cards import Compared, compare, only_with_compare
from bayescpt.cli.options import Chains, Draws, Json, Quiet, Tune
from bayescpt.cli.output import number, say, show_json, show_table
from bayescpt.cli.resume import Resume, WorkFolder
from bayescpt.cli.workers import Workers
from bayescpt.errors import PlanError
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.laws.points import References
    from bayescpt.model.card import Card

DRAWS = 20_000
SHIPPED_STUDY = "cpt_micro"


def cards(  # numpydoc ignore=PR01
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Card name or TOML file.")
    ] = None,
    study: Annotated[
        str | None,
        typer.Option(
            metavar="STUDY",
            help="Study whose reference points are used for the implied priors.",
        ),
    ] = None,
    compared: Annotated[
        str | None,
        typer.Option(
            "--compare",
            metavar="STUDY",
            help="Compare cards on the held-out runs of this study, and stack them.",
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--card",
            metavar="NAME",
            help="Card to compare, name or TOML file; by default those that suit the study. "
            "Repeatable.",
        ),
    ] = None,
    run: Annotated[
        list[str] | None,
        typer.Option("--run", "-r", metavar="NAME", help="Hold out only this run. Repeatable."),
    ] = None,
    after: Annotated[
        float,
        typer.Option(metavar="SHARE", help="Initial fraction of a run excluded from scores."),
    ] = 0.1,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE", help="Write the ensemble to a fit file."),
    ] = None,
    draws: Draws = 1000,
    tune: Tune = 500,
    chains: Chains = 4,
    seed: Annotated[int, typer.Option("--random-seed", "--seed", help="Seed of all fits.")] = 1,
    workers: Workers = 1,
    resume: Resume = False,
    work: WorkFolder = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """List the model cards; with NAME, show its law, its priors and their implications.

    Each prior is shown with its rationale and source. A card has priors either on quantities in
    nats at reference points or on the paper's symbols; the last table shows the implied priors on
    the other.

    With --compare STUDY, refit each card without each run in turn, score the forecasts of these
    runs, and weigh the cards by stacking. With --out, also fit them to all runs and write the
    stacked ensemble, which forecast, goal, compare, optimise and report take as they take a fit.
    The other options below --compare go with it. Exit code 1 if a refit failed its checks.
    """
    if compared is not None:
        if name is not None:
            raise PlanError(f"--compare takes cards by --card: write --card {name}")
        compare(
            Compared(
                compared, chosen, run, after, out, seed, workers, resume, work, quiet, as_json
            ),
            {"draws": draws, "tune": tune, "chains": chains},
        )
        return
    only_with_compare({"--card": chosen, "--run": run, "--out": out, "--work": work})
    if name is None:
        _list(as_json)
    else:
        content = _content(name, study)
        show_json(content) if as_json else _show(content)


def _list(as_json: bool) -> None:
    """Print the shipped cards."""
    from bayescpt.model.card_file import load_card, shipped_cards

    shipped = [load_card(card) for card in shipped_cards()]
    if as_json:
        show_json({"cards": [{"name": c.name, "description": c.description} for c in shipped]})
        return
    show_table("model cards", ["card", "description"], [[c.name, c.description] for c in shipped])
    say("bayescpt cards NAME shows one card; a custom card is a TOML file of the same form")


def _content(name: str, study: str | None) -> dict[str, Any]:
    """What is shown of a card."""
    from bayescpt.data.open_study import open_study
    from bayescpt.model.card_file import load_card
    from bayescpt.model.rows import card_references

    card = load_card(name)
    source = open_study(study or SHIPPED_STUDY)
    points = card_references(source, card)
    return {
        "name": card.name,
        "description": card.description,
        "parameterisation": card.parameterisation,
        "warmup": card.warmup,
        "law": dict(card.choices),
        "rows": {
            "pretraining": card.pretraining,
            "skip_pretraining": card.skip_pretraining,
            "domains": card.domains,
            "level_sd": card.level_sd,
        },
        "noise": {
            "family": card.family,
            "early": card.early,
            "ar1": card.ar1,
            "domain_correlation": card.domain_correlation,
            "run_effects": list(card.run_effects),
            "marginal_effects": card.marginal_effects,
        },
        "parameters": [_parameter(card, p) for p in card.parameters()],
        "references": {
            "study": source.name,
            **points.points,
        },
        "implied": implied_priors(card, points),
    }


def _parameter(card: Card, parameter: Any) -> dict[str, Any]:
    prior = card.priors[parameter.name]
    low, middle, high = prior.frozen().ppf([0.05, 0.5, 0.95])
    return {
        "name": parameter.name,
        "symbol": parameter.symbol,
        "unit": parameter.unit,
        "by": parameter.dims[0] if parameter.dims else None,
        "prior": str(prior),
        "lower": low,
        "median": middle,
        "upper": high,
        "reason": prior.reason,
        "source": parameter.source,
    }


def implied_priors(card: Card, points: References, seed: int = 0) -> list[dict[str, Any]]:
    """Priors implied on the other parameterisation, by Monte Carlo.

    Parameters
    ----------
    card : Card
        The card.
    points : References
        Reference points, which the conversion requires.
    seed : int
        Seed of the draws.

    Returns
    -------
    list of dict
        Name, unit, lower, median and upper (90% interval) of each quantity.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    draws = {name: prior.draw(rng, (DRAWS,)) for name, prior in card.priors.items()}
    law = card.law
    other = (law.to_reference if law.paper else law.symbols)(draws, points)
    units = law.units
    rows = []
    for name, values in other.items():
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        unit = units.get(name, "1")
        rows.append({"name": name, "unit": unit, "lower": low, "median": middle, "upper": high})
    return rows


def _show(content: dict[str, Any]) -> None:
    say(f"{printable(content['name'])}: {content['description']}")
    law = ", ".join(f"{term} {kind}" for term, kind in content["law"].items())
    rows = ", ".join(
        f"{key} {value if isinstance(value, str) else f'{value:g}'}"
        for key, value in content["rows"].items()
    )
    noise = content["noise"]
    parts = [key for key in ("early", "ar1", "domain_correlation") if noise[key]]
    where = "in the likelihood" if noise["marginal_effects"] else "estimated after sampling"
    effects = ", ".join(noise["run_effects"])
    parts += [f"run effects on {effects} ({where})"] * bool(effects)
    say(f"law: {law}; warm-up counted: {content['warmup']}")
    say(f"rows: {rows}")
    say(f"noise: {', '.join([noise['family'], *parts])}")
    say(f"priors on: {_SIDES[content['parameterisation']]}")
    show_table(
        "parameters (one per domain, or per pair of evaluated domain and target)",
        ["name", "symbol", "unit", "by", "prior", "median", "90% interval"],
        [
            [
                p["name"],
                p["symbol"],
                p["unit"],
                p["by"] or "",
                p["prior"],
                number(float(p["median"])),
                f"{number(float(p['lower']))} .. {number(float(p['upper']))}",
            ]
            for p in content["parameters"]
        ],
    )
    show_table(
        "rationale of the priors",
        ["name", "reason", "equation"],
        [[p["name"], p["reason"], p["source"]] for p in content["parameters"]],
    )
    points = content["references"]
    other = "reference" if content["parameterisation"] == "paper" else "paper"
    show_table(
        f"implied prior on {_SIDES[other]}",
        ["name", "unit", "median", "90% interval"],
        [
            [
                row["name"],
                row["unit"],
                number(float(row["median"])),
                f"{number(float(row['lower']))} .. {number(float(row['upper']))}",
            ]
            for row in content["implied"]
        ],
    )
    say(
        f"at the reference points of {points['study']} (areas in LR x steps): "
        + ", ".join(f"{key} {value:.4g}" for key, value in points.items() if key != "study")
        + f"; {DRAWS:,} draws"
    )


_SIDES = {
    "reference": "quantities in nats at reference points",
    "paper": "the symbols of arXiv 2505.07796",
}
