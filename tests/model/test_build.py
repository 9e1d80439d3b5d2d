"""Models of cards and studies as PyMC users meet them."""

import numpy as np
import pymc as pm
import pytest

from bayescpt.laws.kernels import KERNELS
from bayescpt.laws.trajectory import run_trajectory
from bayescpt.laws.view import View
from bayescpt.model.build import build_model, rows_model
from bayescpt.model.card_file import load_card
from bayescpt.model.containers import arrays
from bayescpt.model.net import sampled_point
from bayescpt.model.rows import make_rows

QUIET = {"compile_kwargs": {"mode": "FAST_COMPILE"}}

MADE = ("everything", "exponential", "paper_exponential", "variants")


def card_of(name, card):
    return card(name) if name in MADE else load_card(name)


@pytest.fixture(scope="module")
def default(study):
    return build_model(study)


# Every term and shipped card at one point: tests/laws/test_truth.py.
@pytest.mark.parametrize(
    "name",
    [
        *("cpt_replay", "everything", "paper_exponential", "variants"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("annealing", "cpt", "cpt_momentum", "exponential")
        ),
    ],
)
def test_density_and_gradient_are_finite(study, card, logp_and_gradient, near, name):
    model = build_model(study, card_of(name, card))
    evaluate = logp_and_gradient(model)
    for point in (model.initial_point(), near(model, 1), near(model, 2, scale=1.0)):
        value, slopes = evaluate(point)
        assert np.isfinite(value)
        for key, slope in slopes.items():
            assert np.all(np.isfinite(slope)), key


def test_every_parameter_is_informed_by_the_losses(study, card, logp_and_gradient, near):
    model = build_model(study, card("everything"))
    evaluate, point = logp_and_gradient(model), near(model, 3)
    value, before = evaluate(point)
    losses = model["observed"].get_value()
    pm.set_data({"observed": losses + 0.1}, model=model)
    _, after = evaluate(point)
    assert not {name for name in before if np.array_equal(before[name], after[name])}
    pm.set_data({"observed": losses}, model=model)
    assert evaluate(point)[0] == value


def test_dimensions_have_names(default, study):
    dims = default.named_vars_to_dims
    assert dims["base_ref"] == ("domain",)
    assert dims["shift_ref"] == ("pair",)
    assert dims["start_offset"] == ("level",)
    assert dims["loss"] == ("obs",)
    assert default.coords["domain"] == ("general", "german")
    assert default.coords["pair"] == ("general|german", "german|german")
    assert default.coords["level"][0] == "annealed|general"
    # The shift is sampled net of base and annealing, and is itself a Deterministic.
    assert {v.name for v in default.deterministics} == {"shift_ref", "jump"}
    net = {"shift_ref": "shift_ref_net", "jump": "jump_net"}
    parameters = [p.name for p in load_card("cpt_replay").parameters()]
    assert {v.name for v in default.free_RVs} == {
        *(net.get(name, name) for name in parameters),
        "start_offset",
    }


def test_every_array_of_the_study_is_a_data_container(default, study):
    card = load_card("cpt_replay")
    expected = arrays(make_rows(study, card), card)
    assert {v.name for v in default.data_vars} == {name for name, _, _ in expected}
    for name, value, dims in expected:
        np.testing.assert_array_equal(default[name].get_value(), value)
        assert tuple(default.named_vars_to_dims.get(name, ())) == dims
        assert len(dims) == np.ndim(value)


