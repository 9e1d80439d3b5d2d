"""The page of a report: its sections, and the HTML that a template makes of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bayescpt.files import write_text
from bayescpt.present.report import evidence, plan_tables, reproduce
from bayescpt.present.report.answer import make_answer
from bayescpt.present.report.case import Case
from bayescpt.present.report.pictures import pictures
from bayescpt.present.report.svg import dark_colours
from bayescpt.present.report.text import breakable, visible

HERE = Path(__file__).parent
# Colours of the page in the dark; those of the figures are in `bayescpt.present.report.svg`.
DARK_PAGE = (
    "color-scheme: dark; --paper: #15181c; --card: #1d2127; --ink: #e6e4e0; --muted: #a9afb7; "
    "--line: #363c44; --link: #7cc0f2; --mark: #1e2f3f; --alarm: #ff8a80; --alarm-card: #3a1d1b; "
    "--shade: rgb(230 228 224 / 25%);"
)


@dataclass(frozen=True)
class Block:
    """A part of a section.

    Attributes
    ----------
    kind : str
        ``question``, ``lead``, ``alarm``, ``text``, ``heading``, ``list``, ``facts``, ``table``,
        ``picture`` or ``code``.
    content : Any
        Text, a list of texts or of pairs, a table, or the name of a picture.
    label : str
        What code is.
    """

    kind: str
    content: Any
    label: str = ""


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes
    ----------
    name : str
        Its identifier.
    heading : str
        Its heading.
    blocks : list of Block
        What stands in it; empty blocks are left out.
    """

    name: str
    heading: str
    blocks: list[Block] = field(default_factory=list)


def page(case: Case, command: str | None = None) -> str:
    """HTML of a report.

    Parameters
    ----------
    case : Case
        What it is about.
    command : str, optional
        Command that makes it, as it would be typed.

    Returns
    -------
    str
        One file without references to others.
    """
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: (
            visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
        ),
    )
    environment.filters["breakable"] = lambda text: Markup(breakable(text))  # noqa: S704
    style = (HERE / "page.css").read_text(encoding="utf-8")
    colours = f":root {{ {DARK_PAGE} {dark_colours()} }}"
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {colours} }}"
    shown = pictures(case)
    return environment.get_template("page.html.jinja").render(
        title=f"{case.fit.study.name}: {_title(case)}",
        made=_made(case),
        version=version("bayescpt"),
        # Our own files, and what `inline_figure` made, which escapes what is in it.
        style=Markup(f"{style}{dark}"),  # noqa: S704
        safe=Markup,
        sections=sections(case, set(shown), command),
        pictures=shown,
    )


