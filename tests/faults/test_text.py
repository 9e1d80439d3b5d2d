"""Names out of files reach terminals, JSON, HTML and figures as text that cannot do harm."""

import json
import unicodedata

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.text import Text

from bayescpt import present
from bayescpt.cli import main
from bayescpt.data import Study, load_example, write_study
from bayescpt.forecast import Plan
from bayescpt.inference import Fit
from bayescpt.inference.idata import prior_draws
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from bayescpt.present.report.text import visible
from bayescpt.text import one_line, printable

# Clears the screen, sets the title, turns text around, breaks the line, and is no letter at all.
HOSTILE = "x\x1b[2J\x1b]0;t\x07\u202ey\x9b1m\u200f\x7f\r\u2028z"
# Mathematics that does not parse, and a name that Matplotlib leaves out of legends.
MATHS = r"_$\frac{a$"


def harmless(text):
    """Whether text holds only printable characters and line breaks."""
    return all(c == "\n" or c.isprintable() for c in text)


@pytest.fixture(scope="module")
def study():
    """Two runs of a real study, with hostile names of runs, domains and the study."""
    real = load_example("cpt_micro").select(["de_r25_wsd_s1", "de_r0_wsd"])
    new = {"de_r25_wsd_s1": f"run{HOSTILE}", "pt_r0": f"base{HOSTILE}", "german": f"set{HOSTILE}"}
    runs, curves = real.runs.replace(new), real.curves.replace(new)
    lrs = pd.concat(
        pd.DataFrame({"run": new.get(run, run), "step": np.arange(1, lr.size + 1), "lr": lr})
        for run, lr in real.lrs.items()
    )
    return Study.from_frames(curves, runs, lrs, general="general", name=f"study{HOSTILE}")


@pytest.fixture(scope="module")
def files(study, tmp_path_factory):
    """Folder with a study, a fit from prior draws and a file of plans."""
    folder = tmp_path_factory.mktemp("hostile")
    write_study(study, folder / "study")
    card = load_card("cpt_replay")
    rows = make_rows(study, card)
    posterior = prior_draws(card, rows, np.random.default_rng(1), draws=50)
    energy = np.random.default_rng(2).normal(size=(1, 50))
    stats = {"energy": energy, "diverging": energy > 99, "reached_max_treedepth": energy > 99}
    stats = xr.Dataset({name: (("chain", "draw"), values) for name, values in stats.items()})
    Fit(card, study, rows, posterior, stats, 1).save(folder / "fit.nc")
    keys = {"schedule": "wsd", "lr": 1e-3, "num_training_steps": 900, "num_decay_steps": 100}
    names = {"start": f"base{HOSTILE}", "domain": f"set{HOSTILE}", "replay_ratio": 0.2}
    text = ""
    for plan in (f"plan{HOSTILE}", MATHS):
        entries = {"name": plan, **keys, **names}
        # JSON writes text as TOML does, but for DEL.
        lines = (f"{k} = {json.dumps(v)}".replace("\x7f", r"\u007f") for k, v in entries.items())
        text += "[[plan]]\n" + "\n".join(lines) + "\n"
    (folder / "plans.toml").write_text(text)
    return folder


@pytest.fixture
def cli(capsys, monkeypatch, files):
    """Function that runs a command in the folder; gives exit code and output."""
    monkeypatch.chdir(files)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        return ended.value.code or 0, *capsys.readouterr()

    return run


