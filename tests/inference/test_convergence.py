"""Convergence checks, on posteriors and sampler records made by hand."""

import numpy as np
import pytest
import xarray as xr

from bayescpt.inference.checks import contractions, convergence_checks
from bayescpt.model.card_file import parse_card
from bayescpt.model.final_card import load_final_card

CARD = parse_card('name = "test"\ndescription = "Pre-training."\n[law]')
CHAINS, DRAWS = 4, 500
NAME, DOMAIN = "base_ref", "german"


@pytest.fixture
def posterior() -> xr.Dataset:
    """Independent draws, far narrower than the prior."""
    rng = np.random.default_rng(1)
    values = 1.0 + 0.001 * rng.standard_normal((CHAINS, DRAWS, 2))
    coords = {"chain": range(CHAINS), "draw": range(DRAWS), "domain": ["general", DOMAIN]}
    scale = 0.01 + 1e-4 * rng.random((CHAINS, DRAWS, 2))
    dims = ("chain", "draw", "domain")
    return xr.Dataset({NAME: (dims, values), "sigma": (dims, scale)}, coords)


@pytest.fixture
def stats() -> xr.Dataset:
    rng = np.random.default_rng(2)
    dims = ("chain", "draw")
    flag = np.zeros((CHAINS, DRAWS), dtype=bool)
    return xr.Dataset(
        {
            "energy": (dims, rng.standard_normal((CHAINS, DRAWS))),
            "diverging": (dims, flag),
            "reached_max_treedepth": (dims, flag.copy()),
        }
    )


def by_name(posterior, stats, card=CARD):
    return {check.name: check for check in convergence_checks(posterior, stats, card)}


def test_good_chains_pass_all_checks(posterior, stats):
    found = by_name(posterior, stats)
    assert list(found) == [
        "R-hat", "bulk ESS", "tail ESS", "divergences", "tree depth", "E-BFMI", "contraction",
    ]  # fmt: skip
    assert {check.status for check in found.values()} == {"ok"}
    assert {check.advice for check in found.values()} == {""}
    assert found["R-hat"].value == pytest.approx(1.0, abs=0.01)
    assert found["bulk ESS"].value > 1000


def test_chains_apart_fail_r_hat_and_say_where(posterior, stats):
    posterior[NAME][1, :, 1] += 0.003
    found = by_name(posterior, stats)["R-hat"]
    assert found.status == "fail"
    assert found.value > 1.01
    assert f"{NAME}[{DOMAIN}]" in found.advice


def test_slow_chains_fail_their_effective_draws(posterior, stats):
    rng = np.random.default_rng(3)
    walk = np.zeros((CHAINS, DRAWS))
    for n in range(1, DRAWS):
        walk[:, n] = 0.95 * walk[:, n - 1] + rng.standard_normal(CHAINS)
    posterior[NAME][:, :, 0] = 1.0 + 1e-3 * walk
    found = by_name(posterior, stats)
    assert found["bulk ESS"].status == "fail"
    assert f"{NAME}[general]" in found["bulk ESS"].advice
    assert found["tail ESS"].status == "fail"


def test_a_chain_that_never_moved_fails(posterior, stats):
    posterior[NAME][:, :, 1] = 1.0
    found = by_name(posterior, stats)["R-hat"]
    assert found.status == "fail"
    assert np.isnan(found.value)
    assert f"{NAME}[{DOMAIN}]" in found.advice


def test_one_stuck_chain_fails(posterior, stats):
    posterior[NAME][2, :, 1] = 1.0
    found = by_name(posterior, stats)
    assert "fail" in {found[name].status for name in ("R-hat", "bulk ESS", "tail ESS")}


def test_draws_that_are_no_numbers_fail(posterior, stats):
    posterior[NAME][0, 0, 0] = np.nan
    found = by_name(posterior, stats)
    assert {found[name].status for name in ("R-hat", "bulk ESS", "tail ESS")} == {"fail"}


@pytest.mark.parametrize(("count", "status"), [(0, "ok"), (10, "warn"), (11, "fail")])
def test_divergences_warn_then_fail_past_half_a_percent(posterior, stats, count, status):
    stats["diverging"][0, :count] = True
    found = by_name(posterior, stats)["divergences"]
    assert found.status == status
    assert found.value == pytest.approx(count / (CHAINS * DRAWS))
    assert ("target_accept" in found.advice) == (count > 0)


def test_deep_trees_warn(posterior, stats):
    stats["reached_max_treedepth"][:, :50] = True
    found = by_name(posterior, stats)["tree depth"]
    assert found.status == "warn"
    assert "ridge" in found.advice


def test_energies_that_crawl_warn(posterior, stats):
    stats["energy"][1] = np.cumsum(stats["energy"][1].to_numpy())
    found = by_name(posterior, stats)["E-BFMI"]
    assert found.status == "warn"
    assert found.value < 0.3
    assert found.advice


def test_a_parameter_left_at_its_prior_warns_by_name(posterior, stats):
    draws = CARD.priors[NAME].draw(np.random.default_rng(4), (CHAINS, DRAWS))
    posterior[NAME][:, :, 1] = draws
    found = by_name(posterior, stats)["contraction"]
    assert found.status == "warn"
    assert found.value == pytest.approx(1.0, abs=0.1)
    assert f"{NAME}[{DOMAIN}]" in found.advice
    assert f"{NAME}[general]" not in found.advice


def test_entries_of_two_dims_have_both_labels(stats):
    """The wrong answer: fits of the mixing law, with values by set and source, raised."""
    rng = np.random.default_rng(3)
    values = 1.0 + 0.01 * rng.standard_normal((CHAINS, DRAWS, 2, 3))
    values[0, :, 1, 2] += 1.0
    coords = {"set": ["general", DOMAIN], "source": ["web", "books", "code"]}
    posterior = xr.Dataset({"pure": (("chain", "draw", *coords), values)}, coords)
    card = load_final_card("mixing")
    labels = [label for _, label in contractions(posterior, card)]
    assert sorted(labels) == sorted(
        f"pure[{one}, {source}]" for one in coords["set"] for source in coords["source"]
    )
    found = by_name(posterior, stats, card)["R-hat"]
    assert found.status == "fail"
    assert f"pure[{DOMAIN}, code]" in found.advice


def test_a_finding_is_plain_values(posterior, stats):
    found = by_name(posterior, stats)["R-hat"].to_dict()
    assert set(found) == {"name", "status", "value", "limit", "advice"}
    assert isinstance(found["value"], float)