def save_page(case: Case, path: str | Path, command: str | None = None) -> Path:
    """Write a report, as `bayescpt.files.write_file` does.

    Parameters
    ----------
    case : Case
        What it is about.
    path : str or Path
        File to write; replaced if it exists.
    command : str, optional
        Command that makes it.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    return write_text(path, page(case, command))


def sections(case: Case, drawn: set[str], command: str | None = None) -> list[Section]:
    """Sections of a report.

    Parameters
    ----------
    case : Case
        What it is about.
    drawn : set of str
        Names of the pictures that there are.
    command : str, optional
        Command that makes it.

    Returns
    -------
    list of Section
        Without those that have nothing to say.
    """
    made = [
        Section("answer", "The answer", _answer(case)),
        Section("plans", "The plans", _plans(case)),
        Section("bands", "Where the losses end", _bands(case)),
        Section("costs", "What it costs", _costs(case)),
        Section("front", "General against target loss", _front(case)),
        Section("apart", "Which plans cannot be told apart", _apart(case)),
        Section("reach", "How far outside the pilots", _reach(case)),
        Section("checks", "Can the fit be trusted", _checks(case)),
        Section("priors", "What the data taught", _priors(case)),
        Section("data", "The data", _data(case)),
        Section("reproduce", "How to make this again", _reproduce(case, command)),
    ]
    return [
        Section(
            section.name,
            section.heading,
            [
                block
                for block in section.blocks
                if block.content and (block.kind != "picture" or block.content in drawn)
            ],
        )
        for section in made
        if any(block.content for block in section.blocks)
    ]


def _title(case: Case) -> str:
    n = len(case.plans)
    what = "1 plan" if n == 1 else f"{n} plans"
    if not case.limits:
        return f"{what} compared"
    return f"{what} against a goal on {' and '.join(case.limits)}"


def _made(case: Case) -> str:
    # https://reproducible-builds.org/specs/source-date-epoch
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    card, study = case.fit.card.name, case.fit.study.name
    return f"{now:%Y-%m-%d}, study {study}, card {card}, by bayescpt {version('bayescpt')}"


def _answer(case: Case) -> list[Block]:
    answer = make_answer(case)
    failed = case.ends.failed_checks
    return [
        Block("alarm", evidence.check_sentence(case) if failed else ""),
        Block("question", answer.question),
        Block("lead", answer.lead),
        Block("facts", answer.facts),
        Block("list", answer.reasons),
        Block("picture", "goal"),
        Block("table", plan_tables.decision_table(case)),
        Block("heading", "Before you act on it" if answer.cautions else ""),
        Block("list", answer.cautions),
    ]


def _plans(case: Case) -> list[Block]:
    return [Block("table", plan_tables.recipe_table(case))]


def _bands(case: Case) -> list[Block]:
    text = (
        "A 90% band should hold the loss of a new run nine times in ten. It contains the "
        "uncertainty of the law's parameters, what the law gets wrong for a whole run, and "
        "measurement noise."
    )
    return [
        Block("text", text),
        Block("picture", "bands"),
        Block("table", plan_tables.band_table(case)),
    ]


def _costs(case: Case) -> list[Block]:
    costs, missing = case.costs, []
    if costs["tokens"].isna().any():
        missing.append("tokens_per_step (--tokens-per-step), which the study does not say")
    if case.rates.throughput is None:
        missing.append("throughput (--throughput, tokens per second of one GPU)")
    if case.rates.price is None:
        missing.append("price (--price, of a GPU-hour)")
    note = f"Not given, and so not counted: {'; '.join(missing)}." if missing else ""
    rates = case.rates
    used = []
    if rates.throughput is not None:
        used.append(f"{rates.throughput:,.6g} tokens per second and GPU")
    if rates.price is not None:
        used.append(f"{rates.price:,.6g} {rates.currency} per GPU-hour")
    basis = f"Counted with {' and '.join(used)}." if used else ""
    return [
        Block("text", basis),
        Block("table", plan_tables.cost_table(case)),
        Block("text", note),
    ]


def _front(case: Case) -> list[Block]:
    if case.front is None:
        return [Block("picture", "ends")] if case.pair else []
    text = (
        "A plan is on the front if no other plan ends lower on both sets at once. As the losses "
        "are uncertain, so is the front: each plan is on it with a probability."
    )
    return [
        Block("text", text),
        Block("picture", "front"),
        Block("table", plan_tables.front_table(case)),
        Block("picture", "ends"),
    ]


def _apart(case: Case) -> list[Block]:
    if len(case.plans) < 2:
        return []
    text = (
        "Two plans are told apart where one of them ends with the lower weighted loss "
        f"({case.weights}) with probability 95% or more. All plans share the draws of the "
        "parameters, so this is sharper than comparing two bands."
    )
    pairs = [
        f"{one} and {other}: {one} is lower with probability {p:.3f}."
        for one, other, p in case.alike
    ]
    result = (
        "These cannot be told apart:" if pairs else "All pairs of these plans can be told apart."
    )
    return [
        Block("text", text),
        Block("text", result),
        Block("list", pairs[: 2 * plan_tables.MOST_PAIRED]),
        Block("table", plan_tables.pair_table(case)),
    ]


def _reach(case: Case) -> list[Block]:
    text = (
        "A forecast can be believed near the pilots. The distance to the nearest pilot is 0 for a "
        "repeat of it; 1 is a factor of two in peak LR or in length, or a replay ratio of 0.56 in "
        "place of 0.25, or of 0.06 in place of 0; from 3 on, plans count as equally unknown. Bands "
        "widen with it. A plan can be close to a pilot and still leave the range of the pilots in "
        "one respect."
    )
    told = {clause for one in case.novelty for clause in (*one.outside, *one.notes)}
    known = {*case.findings}
    rest = [
        warning
        for warning in case.ends.warnings
        if warning not in known and not any(clause in warning for clause in told)
    ]
    return [
        Block("text", text),
        Block("table", plan_tables.reach_table(case)),
        Block("list", rest),
    ]


def _checks(case: Case) -> list[Block]:
    notes = [note for note in case.fit.notes if note not in case.findings]
    found = "Likely mistakes in the study" if case.findings else ""
    nothing = "" if case.findings else "Nothing in the study looks like a mistake."
    return [
        Block("text", evidence.check_sentence(case)),
        Block("table", evidence.check_table(case)),
        Block("list", [f"{one.name}: {one.advice}." for one in case.fit.checks() if one.advice]),
        Block("heading", found),
        Block("list", case.findings),
        Block("text", nothing),
        Block("heading", "What the fit assumes" if notes else ""),
        Block("list", notes),
    ]


def _priors(case: Case) -> list[Block]:
    advice = case.fit.advice
    plans: Sequence[Block] = [
        Block("code", one.plan, "A pilot to add") for one in advice if one.plan
    ]
    leading = case.fit.leading
    of = f"Shown of card {leading.card.name}, which has the largest weight."
    return [
        Block("text", "" if leading is case.fit else of),
        Block("picture", "priors"),
        Block("table", evidence.prior_table(case)),
        Block("heading", "Pilots that would tell more" if advice else ""),
        Block("list", [f"{one.sentence[:1].upper()}{one.sentence[1:]}." for one in advice]),
        *plans,
    ]


def _data(case: Case) -> list[Block]:
    return [
        Block("text", evidence.data_sentence(case)),
        Block("text", case.fit.study.notes),
        Block("picture", "data"),
        Block("table", evidence.run_table(case)),
    ]


def _reproduce(case: Case, command: str | None) -> list[Block]:
    goals = reproduce.goal_arguments(case)
    check = f"bayescpt compare fit.nc --plans plans.toml {goals}".rstrip()
    return [
        Block("text", f"Made with {reproduce.versions()}."),
        Block("table", reproduce.digest_table(case)),
        Block("heading", "The plans, as plans.toml"),
        Block("code", reproduce.plans_text(case), "Plans as a TOML file"),
        Block("text", reproduce.plans_note(case)),
        Block("heading", "Commands"),
        Block("code", command or "", "Command that made this report"),
        Block("code", check, "Command that prints the comparison"),
        Block("heading", "In Python"),
        Block("code", reproduce.python_text(case), "The same in Python"),
    ]