PLANS = ("fit.nc", "--plans", "plans.toml", "--allow-failed")
COMMANDS = {
    "check": ("check", "study"),
    "forecast": ("forecast", *PLANS),
    "goal": ("goal", *PLANS, "--goal", "general=3.4"),
    "compare": ("compare", *PLANS, "--goal", "general=3.4"),
    "findings": ("findings", "fit.nc", "--allow-failed"),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("width", ["", "60"])
def test_no_name_writes_more_than_text(cli, monkeypatch, command, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if width:
        monkeypatch.setenv("COLUMNS", width)
    code, out, err = cli(*COMMANDS[command])
    assert code in (0, 1), err
    assert harmless(out)
    assert harmless(err)
    # Nothing is left out either: what is escaped can be told apart.
    assert r"\x1b" in out
    assert r"\u202e" in out


@pytest.mark.parametrize("command", COMMANDS)
def test_json_holds_names_as_they_are(cli, command):
    _, out, _ = cli(*COMMANDS[command], "--json")
    assert out.isascii()
    assert harmless(out)
    names = {"check": f"run{HOSTILE}", "findings": f"study{HOSTILE}"}
    assert names.get(command, f"plan{HOSTILE}") in strings(json.loads(out))


def strings(value):
    """All text in plain values, keys among them."""
    if isinstance(value, dict):
        return {text for pair in value.items() for part in pair for text in strings(part)}
    if isinstance(value, list):
        return {text for part in value for text in strings(part)}
    return {value} if isinstance(value, str) else set()


@pytest.mark.parametrize(
    "words",
    [
        ("check", f"no{HOSTILE}"),
        ("forecast", "fit.nc", "--run", f"no{HOSTILE}", "--allow-failed"),
        ("goal", *PLANS, "--goal", f"no{HOSTILE}=3"),
        ("fit", "study", "--out", "f.nc", "--card", f"no{HOSTILE}"),
    ],
    ids=lambda words: words[0],
)
def test_errors_are_one_line_of_text(cli, words):
    code, out, err = cli(*words)
    assert code == 2
    assert out == ""
    assert err.startswith("bayescpt: error: ")
    assert err.count("\n") == 1
    assert harmless(err)
    assert r"\x1b" in err


def test_html_is_text(study):
    assert harmless(study._repr_html_())


def test_pages_show_what_is_hidden_in_names():
    # Two names may differ in a mark without width only.
    for name in (HOSTILE, "a\u200bb", "a\u2060b", "\ufeffa", "a\u2029b"):
        assert harmless(visible(name))
        assert visible(name) != name
    assert visible("損失 ü\n\t50% $5") == "損失 ü\n\t50% $5"


def test_figures_show_names_and_read_no_mathematics_in_them(tmp_path):
    rng = np.random.default_rng(1)
    steps = [50, 100]
    names = {"plan": [MATHS, f"plan{HOSTILE}"], "domain": ["_general", "$x_1$"]}
    dims = ("chain", "draw", *names, "step")
    loss = xr.DataArray(rng.normal(3, 0.1, (2, 20, 2, 2, 2)), {**names, "step": steps}, dims)
    dataset = xr.Dataset({"loss": loss, "mu": loss}, attrs={"units": "nat/token"})
    table = pd.DataFrame(
        {name: [0.2, 0.8] for d in ("joint", *names["domain"]) for name in (d, f"{d}_mcse")},
        index=pd.Index(names["plan"], name="plan"),
    )
    drawn = {
        "fan": present.page(present.plot.fan, dataset),
        "overlay": present.page(present.plot.overlay, dataset),
        "scatter": present.page(present.plot.ends, dataset, domains=names["domain"]),
        "goals": present.page(present.plot.goal_probability, table),
        "study": present.page(present.plot.study, load_example("cpt_micro").select(["de_r0_wsd"])),
    }
    for name, figure in drawn.items():
        # Warnings are errors: no glyph is missing, and no legend entry left out.
        figure.savefig(tmp_path / f"{name}.png", dpi=40)
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        shown = [text.get_text() for text in texts]
        assert not any(text.get_parse_math() for text in texts if "$" in text.get_text())
        assert all(harmless(text) for text in shown)
        if name != "study":
            joined = "".join(shown).replace("\n", "")
            assert MATHS in joined
            assert "_general" in joined


def test_a_plan_is_drawn_under_any_name(study):
    plan = Plan.from_run(study.run("de_r0_wsd"), name=f"a{HOSTILE}")
    assert harmless(repr(plan.schedule))
    assert harmless(repr(study))


def test_every_kind_of_character_that_is_no_text_is_escaped():
    kinds = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    odd = [chr(k) for k in range(0x11000) if unicodedata.category(chr(k)) in kinds]
    assert len(odd) > 1000
    assert not set(printable("".join(odd))) & set(odd)
    # A lone surrogate, from a file name that is not UTF-8, can be written.
    printable("\udc80").encode()


@pytest.mark.parametrize("name", ["wsd_r30", "損失 ü", "Größe", "потеря", "خسارة", "50% $5"])
def test_names_that_are_text_stay_as_they_are(name):
    assert printable(name) == name
    assert one_line(f" {name}\n") == name
