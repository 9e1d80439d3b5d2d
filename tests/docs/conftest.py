"""One small saved fit, and a folder with the files that pages speak of."""

import shutil

import pandas as pd
import pytest

import bayescpt as bc
from bayescpt.cli.demo import PLANS
from tests.docs.blocks import ROOT
from tests.test_cli import made_up_fit

SAMPLES = ROOT / "tests" / "data" / "readers" / "samples" / "hf_trainer"
SPACE = """
[space]
start = "pt_r0"
schedule = "wsd"
lr = 2e-3
num_training_steps = 1000
num_warmup_steps = 30
num_decay_steps = [100, 200]
replay_ratio = [0.1, 0.4]
"""
GOAL = '[goal]\ngeneral = "+10%"\ngerman = "3.01"\n'
# Up to here the run in flight has losses.
NOW = 600


def with_a_run_in_flight(study):
    """Some runs of the study, one of them as `big`, whose last losses are still to come."""
    part = study.select(["de_r25_wsd_s1", "de_r0_wsd", "de_r50_wsd", "de_r25_cos"])
    runs = part.runs.replace({"run": {"de_r25_cos": "big"}})
    curves = part.curves.replace({"run": {"de_r25_cos": "big"}})
    curves = curves[(curves["run"] != "big") | (curves["step"] <= NOW)]
    lrs = {"big" if name == "de_r25_cos" else name: lr for name, lr in part.lrs.items()}
    table = pd.concat(
        pd.DataFrame({"run": name, "step": range(1, len(lr) + 1), "lr": lr})
        for name, lr in lrs.items()
    )
    return bc.Study.from_frames(curves, runs, table, name="mine", general="general")


@pytest.fixture(scope="session")
def study():
    return with_a_run_in_flight(bc.load_example("cpt_micro"))


@pytest.fixture(scope="session")
def saved(study, tmp_path_factory):
    """File of a fit without a sampler, for all pages."""
    return made_up_fit(study).save(tmp_path_factory.mktemp("docs") / "fit.nc")


@pytest.fixture(scope="session")
def sampled(study, tmp_path_factory):
    """File of a fit by the sampler, for what is run slowly."""
    return bc.fit(study, seed=1, progress=False).save(tmp_path_factory.mktemp("slow") / "fit.nc")


@pytest.fixture
def workplace(tmp_path, monkeypatch, study):
    """Function that makes the folder of a page around a fit, and goes there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COLUMNS", raising=False)

    def make(fit_file, text):
        shutil.copy(fit_file, "fit.nc")
        shutil.copytree(SAMPLES, "runs")
        (tmp_path / "plans.toml").write_text(PLANS)
        (tmp_path / "space.toml").write_text(SPACE)
        (tmp_path / "goal.toml").write_text(GOAL)
        if "--out mine" not in text:
            bc.write_study(study, "mine")
        return tmp_path

    return make
