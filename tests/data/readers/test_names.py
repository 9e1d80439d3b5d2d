"""What keys and columns mean, whichever logger wrote them."""

from pathlib import Path

import pytest

from bayescpt.data.readers.names import Meaning, meaning, name_of_path, set_name, step_counter
from bayescpt.errors import StudyError


@pytest.mark.parametrize(
    ("key", "domain"),
    [
        ("eval_medical_loss", "medical"),
        ("eval/medical_loss", "medical"),
        ("eval/medical/loss", "medical"),
        ("medical/val_loss", "medical"),
        ("medical_loss", "medical"),
        ("val_loss_de", "de"),
        ("lm loss validation-greek", "greek"),
        ("eval/lm/c4_en-validation/CE loss", "c4_en"),
        ("val/math-word/loss", "math-word"),
        ("eval_HellaSwag_loss", "HellaSwag"),
        ("eval_target_loss", "target"),
        ("eval_loss", "val"),
        ("val/loss", "val"),
        ("valLoss", "val"),
        ("lm loss validation", "val"),
        ("test_loss", "test"),
    ],
)
def test_a_set_is_called_what_its_key_says_between_the_usual_words(key, domain):
    assert meaning(key) == Meaning("eval", domain)


@pytest.mark.parametrize(
    ("key", "role"),
    [
        *[
            (key, "train")
            for key in ("loss", "lm loss", "train/loss", "train_loss_step", "step_loss")
        ],
        *[(key, "train") for key in ("train/CE loss", "training_loss", "loss/train")],
        *[(key, "lr") for key in ("lr", "learning_rate", "train/learning_rate", "learning-rate")],
        *[(key, "lr") for key in ("lr-AdamW", "lr-AdamW/pg1", "optim/LR (group 0)")],
        *[(key, "ignore") for key in ("eval_runtime", "grad_norm", "aux_loss", "loss_scale")],
        *[(key, "ignore") for key in ("best_val_loss", "train_loss_epoch", "train_perplexity")],
        *[
            (key, "ignore")
            for key in ("predict_loss", "lm loss validation vs samples", "lr-AdamW/pg2")
        ],
        *[(key, "step") for key in ("global_step", "iteration", "Step", "_step")],
        *[(key, "run") for key in ("run", "run_tag", "run_name")],
        *[(key, "domain") for key in ("name", "set", "dataset", "domain")],
    ],
)
def test_other_keys_have_one_role(key, role):
    assert meaning(key).role == role


def test_perplexities_are_told_from_losses():
    assert meaning("eval_medical_perplexity") == Meaning("ppl", "medical")
    assert meaning("lm loss validation-greek ppl") == Meaning("ppl", "greek")


def test_what_the_user_says_of_a_key_comes_first():
    assert meaning("heldout_de", {"heldout_de": "eval:german"}) == Meaning("eval", "german")
    assert meaning("eval_loss", {"eval_loss": "ignore"}) == Meaning("ignore")


def test_an_unknown_word_of_the_map_is_an_error():
    with pytest.raises(StudyError, match="'stepp'; did you mean 'step'"):
        meaning("k", {"k": "stepp"})
    with pytest.raises(StudyError, match="eval:NAME"):
        meaning("k", {"k": "eval"})


def test_counters_of_updates_come_before_log_calls_and_tokens():
    assert step_counter(["_step", "global_step", "loss"]) == ("global_step", "updates")
    assert step_counter(["_step", "update_step", "global_step"]) == ("update_step", "updates")
    assert step_counter(["tokens", "iter"]) == ("iter", "updates")
    assert step_counter(["tokens"]) == ("tokens", "tokens")
    assert step_counter(["batch_idx"]) == ("batch_idx", "micro")
    assert step_counter(["iter", "k"], {"k": "step"}) == ("k", "updates")
    assert step_counter(["loss"]) is None


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("a/r25/trainer_state.json", ("r25", "")),
        ("a/r25/checkpoint-500/trainer_state.json", ("r25", "checkpoint-500")),
        ("a/r25/lightning_logs/version_3/metrics.csv", ("r25", "version_3")),
        ("a/r25.jsonl", ("r25", "")),
        ("a/r25/main.log", ("r25", "")),
    ],
)
def test_a_run_is_called_by_its_file_or_its_folder(path, named):
    assert name_of_path(Path(path)) == named


def test_a_set_keeps_its_own_spelling():
    assert set_name("eval/Wiki.DE-2/loss") == "Wiki.DE-2"
