"""Losses in bits, bytes or perplexity are held in nats, and shown in the unit of the user."""

import json

import numpy as np
import pandas as pd
import pytest

from bayescpt.data import Study, load_example, read_study, write_study
from bayescpt.data.conversion import LossUnits
from bayescpt.errors import StudyError

NATS = load_example("cpt_micro")
BYTES = {"general": 3.0, "german": 2.5, "code": 2.0}
LN2 = np.log(2.0)


def given_in(unit, losses, **fields):
    """The study with losses in another unit."""
    curves = NATS.curves.assign(loss=losses)
    return Study.from_frames(curves, NATS.runs, NATS.lrs, loss_unit=unit, **fields)


def per_token():
    return NATS.curves["loss"].to_numpy()


def per_byte():
    return per_token() / NATS.curves["domain"].map(BYTES).to_numpy()


@pytest.mark.parametrize(
    ("unit", "name", "losses", "fields"),
    [
        ("bit/token", "bit/token", lambda: per_token() / LN2, {}),
        ("bits", "bit/token", lambda: per_token() / LN2, {}),
        ("ppl", "perplexity", lambda: np.exp(per_token()), {}),
        ("bpb", "bit/byte", lambda: per_byte() / LN2, {"bytes_per_token": BYTES}),
        ("nat/byte", "nat/byte", per_byte, {"bytes_per_token": BYTES}),
    ],
)
def test_losses_are_held_in_nats_per_token(tmp_path, unit, name, losses, fields):
    made = given_in(unit, losses(), **fields)
    assert (made.loss_unit, made.curves_unit) == (name, "nat/token")
    np.testing.assert_allclose(made.curves["loss"], per_token(), rtol=1e-12)
    # The unit of the user is remembered, by all ways of storing, to the last digit.
    for again in (
        read_study(write_study(made, tmp_path / "study")),
        Study.from_json(made.to_json()),
        made.select(["de_r0_wsd"]),
    ):
        assert again.units == made.units
    assert Study.from_json(made.to_json()).digest == made.digest
    assert read_study(tmp_path / "study").digest == made.digest
    for domain in made.domains:
        shown = made.units.show(made.curve("de_r0_wsd", domain)["loss"], domain)
        rows = (NATS.curves["run"] == "de_r0_wsd") & (NATS.curves["domain"] == domain)
        np.testing.assert_allclose(shown, losses()[rows], rtol=1e-12)


def test_losses_per_byte_without_the_bytes_of_a_token_are_held_per_byte():
    made = given_in("bit/byte", per_byte() / LN2)
    assert made.curves_unit == "nat/byte"
    np.testing.assert_allclose(made.curves["loss"], per_byte(), rtol=1e-12)
    with pytest.raises(StudyError, match=r"'general' needs the bytes per token .*study\.toml"):
        made.units.convert(1.0, "nat/byte", "perplexity", "general")


def test_a_study_stored_before_units_were_converted_is_as_it_was():
    content = json.loads(given_in("nat/token", per_token()).to_json())
    del content["curves_unit"], content["bytes_per_token"]
    old = Study.from_json(json.dumps(content))
    assert (old.digest, old.curves_unit) == (NATS.digest, "nat/token")


def test_a_folder_may_say_the_bytes_of_a_token_in_a_table(tmp_path):
    folder = write_study(NATS, tmp_path / "study")
    toml = folder / "study.toml"
    about = toml.read_text().replace("nat/token", "bit/byte")
    for table in ("[study.bytes_per_token]", "[bytes_per_token]"):
        lines = "".join(f"{domain} = {number}\n" for domain, number in BYTES.items())
        toml.write_text(f"{about}\n{table}\n{lines}")
        made = read_study(folder)
        assert made.bytes_per_token == BYTES
        expected = per_token() * LN2 * NATS.curves["domain"].map(BYTES)
        np.testing.assert_allclose(made.curves["loss"], expected)


@pytest.mark.parametrize(
    ("unit", "fields", "text"),
    [
        ("ppl", {}, r"run 'pt_r0', step .*loss is 0\.5; a perplexity is above 1"),
        ("bpb", {"bytes_per_token": {"general": 3.0}}, r"domain 'german' needs the bytes per tok"),
        ("bpb", {"bytes_per_token": 0}, r"bytes_per_token of domain 'code' is 0"),
        ("bpb", {"bytes_per_token": {"french": 3.0}}, r"domain 'french', which has no loss"),
        ("bpbs", {}, r"loss_unit is 'bpbs'"),
    ],
)
def test_what_cannot_be_converted_is_named(unit, fields, text):
    losses = np.where(NATS.curves["run"] == "pt_r0", 0.5, per_token())
    with pytest.raises(StudyError, match=text):
        given_in(unit, losses, **fields)


def test_differences_have_a_scale_only_where_all_domains_share_it():
    units = LossUnits("nat/token", "bit/byte", {"a": 4.0, "b": 4.0, "c": 3.0})
    assert units.factor(["a", "b"]) == pytest.approx(1 / (4 * LN2))
    assert units.factor(["a", "c"]) is None
    assert LossUnits("nat/token", "perplexity").factor(["a"]) is None
    assert LossUnits("nat/token", "bit/token").factor(["a", "c"]) == pytest.approx(1 / LN2)
    assert LossUnits.of(pd.DataFrame().attrs) == LossUnits()
    assert LossUnits.of(units.attrs()) == units
