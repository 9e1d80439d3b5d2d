"""Reports: what a browser, a screen reader and a person make of the file."""

import re

import html5lib
import matplotlib as mpl
import numpy as np
import pytest

import bayescpt as bc
from bayescpt.errors import ConvergenceError, PlanError, WriteError
from bayescpt.forecast import Plan
from bayescpt.forecast.plan import Starts
from bayescpt.forecast.plan_file import read_plans
from bayescpt.forecast.step_grid import step_grid
from bayescpt.inference import Check
from bayescpt.present.report import svg
from bayescpt.present.report.answer import make_answer
from bayescpt.present.report.case import Options, make_case
from bayescpt.present.report.page import page, save_page
from bayescpt.present.report.reproduce import plans_note

MOST = 2_000_000
RATES = {"tokens_per_step": 1024, "throughput": 256, "price": 2.5, "currency": "<EUR>"}
SECTIONS = [
    "answer", "plans", "bands", "costs", "front", "apart", "reach", "checks", "priors", "data",
    "reproduce",
]  # fmt: skip


COMMAND = "bayescpt report '<b>fit.nc'"


@pytest.fixture(scope="module")
def text(case):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        return page(case, COMMAND)


@pytest.fixture(scope="module")
def tree(text):
    """Elements as a browser reads them; a mistake in the HTML is an error."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(text)


def find(tree, name, **attributes):
    """Elements of that name, in HTML or SVG."""
    return [
        element
        for element in tree.iter()
        if isinstance(element.tag, str)
        and element.tag.rpartition("}")[2] == name
        and all(element.get(key) == value for key, value in attributes.items())
    ]


def content(element):
    return " ".join("".join(element.itertext()).split())


def rows(tree, section, number=0):
    """Cells of a table by its row header, without the mark of the chosen plan."""
    [part] = find(tree, "section", id=section)
    body = find(find(part, "table")[number], "tbody")[0]
    found = {}
    for row in find(body, "tr"):
        cells = [content(cell) for cell in row]
        found[cells[0].removesuffix(" chosen")] = cells[1:]
    return found


def shown(name):
    """A name as the page shows it."""
    return name.replace("\x1b", "\\x1b").replace("\u202e", "\\u202e")


# --- structure --------------------------------------------------------------------------------


def test_sections_headings_and_landmarks(tree):
    assert find(tree, "html")[0].get("lang") == "en"
    assert len(find(tree, "h1")) == 1
    for landmark in ("header", "nav", "main", "footer"):
        assert len(find(tree, landmark)) == 1, landmark
    assert [one.get("id") for one in find(tree, "section")] == SECTIONS
    identifiers = [e.get("id") for e in tree.iter() if isinstance(e.tag, str) and e.get("id")]
    assert len(set(identifiers)) == len(identifiers)
    links = {link.get("href") for link in find(tree, "a")}
    assert links == {f"#{name}" for name in [*SECTIONS, "main"]}
    for section in find(tree, "section"):
        assert section.get("aria-labelledby") in identifiers
    # What scrolls can be reached by keyboard, and has a name.
    for box in [*find(tree, "div", role="region"), *find(tree, "pre")]:
        assert box.get("tabindex") == "0"
        assert box.get("aria-label")


def test_tables_have_captions_and_headers_with_scope(tree):
    tables = find(tree, "table")
    assert len(tables) > 8
    for table in tables:
        assert content(find(table, "caption")[0])
        assert {head.get("scope") for head in find(table, "th")} == {"col", "row"}
        [head] = find(table, "thead")
        width = len(find(head, "th"))
        assert all(len(row) == width for row in find(find(table, "tbody")[0], "tr"))


def test_figures_say_what_they_show(tree, case):
    figures = find(tree, "figure")
    assert [f.get("id") for f in figures] == [
        f"figure-{name}" for name in ("goal", "bands", "front", "ends", "priors", "data")
    ]
    for figure in figures:
        [picture] = find(figure, "svg")
        assert picture.get("role") == "img"
        assert len(picture.get("aria-label")) > 60
        assert content(find(figure, "figcaption")[0])
    [goal] = find(figures[0], "svg")
    assert f"{shown(PLAN)}: all goals" in goal.get("aria-label")
    median = case.last_band(case.plans[0], "general")[1]
    assert f"general {median:.3f} (90% band" in find(figures[1], "svg")[0].get("aria-label")


def test_it_needs_nothing_else(text, tree):
    assert len(text.encode()) < MOST
    for name in ("script", "iframe", "object", "embed", "base", "form"):
        assert not find(tree, name)
    for element in tree.iter():
        for key, value in element.attrib.items():
            assert not str(key).startswith("on")
            if str(key).rpartition("}")[2] in ("src", "href"):
                assert value.startswith(("#", "data:"))
    assert "url(http" not in text
    assert "@import" not in text
    [policy] = [m for m in find(tree, "meta") if m.get("http-equiv")]
    assert "default-src 'none'" in policy.get("content")


# --- names of people --------------------------------------------------------------------------

PLAN = "<script>alert('x')</script>"


def test_names_are_text(text, tree, plans, study):
    words = content(find(tree, "body")[0])
    for name in [*(plan.name for plan in plans), study.name, *study.runs["run"]]:
        assert shown(name) in words
    # None has become an element.
    assert not find(tree, "script")
    assert not find(tree, "b")
    assert not find(tree, "i")
    # Escaped twice, a name would show its escapes.
    assert "&lt;" not in words
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e]", text)
    assert "&lt;script&gt;alert(" in text


def test_formulas_in_names_are_text_in_figures_too(tree, plans):
    drawn = " ".join(content(t) for t in find(tree, "text"))
    for plan in plans:
        # Legends fold long names.
        assert shown(plan.name).split()[0] in drawn
    assert "$x_1$" in drawn
    assert mpl.rcParams["text.parse_math"]
    assert mpl.rcParams["svg.fonttype"] == "path"


# --- numbers ----------------------------------------------------------------------------------


def test_numbers_are_those_of_goal_and_compare(tree, fit, plans, goal):
    fc = fit.forecast(plans, steps=step_grid(plans, 1), random_seed=4)
    chances = bc.goal_probability(fc, goal)
    decision = bc.compare(fc, goal=goal)
    table = rows(tree, "answer")
    assert list(table) == [shown(plan.name) for plan in plans]
    for plan in plans:
        cells, chance = table[shown(plan.name)], chances.loc[plan.name]
        wanted = [chance["joint"], chance["general"], chance["<i>target</i>"]]
        assert [cell.split(" ± ")[0] for cell in cells[:3]] == [f"{p:.3f}" for p in wanted]
        errors = [chance[f"{c}_mcse"] for c in ("joint", "general", "<i>target</i>")]
        assert [cell.split(" ± ")[1] for cell in cells[:3]] == [f"{e:.3f}" for e in errors]
        risks = decision.table.loc[plan.name, ["mean", "quantile", "cvar", "expected_regret"]]
        assert cells[3:7] == [f"{value:.3f}" for value in risks]
        assert cells[7] == f"{decision.table.loc[plan.name, 'prob_best']:.3f}"
    band = fc.interval(0.9).sel(plan=plans[3].name, domain="general", step=300)
    found = rows(tree, "bands")[shown(plans[3].name)]
    low, middle, high = (float(band[n]) for n in ("lower", "median", "upper"))
    assert found[:2] == ["300", f"{middle:.3f} [{low:.3f}, {high:.3f}]"]
    pairs = rows(tree, "apart")
    for plan in plans:
        if plan.name != decision.best:
            at = [p.name for p in plans].index(decision.best)
            expected = decision.contrasts.loc[plan.name, "prob_better"]
            assert pairs[shown(plan.name)][at] == f"{expected:.3f}"
    lead = content(find(tree, "p", **{"class": "lead"})[0])
    assert shown(decision.best) in lead


def test_costs_are_counted_from_the_rates(tree, plans):
    found = rows(tree, "costs")
    tokens = 300 * 1024
    hours = tokens / 256 / 3600
    assert found[shown(plans[3].name)][:6] == [
        "300", f"{tokens:,}", f"{0.95 * tokens:,.0f}", f"{0.05 * tokens:,.0f}",
        f"{hours:.3g}", f"{2.5 * hours:.2f}",
    ]  # fmt: skip
    # The figures beside the answer are those of the table, also where they are small.
    facts = zip(find(tree, "dt"), find(tree, "dd"), strict=True)
    answer = {content(name): content(value) for name, value in facts}
    [head] = find(find(tree, "section", id="answer")[0], "tbody")
    [best] = [row for row in find(head, "tr") if "chosen" in (row.get("class") or "")]
    name = content(best[0]).removesuffix(" chosen")
    assert answer["GPU-hours"] == found[name][4]


def test_reach_checks_findings_and_priors(tree, case, plans):
    reach = rows(tree, "reach")
    far = reach[shown(plans[3].name)]
    assert "300 steps are more than the fitted 200" in far[3]
    assert "peak LR 0.004 is above the fitted 0.002" in far[3]
    assert reach[shown(plans[0].name)][3] == "nowhere"
    assert float(far[0]) == pytest.approx(case.novelty[3].distance, abs=0.005)
    checks = rows(tree, "checks")
    assert checks["R-hat"][1:] == ["passed", "1.002", "1.01"]
    assert checks["contraction"][1] == "warning"
    assert set(rows(tree, "priors")) == set(case.before_after.index)


def test_it_can_be_made_again(tree, case, plans, tmp_path):
    [section] = find(tree, "section", id="reproduce")
    codes = [c.text for c in find(section, "code")]
    (tmp_path / "plans.toml").write_text(codes[0], encoding="utf-8")
    fit = case.fit
    again = read_plans(tmp_path / "plans.toml", fit.study, fit.card)
    starts = Starts(fit.study, fit.rows.refs.warmup, fit.card)
    for old, new in zip(plans, again, strict=True):
        assert starts.trajectory(new).digest == starts.trajectory(old).digest
        assert new.name == old.name
    assert plans_note(case) == ""
    assert codes[1] == COMMAND
    compile(codes[3], "report", "exec")
    digests = rows(tree, "reproduce")
    assert digests[f"study {shown(fit.study.name)}"] == [fit.study.digest]
    assert digests["seed of the simulated noise"] == ["4"]


def test_a_schedule_that_is_only_nearly_a_constructors_is_said_to_be(fit, plans):
    lr = plans[0].schedule.lr * (1 + 1e-4 * np.sin(np.arange(200)))
    plan = Plan("wavy", bc.schedules.from_array(lr), 0.1, plans[0].start)
    note = plans_note(make_case(fit, plan, None, None, Options()))
    # Its numbers have few digits too.
    share = float(re.search(r"differ by up to (\S+) of the peak", note)[1])
    assert 5e-5 < share < 1e-2


def test_the_lead_says_what_the_probabilities_say(fit, plans):
    def lead(goal, **options):
        made = make_case(fit, plans, goal, None, Options(**options))
        return made, make_answer(made).lead

    target = "<i>target</i>"
    last = fit.forecast(plans, steps=[200, 300]).dataset["loss"].isel(step=0)
    low, high = (float(last.sel(domain="general").quantile(q)) for q in (0.0, 1.0))
    case, text = lead({"general": round(high + 0.1, 2)})
    assert text == f"Run {case.decision.best}: it meets the whole goal with probability >99%."
    _, text = lead({"general": round(low - 0.3, 2)})
    assert text.startswith("The goal is out of reach of these plans: ")
    _, text = lead({"general": round(low - 0.3, 2)}, min_probability=0.8)
    assert (
        text
        == "None of them: no plan meets the goal with the required probability of at least 80%."
    )
    # More replay keeps the general loss, less gets a better target.
    general = last.sel(domain="general").median(("chain", "draw"))
    keeper = str(general["plan"].values[int(general.argmin("plan"))])
    goal = {"general": round(float(general.min()), 3)}
    case, text = lead(goal, risk="mean", weights={target: 1.0})
    assert case.decision.best != keeper
    assert text.startswith(f"{case.decision.best} is best by mean, but it probably misses the goal")
    assert f"{keeper} meets it with " in text


# --- other cases ------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_file(fit, plans, goal, text, monkeypatch, tmp_path):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    again = make_case(fit, plans, goal, RATES, Options(seed=4))
    path = save_page(again, tmp_path / "new" / "report.html", COMMAND)
    assert path.read_text(encoding="utf-8") == text
    assert "2023-11-14" in text
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_one_plan_of_a_failed_fit_without_a_goal(fit, plans, monkeypatch, tmp_path):
    failed = type(fit)(fit.card, fit.study, fit.rows, fit.posterior, fit.sample_stats, 1)
    bad = [Check("R-hat", "fail", 1.5, 1.01, "sample longer")]
    monkeypatch.setattr(type(fit), "given", bad)
    with pytest.raises(ConvergenceError, match="R-hat"):
        bc.report(failed, plans[0])
    path = bc.report(failed, plans[0], path=tmp_path / "one.html", allow_failed=True)
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree = parser.parse(path.read_text(encoding="utf-8"))
    # What was asked for in spite of the check is said before all else.
    first = find(tree, "section")[0][1]
    assert first.get("class") == "alarm"
    assert "FAILED R-hat" in content(first)
    sections = [one.get("id") for one in find(tree, "section")]
    assert "apart" not in sections
    drawn = [figure.get("id") for figure in find(tree, "figure")]
    assert drawn == ["figure-bands", "figure-ends", "figure-priors", "figure-data"]
    [costs] = find(tree, "section", id="costs")
    assert "Not given, and so not counted: throughput" in content(costs)
    assert "GPU-hours" not in content(find(costs, "thead")[0])


def test_large_figures_become_pictures(case, monkeypatch):
    monkeypatch.setattr(svg, "LARGEST", 0)
    made = svg.inline_figure(lambda: mpl.figure.Figure(), "x", 'say "so" <b>')
    [picture] = find(html5lib.parse(made, namespaceHTMLElements=False), "img")
    assert picture.get("alt") == 'say "so" <b>'
    assert picture.get("src").startswith("data:image/png;base64,")


def test_what_cannot_be_reported_says_why(fit, plans, goal):
    many = [Plan(f"p{k}", plans[0].schedule, 0.1, plans[0].start) for k in range(41)]
    with pytest.raises(PlanError, match="41 plans are too many"):
        bc.report(fit, many, goal)
    with pytest.raises(PlanError, match="no plan to report on"):
        bc.report(fit, [], goal)
    with pytest.raises(PlanError, match="without a throughput"):
        bc.report(fit, plans, goal, rates={"price": 3})


def test_a_file_that_cannot_be_written_says_so(fit, plans, tmp_path, monkeypatch):
    monkeypatch.setattr("bayescpt.present.report.page.page", lambda *_: "")
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match=r"cannot write .*report\.html"):
        bc.report(fit, plans[:1], path=tmp_path / "taken" / "report.html")


# --- colours ----------------------------------------------------------------------------------


def luminance(colour):
    """Relative luminance of WCAG 2."""
    parts = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_every_colour_of_a_figure_has_one_for_the_dark(tree):
    used = {
        colour
        for picture in find(tree, "svg")
        for element in picture.iter()
        for colour in re.findall(r"#[0-9a-f]{6}", element.get("style") or "")
    }
    assert len(used) > 6
    assert used <= set(svg.DARK)


def test_dark_colours_stand_out_and_differ():
    paper = svg.DARK["#ffffff"]
    for light, dark in svg.DARK.items():
        if light not in ("#ffffff", "#e6e6e6", "#c9c9c9"):
            needed = 4.5 if light in ("#222222", "#6b6b6b", "#444444") else 3.0
            assert contrast(dark, paper) >= needed, light
    assert len(set(svg.DARK.values())) == len(svg.DARK)
