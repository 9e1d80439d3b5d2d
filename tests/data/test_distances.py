import numpy as np
import pytest

from bayescpt.data import Study, mixture_distance, read_study, write_study
from bayescpt.errors import StudyError
from bayescpt.model.card_file import load_card
from bayescpt.model.rows import make_rows
from tests.targets import several_targets

DISTANCES = {"near": 0.1, "mid": 0.4, "far": 0.3}


def with_distances(study: Study, distances) -> Study:
    return Study.from_frames(
        study.curves, study.runs, study.lrs, general="general", distances=distances
    )


def test_distances_are_kept_count_in_the_digest_and_replace_the_losses_of_the_base(tmp_path):
    plain = several_targets(("near", "mid", "far"))
    study = with_distances(plain, DISTANCES)
    assert study.digest != plain.digest
    assert Study.from_json(study.to_json()).distances == DISTANCES
    assert read_study(write_study(study, tmp_path / "s")).distances == DISTANCES
    rows = make_rows(study, load_card("cpt_targets"))
    values = np.array([DISTANCES[target] for _, target in rows.labels.pair])
    mean, size = np.mean([0.1, 0.4, 0.3]), np.sqrt(np.mean(np.square([0.1, 0.4, 0.3])))
    np.testing.assert_allclose(rows.covariate, (values - mean) / size)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"near": 0.1, "mid": 0.4}, "distances has no 'far'"),
        ({**DISTANCES, "law": 1.0}, "'law', on which no run trains; targets are near, mid, far"),
        ({**DISTANCES, "near": -1.0}, r"distances\.near is -1\.0; expected a number of at least 0"),
        ({**DISTANCES, "near": "far"}, "distances.near is 'far'"),
        ([1.0, 2.0], "expected a table of targets"),
    ],
)
def test_bad_distances_are_one_line(given, message):
    with pytest.raises(StudyError, match=message):
        with_distances(several_targets(("near", "mid", "far")), given)


def test_the_distance_of_a_mixture_is_the_sum_of_huber_losses():
    rng = np.random.default_rng(1)
    sets, aim = rng.dirichlet(np.ones(6), 3), rng.dirichlet(np.ones(6))
    shares = np.array([0.2, 0.3, 0.5])
    total = 0.0
    for k in range(6):
        d = abs(sum(shares[j] * sets[j, k] for j in range(3)) - aim[k])
        total += 0.5 * d * d if d <= 0.05 else 0.05 * (d - 0.025)
    assert mixture_distance(sets, shares, aim, 0.05) == pytest.approx(total)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0.5, 0.5]], [0.5], [0.5, 0.5]), "shares sum to 0.5"),
        (([[0.5, 0.5]], [1.0], [0.5]), r"validation \(1,\)"),
        (([[0.5, 1.5]], [1.0], [0.5, 0.5]), "vectors has 1.5"),
        (([["a"]], [1.0], [0.5]), "vectors is"),
        (([[1.0]], [1.0], [0.5], 0.0), "delta is 0.0"),
    ],
)
def test_bad_vectors_are_one_line(arguments, message):
    with pytest.raises(StudyError, match=message):
        mixture_distance(*arguments)