def test_a_card_file_works_as_a_name_does(study, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\ndescription = "Mine."\n[law]\nshift = "power"\n')
    assert "replay_gamma" not in build_model(study, path).named_vars


def prior_curves(study, card, draws=300):
    """Losses drawn from the prior, shape (draw, obs), and the rows they are at."""
    rows = make_rows(study, card)
    with rows_model(rows, card):
        drawn = pm.sample_prior_predictive(draws, var_names=["loss"], random_seed=7, **QUIET)
    return drawn["prior_predictive"]["loss"].to_numpy()[0], rows


def complaints(losses, rows):
    """What about prior curves does not look like loss curves."""
    found = []
    if not np.all(np.isfinite(losses)):
        found.append("not finite")
    inside = np.mean(np.all((losses > 0) & (losses < 15), axis=1))
    if inside < 0.85:
        found.append(f"only {inside:.0%} of the draws lie in 0..15 nats")
    keys = list(zip(rows.row["run"], rows.row["domain"], strict=True))
    moves = {}
    for key in dict.fromkeys(keys):
        here = [n for n, k in enumerate(keys) if k == key]
        moves[key] = losses[:, here[-1]] - losses[:, here[0]]
    size = np.median([np.mean(np.abs(move) < 3.0) for move in moves.values()])
    if size < 0.85:
        found.append(f"only {size:.0%} of the draws move by less than 3 nats")
    if not rows.segment["is_cpt"].any():
        falls = np.mean([np.mean(move < 0) for move in moves.values()])
        if falls < 0.8:
            found.append(f"pre-training falls in {falls:.0%} of the draws")
        return found
    pure = rows.labels.run.index("pure")
    rises, learns = np.mean(moves[pure, 0] > 0.05), np.mean(moves[pure, 1] < -0.05)
    if rises < 0.1:
        found.append(f"general rises in {rises:.0%}")
    if learns < 0.1:
        found.append(f"the domain falls in {learns:.0%}")
    return found


@pytest.mark.parametrize(
    "name", ["annealing", "cpt", "cpt_fade", "cpt_momentum", "cpt_replay", "cpt_sizes"]
)
def test_prior_curves_of_shipped_cards_look_like_loss_curves(study, name):
    assert not complaints(*prior_curves(study, load_card(name)))


@pytest.mark.parametrize(
    ("prior", "complaint"),
    [
        ("[priors.shift_ref]\nmu = 0.0\nsigma = 3.0", "nats"),
        ("[priors.shift_ref]\nmu = -1.0\nsigma = 0.1", "general rises in 0%"),
        ("[priors.shift_ref]\nmu = 1.0\nsigma = 0.1", "the domain falls in"),
    ],
)
def test_silly_priors_do_not(study, card, prior, complaint):
    text = f'[law]\nshift = "power"\n{prior}\ndist = "Normal"\nreason = "silly"\n'
    found = complaints(*prior_curves(study, card(text)))
    assert any(complaint in said for said in found), found


def test_a_silly_level_of_pretraining_is_seen(study, card):
    text = '[priors.level_pt]\ndist = "Normal"\nmu = 14.0\nsigma = 1.0\nreason = "silly"\n'
    assert "0..15" in " ".join(complaints(*prior_curves(study, card(text))))


TRUTH = {
    "base_ref": [0.3, 0.2], "alpha_s1": [0.5, 0.5], "log_half": 1.5, "kernel_shape": 1.0,
    "anneal_ref": [0.1, 0.1], "anneal_pt_ref": [0.1, 0.1], "level_pt": [3.0, 6.0],
    "shift_ref": [0.8, -1.5], "onset": [30.0, 60.0], "beta": [0.2, 0.2],
    "share_gamma": [0.0, 0.0], "share_kappa": [1.0, 1.0], "shift_peak": 0.0, "speed_peak": 0.0,
    "rewarm_ref": [0.1, 0.1], "jump": [0.0, 0.0],
    "sigma": [1e-4, 1e-4], "sigma_pt": [1e-4, 1e-4], "early": [1e-3, 1e-3],
    "early_width": [0.03, 0.03], "start_offset": [0.0, 0.0, 0.0, 0.0],
}  # fmt: skip


def test_do_simulates_from_chosen_parameters(default, study):
    """pm.do with every parameter leaves the noise: curves around the law at the truth."""
    card = load_card("cpt_replay")
    rows = make_rows(study, card)
    named = [*(p.name for p in card.parameters()), "start_offset"]
    truth = sampled_point({name: np.array(TRUTH[name]) for name in named}, rows, card)
    intervened = pm.do(default, truth)
    assert not intervened.free_RVs
    with intervened:
        drawn = pm.sample_prior_predictive(30, var_names=["loss"], random_seed=1, **QUIET)
    loss = drawn["prior_predictive"]["loss"].to_numpy()[0]
    assert loss.std(axis=0).max() < 1e-3
    # At replay 1 the shift is gone; without replay it is there.
    run, domain = rows.row["run"], rows.row["domain"]
    end = rows.row["step"] == 40
    for name, shifts in (("pure", (0.5, -1.3)), ("replay", (0.0, 0.0))):
        for d, shift in enumerate(shifts):
            here = end & (run == rows.labels.run.index(name)) & (domain == d)
            level = f"annealed|{rows.labels.domain[d]}"
            start = rows.start["loss"][rows.labels.level_names.index(level)]
            assert loss[:, here].mean() - start == pytest.approx(shift, abs=0.2)


@pytest.mark.parametrize(
    "name", ["cpt", "cpt_fade", "cpt_momentum", "cpt_replay", "cpt_sizes", "variants"]
)
def test_where_chains_start_does_not_depend_on_the_study(study, card, name):
    """A sampler compiled for one study is used for others of its structure."""
    made, part = card_of(name, card), study.select(study.cpt_runs[:-1])
    points = [
        rows_model(make_rows(one, made), made, fused="nothing").initial_point()
        for one in (study, part)
    ]
    assert points[0].keys() == points[1].keys()
    for key in points[0].keys() - {"start_offset"}:
        np.testing.assert_array_equal(*(point[key] for point in points), err_msg=key)


def test_only_the_samplers_model_says_where_to_start(study):
    card = load_card("cpt")
    model = rows_model(make_rows(study, card), card)
    np.testing.assert_allclose(model.initial_point()["sigma_log__"], np.log([0.2, 0.2]))
    with pytest.raises(NotImplementedError, match="initial_values"):
        pm.do(model, {"log_memory": 3.0})


def test_observe_fixes_a_parameter(default, logp_and_gradient):
    observed = pm.observe(default, {"alpha_s1": np.array([0.5, 0.6])})
    assert "alpha_s1" in {v.name for v in observed.observed_RVs}
    assert "alpha_s1" not in {v.name for v in observed.free_RVs}
    value, _ = logp_and_gradient(observed)(observed.initial_point())
    assert np.isfinite(value)


def mean_of(model):
    """Expected loss of every row of a model whose parameters are all fixed."""
    loss = model["loss"].owner
    return loss.op.dist_params(loss)[0].eval(mode="FAST_COMPILE")


RAW = {
    "L0": [2.4, 5.5], "A": [0.2, 0.1], "alpha_s1": [0.5, 0.4], "C1": [0.3, 0.2], "C2": [0.4, 0.3],
    "B": [0.9, -1.2], "E": [300.0, 900.0], "beta": [0.2, 1e-9], "log_memory": 2.3,
    "replay_gamma": [0.4, 0.6], "replay_eps": [0.03, 0.1], "sigma": [1e-3] * 2,
    "sigma_pt": [1e-3] * 2,
}  # fmt: skip


def test_the_paper_card_and_the_reference_card_draw_the_same_curves(study, card):
    """Other coordinates of one law: L0, A, ... against their reference quantities."""
    raw = {key: np.array(value) for key, value in RAW.items()}
    in_paper, reference = card("paper"), card("own_share")
    rows = make_rows(study, in_paper)
    mean = mean_of(pm.do(rows_model(rows, in_paper, starts=False), raw))

    # The start level of Eq. 4: L0 + A S1pt^-alpha - C1 S2pt, by checkpoint and domain.
    start = rows.start
    s1 = rows.refs["area"] * np.exp(start["feature_log_area"])[:, None]
    s2 = (start["feature_anneal"] @ KERNELS["momentum"].weights(raw, rows.refs))[:, None]
    s2 = s2 * np.exp(raw["log_memory"]) * rows.refs["peak_lr"]
    level = (raw["L0"] + raw["A"] * s1 ** -raw["alpha_s1"] - raw["C1"] * s2).ravel()
    values = raw | in_paper.law.to_reference(raw, rows.refs)
    values = {p.name: values[p.name] for p in reference.parameters()}
    rows = make_rows(study, reference)
    values["start_offset"] = (level - rows.start["loss"]) / rows.start["sd"]
    expected = mean_of(pm.do(rows_model(rows, reference, starts=False), values))
    np.testing.assert_allclose(mean, expected, rtol=0, atol=1e-10)


def law_of_row(values, rows, card, study, n):
    """Expected loss of a row from the features of its run, without the rows' own arrays."""
    labels, law = rows.labels, card.law
    domain, step = labels.domain[rows.row["domain"][n]], rows.row["step"][n]
    path = run_trajectory(study, labels.run[rows.row["run"][n]])
    view = View(path, np.array([step]), rows.refs)
    is_target = path.is_cpt and domain == path.target
    index = {"domain": labels.domain.index(domain)}
    own = {}
    if path.is_cpt:
        index["pair"] = labels.pair.index((domain, path.target))
        level = labels.level_names.index(f"{path.start}|{domain}")
        offset = rows.start["sd"][level] * values["start_offset"][level]
        own["start_level"] = rows.start["loss"][level] + offset
    own |= {
        p.name: values[p.name][index[p.dims[0]]] if p.dims else values[p.name]
        for p in card.parameters()
        if not p.dims or p.dims[0] in index
    }
    seen = law.features(view, is_target)
    for name, weights in law.weights(values, rows.refs).items():
        seen[name] = seen[name] @ weights
    phase = {"is_cpt": float(path.is_cpt), "is_target": float(is_target)}
    return law.value(own, {**seen, **phase, "replay": view.replay[0]}).item()


def test_every_row_is_the_law_at_the_features_of_its_run(study, card):
    """Memory, own re-warm-ups and peaks of several sizes: what each run shows reaches its rows."""
    made = card("variants")
    rows = make_rows(study, made)
    rng = np.random.default_rng(11)
    sizes = {"domain": len(rows.labels.domain), "pair": len(rows.labels.pair)}
    values = {
        p.name: np.array(made.priors[p.name].draw(rng, tuple(sizes[dim] for dim in p.dims)))
        for p in made.parameters()
    }
    values["start_offset"] = rng.standard_normal(len(rows.labels.level_names))
    mean = mean_of(pm.do(rows_model(rows, made, starts=False), values))
    expected = [law_of_row(values, rows, made, study, n) for n in range(mean.size)]
    np.testing.assert_allclose(mean, expected, rtol=1e-10)
