"""Studies of final losses: what is recognised, filled in and refused."""

import pandas as pd
import pytest

from bayescpt.data import Study, load_example, read_study, write_study
from bayescpt.data.final_losses import is_final
from bayescpt.errors import StudyError


def tables(**columns):
    runs = pd.DataFrame(
        {"run": ["a", "b"], "replay_ratio": [0.1, 0.5], "tokens": [1e9, 1e9], **columns}
    )
    curves = pd.DataFrame(
        {"run": ["a", "a", "b", "b"], "domain": ["general", "de"] * 2, "loss": [3.0, 2.0, 2.8, 2.2]}
    )
    return curves, runs


def test_a_table_of_final_losses_is_a_study(tmp_path):
    study = Study.from_frames(*tables(n_params=[1e8, 1e9], lr_factor=[0.5, 0.8]))
    assert is_final(study)
    assert study.cpt_runs == ("a", "b")
    assert study.targets == ("de",)
    run = study.run("b")
    assert (run.lr_factor, run.n_params, run.parent) == (0.8, 1e9, "base")
    read = read_study(write_study(study, tmp_path / "s"))
    assert is_final(read)
    assert read.digest == study.digest == Study.from_json(study.to_json()).digest


def test_the_digest_depends_on_what_the_law_responds_to():
    one, other = (Study.from_frames(*tables(lr_factor=[0.5, f])) for f in (0.8, 0.9))
    assert one.digest != other.digest


def test_studies_with_schedules_or_curves_are_not_final():
    assert not is_final(load_example("mpl_25m"))
    curves, runs = tables()
    more = pd.concat([curves.assign(step=10), curves.assign(step=20)])
    with pytest.raises(StudyError, match="cpt run 'a' has no learning rates"):
        Study.from_frames(
            more.sort_values(["run", "domain", "step"]), runs.assign(phase="cpt", domain="de")
        )


def test_runs_from_scratch_with_shares():
    runs = pd.DataFrame({"run": ["a", "b"], "share_web": [0.2, 0.7], "share_code": [0.8, 0.3]})
    curves = pd.DataFrame({"run": ["a", "b"], "domain": "web", "loss": [3.0, 2.8]})
    study = Study.from_frames(curves, runs)
    assert is_final(study)
    assert study.run("a").shares == {"web": 0.2, "code": 0.8}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"tokens": [1e9, -1.0]}, "run 'b': tokens is -1; expected above 0"),
        ({"lr_factor": [0.0, 1.0]}, "run 'a': lr_factor is 0; expected above 0"),
        ({"share_x": [0.5, 1.0], "share_y": [0.6, 0.0]}, "run 'a': share_x, share_y sum to 1.1"),
        (
            {"share_x": [1.5, 1.0], "share_y": [-0.5, 0.0]},
            "run 'a': share_x is 1.5; expected 0 to 1",
        ),
    ],
)
def test_wrong_values(columns, message):
    with pytest.raises(StudyError, match=message):
        Study.from_frames(*tables(**columns))


def test_the_published_table():
    study = load_example("ibrahim_405m_german")
    assert is_final(study)
    assert study.findings() == ()
    assert study.start_loss("r10", "pile") == 2.17
    assert study.curve("r25", "german")["loss"].tolist() == [1.16]
