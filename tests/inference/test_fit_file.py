"""A fit file holds the card and the reference points as they were used, whatever comes later."""

import json
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

import bayescpt as bc
from bayescpt.errors import CardError, FitError
from bayescpt.evaluate.baselines.iid import plain_card
from bayescpt.inference import Fit, load_fit
from bayescpt.inference.fit_file import seal_fit
from bayescpt.model import rows as rows_module
from bayescpt.model.card import Card
from bayescpt.model.card_file import load_card, parse_card, shipped_cards
from bayescpt.model.folder import cards_folder
from bayescpt.model.rows import make_rows

STEPS = [0, 10, 4000]


@pytest.fixture
def plan() -> bc.Plan:
    return bc.Plan("new", bc.schedules.wsd(1e-4, 4000, 100, 800), 0.1, start="pt")


def text_of(path: Path) -> dict:
    with h5py.File(path) as file:
        return json.loads(file.attrs["bayescpt"])


def edit(path: Path, change) -> None:
    """Change the text inside a fit file, and give it the digest of what it then holds."""
    with h5py.File(path, "r+") as file:
        text = json.loads(file.attrs["bayescpt"])
        change(text)
        file.attrs["bayescpt"] = json.dumps(text)
    path.write_bytes(seal_fit(path.read_bytes()))


def with_card(fit: Fit, card: Card) -> Fit:
    """The fit as if it had been made with another card of the same parameters."""
    return replace(fit, card=card, rows=make_rows(fit.study, card))


# the card


def test_a_card_changed_in_python_is_stored_as_it_was_used(small_fit, plan, tmp_path):
    card = small_fit.card
    sigma = replace(card.priors["sigma"], args={"mu": -3.25, "sigma": 0.5}, reason="mine")
    kappa = replace(card.priors["share_kappa"], dist="Gamma", args={"alpha": 9.0, "beta": 9.0})
    changed = replace(
        card,
        name="mine",
        level_sd=0.0123,
        priors={**card.priors, "sigma": sigma, "share_kappa": kappa},
    )
    assert changed != card
    made = with_card(small_fit, changed)
    back = load_fit(made.save(tmp_path / "mine.nc"))
    assert back.card == changed
    assert back.card.priors["sigma"] == sigma
    assert back.card.priors["share_kappa"].dist == "Gamma"
    np.testing.assert_array_equal(back.rows.start["sd"], 0.0123)
    xr.testing.assert_identical(
        back.forecast(plan, STEPS, allow_failed=True).dataset,
        made.forecast(plan, STEPS, allow_failed=True).dataset,
    )


def test_a_stored_card_needs_no_default_of_this_version(small_fit, tmp_path):
    path = small_fit.save(tmp_path / "fit.nc")
    stored = text_of(path)["card"]
    assert set(stored["priors"]) == {p.name for p in small_fit.card.parameters()}
    for broken in ("priors", "level_sd", "choices"):
        with pytest.raises(CardError, match=f"fit: missing or unknown {broken}"):
            Card.from_dict({k: v for k, v in stored.items() if k != broken}, "fit")
    del stored["priors"]["sigma"]
    with pytest.raises(CardError, match="has no prior for sigma"):
        Card.from_dict(stored)


@pytest.mark.parametrize("name", shipped_cards())
def test_every_card_comes_back_from_plain_values(name):
    for card in (load_card(name), plain_card(load_card(name))):
        assert Card.from_dict(json.loads(json.dumps(card.to_dict()))) == card


def test_a_term_that_is_not_registered_here_is_said_in_one_line(small_fit, tmp_path):
    path = small_fit.save(tmp_path / "fit.nc")
    edit(path, lambda text: text["card"]["choices"].update(replay="of_mine"))
    with pytest.raises(FitError, match=r"fit\.nc: its card: law\.replay = 'of_mine'; allowed"):
        load_fit(path)


def test_a_fit_of_the_plain_baseline_is_saved_and_loaded(small_fit, plan, tmp_path):
    plain = plain_card(small_fit.card)
    effects = [name for name in small_fit.posterior if str(name).startswith(("effect_", "discr"))]
    made = with_card(replace(small_fit, posterior=small_fit.posterior.drop_vars(effects)), plain)
    back = load_fit(made.save(tmp_path / "iid.nc"))
    assert back.card == plain
    assert back.card.name == "cpt_replay-iid"
    assert back.card.run_effects == ()
    xr.testing.assert_identical(
        back.forecast(plan, STEPS, allow_failed=True).dataset,
        made.forecast(plan, STEPS, allow_failed=True).dataset,
    )


# reference points


def test_reference_points_come_from_the_file(small_fit, plan, tmp_path, monkeypatch):
    path = small_fit.save(tmp_path / "fit.nc")
    assert text_of(path)["references"] == small_fit.rows.refs.points
    moved = {"area": 2.5 * small_fit.rows.refs["area"], "peak_lr": 3e-4, "rise": -0.125}
    edit(path, lambda text: text["references"].update(moved))
    # Not even looked at.
    monkeypatch.setattr(rows_module, "card_references", None)
    back = load_fit(path)
    assert back.rows.refs.points == {**small_fit.rows.refs.points, **moved}
    assert back.rows.refs.warmup == back.card.warmup
    made, before = (fit.forecast(plan, [4000], allow_failed=True).mu for fit in (back, small_fit))
    assert (made != before).all()


