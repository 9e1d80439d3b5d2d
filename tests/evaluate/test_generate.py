import numpy as np
import pytest

from bayescpt.evaluate.generate import draw_curves, draw_parameters
from bayescpt.evaluate.simulate import simulate_study
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows


@pytest.fixture(scope="module")
def design():
    return simulate_study(
        replays=(0.0, 0.25), shared_trunks=True, eval_every=500, pt_eval_every=2000
    ).study


@pytest.mark.parametrize("name", ["cpt_replay", "cpt"])
def test_every_parameter_of_a_card_is_drawn_from_its_prior(design, name):
    card = load_card(name)
    rows = make_rows(design, card)
    rng = np.random.default_rng(5)
    drawn = [draw_parameters(card, rows, rng) for _ in range(30)]
    for parameter in card.parameters():
        prior = card.priors[parameter.name].frozen()
        values = np.array([values[parameter.name].to_numpy().ravel() for values in drawn])
        # Probability transforms are uniform: mean 1/2, sd 1/sqrt(12), over 30 x entries draws.
        error = 1 / np.sqrt(12 * values.size)
        assert abs(prior.cdf(values).mean() - 0.5) < 4.5 * error, parameter.name
    assert {"A", "start_level"} <= set(drawn[0].data_vars)


def test_curves_scatter_around_their_expectation_and_share_trunks(design):
    card = load_card("cpt_replay")
    rows = make_rows(design, card)
    values = draw_parameters(card, rows, np.random.default_rng(2))
    table = draw_curves(card, design, rows, values, seed=4)
    again = draw_curves(card, design, rows, values, seed=4)
    assert table.equals(again)
    start = table[table["step"] == 0]
    known = design.curves[design.curves["step"] == 0]
    np.testing.assert_array_equal(start["loss"], known["loss"])
    drawn = table["run"].isin(design.cpt_runs)
    after = table[(table["step"] > 0) & drawn]
    assert (after["loss"] != after["mu"]).all()
    # The card says nothing of pre-training: those rows keep the design's loss.
    assert (
        table.loc[~drawn, "loss"].tolist()
        == design.curves.loc[design.curves["run"].isin(design.pt_runs), "loss"].tolist()
    )
    loss = table.set_index(["run", "domain", "step"])["loss"]
    trunk = design.trunk_step("r25_wsd")
    for step in (500, 2000, trunk // 500 * 500):
        assert loss["r25_wsd", "general", step] == loss["r25_constant", "general", step]
    assert loss["r25_wsd", "general", 5000] != loss["r25_constant", "general", 5000]
