"""`--figure` of the commands: each draws its figure, and says where it is."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import bayescpt as bc
from bayescpt import evaluate, inference
from bayescpt.cli import main, output_files
from bayescpt.cli.demo import PLANS
from tests.test_cli import made_up_fit

SPACE = """
[space]
start = "pt_r0"
schedule = "wsd"
lr = [1e-3, 2e-3]
num_training_steps = 1000
num_warmup_steps = 30
decay_share = [0.1, 0.2, 0.4]
replay_ratio = [0.1, 0.25, 0.4]
"""
GOAL = ("-g", "general=3.6", "-g", "german=+5%")
RUNS = ["de_r25_wsd_s1", "de_r0_wsd", "de_r50_wsd"]


@pytest.fixture(scope="module")
def fit():
    return made_up_fit(bc.load_example("cpt_micro").select(RUNS))


@pytest.fixture
def saved(monkeypatch, tmp_path, fit, capsys):
    """Function that runs a command, and returns the figures that it saved by file."""
    figures = {}

    def savefig(self, file, **options):
        figures[str(file)] = self

    monkeypatch.setattr(Figure, "savefig", savefig)
    monkeypatch.setattr(output_files, "write_file", lambda path, write: write(path))
    # The file is not what is tested here.
    monkeypatch.setattr(inference, "load_fit", lambda path: fit)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans.toml").write_text(PLANS)
    (tmp_path / "space.toml").write_text(SPACE)

    def run(*words):
        figures.clear()
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        shown = capsys.readouterr()
        assert not ended.value.code, shown.err
        assert all(f"wrote {file}" in shown.out for file in figures)
        return dict(figures)

    return run


def titles(figure):
    return [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")]


def test_compare(saved):
    words = ("compare", "fit.nc", "-p", "plans.toml", *GOAL)
    found = saved(*words, "--figure", "risks.png", "--front-figure", "front.png")
    panels = ["weighted loss", "minus the chosen", "regret", "goal"]
    assert titles(found["risks.png"]) == panels
    [front] = found["front.png"].axes
    assert front.get_xlabel() == "general loss (nats per token)"
    assert not saved(*words)


def test_goal(saved):
    words = ("goal", "fit.nc", "-p", "plans.toml", *GOAL)
    found = saved(*words, "--figure", "bars.png", "--ends-figure", "ends.png")
    assert [text.get_text() for text in found["bars.png"].axes[0].get_yticklabels()] == [
        "wsd_r30",
        "cos_r40",
    ]
    [ends] = found["ends.png"].axes
    assert "goal met" in [text.get_text() for text in ends.texts]


def test_optimise_draws_maps_around_the_best(saved):
    found = saved("optimise", "fit.nc", "--space", "space.toml", *GOAL, "--figure", "map.png")
    decay, peak, _ = found["map.png"].axes
    assert decay.get_ylabel() == "decay (share of all steps)"
    assert peak.get_ylabel() == "peak learning rate"
    assert "peak learning rate" in decay.get_title(loc="left")


@pytest.mark.parametrize(
    ("words", "space", "message"),
    [
        ((), SPACE, "give --goal DOMAIN=LOSS too"),
        (GOAL, SPACE.replace("[0.1, 0.25, 0.4]", "0.1").replace("[1e-3, 2e-3]", "2e-3"), "two set"),
    ],
)
def test_optimise_refuses_a_figure_of_nothing_before_the_search(
    saved, capsys, tmp_path, words, space, message
):
    (tmp_path / "space.toml").write_text(space)
    with pytest.raises(SystemExit) as ended:
        main(["optimise", "fit.nc", "--space", "space.toml", *words, "--figure", "map.png"])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_fit_and_check(saved, monkeypatch, fit, tmp_path):
    bc.write_study(fit.study, tmp_path / "study")
    [drawn] = saved("check", "study", "--figure", "study.png").values()
    assert titles(drawn) == [*fit.study.domains, "learning rate"]
    monkeypatch.setattr(inference, "fit", lambda study, **options: fit)
    found = saved("fit", "study", "--figure", "terms.png", "--prior-figure", "priors.png")
    assert titles(found["terms.png"]) == [run for run in RUNS for _ in range(2)]
    assert "beta" in titles(found["priors.png"])


def test_backtest_and_calibrate(saved, monkeypatch):
    def sampled(part, **options):
        return made_up_fit(part)

    monkeypatch.setattr(inference, "fit", sampled)
    words = ("backtest", "cpt_micro", "-r", RUNS[0], "--fit", RUNS[1], "--fit", RUNS[2])
    [drawn] = saved(*words, "--misses-figure", "misses.png").values()
    assert titles(drawn) == ["general", "german"]
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == [RUNS[0]]

    def simulated(card, *, n_simulations, on_simulation, **options):
        spread = np.arange(n_simulations) % 100
        ranks = {"rank": spread, "control": np.where(spread < 50, 0, 99)}
        table = pd.DataFrame({"simulation": range(n_simulations), "quantity": "beta", **ranks})
        return evaluate.Calibration(table, pd.DataFrame({"effective_draws": [99.0]}), 99)

    monkeypatch.setattr(evaluate, "calibrate", simulated)
    [drawn] = saved("calibrate", "cpt", "--simulations", 200, "--figure", "ranks.png").values()
    assert titles(drawn) == ["posterior", "control: half the width"]