# older formats


def as_format_4(fit: Fit, path: Path, card: str) -> Path:
    """Write a fit as version 0.1.0 did at format 4."""
    text = {
        "format": 4,
        "bayescpt": "0.1.0",
        "card": card,
        "card_name": "cpt_replay",
        "study": fit.study.to_json(),
        "study_digest": fit.study.digest,
        "seed": fit.seed,
        "checks": [check.to_dict() for check in fit.checks()],
    }
    old = {"discrepancy_near": "misfit_near", "discrepancy_far": "misfit_far"}
    posterior = fit.posterior.rename({**old, "discrepancy": "misfit"})
    tree = xr.DataTree.from_dict({"/posterior": posterior, "/sample_stats": fit.sample_stats})
    tree.attrs["bayescpt"] = json.dumps(text)
    packed = {
        f"/{name}": {str(v): {"zlib": True, "complevel": 1} for v in node.data_vars}
        for name, node in tree.children.items()
    }
    tree.to_netcdf(path, engine="h5netcdf", encoding=packed)
    return path


SHIPPED = (cards_folder() / "cpt_replay.toml").read_text()


LATER = ("replay_seen", "start_seen", "anneal_end")


@pytest.fixture
def older_fit(small_fit) -> Fit:
    """A fit to runs that all replay, of a version that measured the shift without replay."""
    whole, card = small_fit.study, small_fit.card
    study = whole.select([name for name in whole.cpt_runs if whole.run(name).replay_ratio > 0])
    refs = make_rows(study, card).refs
    assert refs["replay_seen"] > 0
    points = {**refs.points, "replay_seen": 0.0, "start_seen": 1.0, "anneal_end": 0.0}
    rows = make_rows(study, card, replace(refs, points=points))
    posterior = small_fit.posterior.sel(curve=list(rows.labels.curve_names))
    return replace(small_fit, study=study, rows=rows, posterior=posterior)


def test_format_4_is_read(older_fit, plan, tmp_path):
    back = load_fit(as_format_4(older_fit, tmp_path / "old.nc", SHIPPED))
    assert back.card == older_fit.card
    assert back.rows.refs == older_fit.rows.refs
    assert back.seed == older_fit.seed
    assert back.checks() == older_fit.checks()
    xr.testing.assert_identical(back.posterior, older_fit.posterior)
    xr.testing.assert_identical(back.sample_stats, older_fit.sample_stats)
    plans = [plan, bc.Plan.from_run(older_fit.study.run("r25_cosine"))]
    xr.testing.assert_identical(
        back.forecast(plans, STEPS, allow_failed=True).dataset,
        older_fit.forecast(plans, STEPS, allow_failed=True).dataset,
    )
    # From then on it is like any other.
    path = back.save(tmp_path / "new.nc")
    assert text_of(path)["format"] == 6
    assert load_fit(path).card == older_fit.card


def test_a_file_without_the_later_reference_points_means_what_it_meant(older_fit, plan, tmp_path):
    path = older_fit.save(tmp_path / "old.nc")
    edit(path, lambda text: [text["references"].pop(name) for name in LATER])
    back = load_fit(path)
    assert back.rows.refs == older_fit.rows.refs
    assert back.forecast(plan, [4000], allow_failed=True).dataset.equals(
        older_fit.forecast(plan, [4000], allow_failed=True).dataset
    )
    assert "shift_ref_net" in {variable.name for variable in back.model.free_RVs}


def test_a_card_of_ones_own_in_format_4_is_read(small_fit, tmp_path):
    mine = SHIPPED.replace('name = "cpt_replay"', 'name = "mine"').replace("= 0.005", "= 0.03")
    mine += '[priors]\nsigma = {dist = "HalfNormal", sigma = 0.1, reason = "mine"}\n'
    back = load_fit(as_format_4(small_fit, tmp_path / "old.nc", mine))
    assert back.card == parse_card(mine)
    assert back.card.level_sd == 0.03
    assert back.card.priors["sigma"].dist == "HalfNormal"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"card": ""}, "is of format 4 and has no card text: refit the study"),
        ({"card": "[law"}, "is not a bayescpt fit: card 'cpt_replay': cannot be read: not valid"),
        ({"checks": None}, "is of format 4 and has no checks: refit the study"),
    ],
)
def test_a_damaged_file_of_format_4_is_refused_in_one_line(small_fit, tmp_path, change, said):
    path = as_format_4(small_fit, tmp_path / "old.nc", SHIPPED)

    def damage(text):
        text.update(change)
        for name in [name for name, value in change.items() if value is None]:
            del text[name]

    edit(path, damage)
    with pytest.raises(FitError) as caught:
        load_fit(path)
    assert f"{path} {said}" in str(caught.value)
    assert "\n" not in str(caught.value)
