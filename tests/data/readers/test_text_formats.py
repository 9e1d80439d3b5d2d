"""Text logs: what the trainers print, line by line, with their traps."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayescpt.data.readers.record import ReadOptions
from bayescpt.data.readers.registry import HEAD_BYTES, find_reader
from bayescpt.data.readers.tidy import tidy
from bayescpt.errors import StudyError

HERE = Path(__file__).parent
SAMPLES = HERE / "samples"
MADE = runpy.run_path(str(HERE / "make_text_samples.py"))
loss, val, cosine, STEPS = (MADE[name] for name in ("loss", "val", "cosine", "STEPS"))


def read_one(path, kind):
    reader = find_reader(path)
    assert reader is not None
    assert reader.name == kind
    (run,) = reader.read(path, ReadOptions())
    return run


def curve(run, domain):
    rows = run.evals[run.evals["domain"] == domain]
    return dict(zip(rows["step"].astype(int), rows["loss"], strict=True))


def assert_curve(run, domain, name="", steps=(50, 100, 150, 200), digits=6):
    found = curve(run, domain)
    assert list(found) == list(steps)
    assert found == pytest.approx({s: val(s, name) for s in steps}, abs=0.6 * 10.0**-digits)


def test_the_samples_are_what_their_script_writes(tmp_path):
    MADE["main"].__globals__["SAMPLES"] = tmp_path
    MADE["main"]()
    for made in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert made.read_text() == (SAMPLES / made.relative_to(tmp_path)).read_text()


@pytest.mark.parametrize(
    "name",
    [
        *("megatron/named_sets.log", "nanogpt/train.log", "nanogpt/build_nanogpt_log.txt"),
        *("modded_nanogpt/run.txt", "llm_c/main.log", "llm_c/stdout.txt", "olmo_core/console.log"),
    ],
)
def test_line_ends_of_windows_and_a_last_line_that_is_cut_off(tmp_path, name):
    sample = SAMPLES / name
    reader = find_reader(sample)
    (run,) = reader.read(sample, ReadOptions())
    log = tmp_path / sample.name
    log.write_bytes(sample.read_bytes().replace(b"\n", b"\r\n") + b"iteration  \xff st")
    again = read_one(log, reader.name)
    for table in ("evals", "lr", "train"):
        pd.testing.assert_frame_equal(getattr(again, table), getattr(run, table))
    assert again.config == run.config


# Megatron


def test_megatron_gives_losses_rates_and_the_recipe_of_its_arguments():
    run = read_one(SAMPLES / "megatron/one_set.log", "megatron")
    assert_curve(run, "val")
    # The rate in a row is the next update's, as logged.
    assert run.lr["step"].tolist() == list(range(10, 201, 10))
    assert run.lr["lr"].tolist() == pytest.approx([cosine(k) for k in range(10, 201, 10)], 1e-6)
    assert run.train["loss"].tolist() == pytest.approx([loss(k) for k in range(10, 201, 10)], 1e-6)
    assert run.config == {
        "scheduler": "cosine",
        "peak_lr": 2e-4,
        "min_lr": 2e-5,
        "warmup_steps": 20,
        "steps": 200,
        "tokens_per_step": 64 * 4096,
        "n_params": 2 * 177431552,  # of two tensor-parallel ranks
        "seed": 1234,
    }


def test_megatron_leaves_out_the_test_set_and_the_evaluation_after_training():
    run = read_one(SAMPLES / "megatron/one_set.log", "megatron")
    assert set(run.evals["domain"]) == {"val"}
    said = " ".join(run.notes)
    assert "on the test set left out: 1" in said
    assert "a second evaluation of step 200" in said


@pytest.mark.parametrize("sample", ["named_sets", "numbered_sets"])
def test_megatron_validation_sets_have_names(sample):
    run = read_one(SAMPLES / f"megatron/{sample}.log", "megatron")
    assert_curve(run, "greek", "greek")
    assert_curve(run, "web", "web")


def test_megatron_numbered_sets_without_their_files_keep_their_numbers(tmp_path):
    log = tmp_path / "pilot.log"
    text = (SAMPLES / "megatron/numbered_sets.log").read_text()
    log.write_text(text.replace("valid_data_path", "another_path"))
    run = read_one(log, "megatron")
    # Not a bare number, which a table would read back as one.
    assert set(run.evals["domain"]) == {"val_0", "val_1"}


def test_megatron_resumed_in_one_file_the_later_rows_count():
    run = tidy(read_one(SAMPLES / "megatron/resumed.log", "megatron"))
    assert run.train["step"].tolist() == list(range(10, 201, 10))
    assert_curve(run, "val")


def test_megatron_rank_prefixes_and_colours_do_not_matter(tmp_path):
    plain = (SAMPLES / "megatron/one_set.log").read_text().splitlines()
    for prefix in ("[rank7]:", "15: ", "worker-3 | ", "\x1b[36m(Actor pid=7)\x1b[0m ", ">"):
        log = tmp_path / "pilot.log"
        log.write_text("".join(f"{prefix}{line}\n" for line in plain))
        run = read_one(log, "megatron")
        assert_curve(run, "val")
        assert run.config["peak_lr"] == 2e-4


def test_megatron_damaged_lines_are_counted(tmp_path):
    lines = (SAMPLES / "megatron/one_set.log").read_text().splitlines()
    at = next(k for k, line in enumerate(lines) if "learning rate" in line)
    lines[at] = lines[at].replace("iteration       10/", "iteration iterati 10/")
    end = lines[-1].index("value:") if "value:" in lines[-1] else 0
    log = tmp_path / "pilot.log"
    log.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:end])
    run = read_one(log, "megatron")
    assert run.lr["step"].iloc[0] == 20
    assert "damaged lines left out: 1" in run.notes


def test_megatron_counts_skipped_updates(tmp_path):
    text = (SAMPLES / "megatron/one_set.log").read_text()
    log = tmp_path / "pilot.log"
    log.write_text(text.replace("skipped iterations:   0", "skipped iterations:   2", 3))
    (note,) = (n for n in read_one(log, "megatron").notes if "skipped" in n)
    assert note.startswith("6 skipped updates")


def test_megatron_lengths_in_samples_and_a_growing_batch():
    from bayescpt.data.readers.megatron_arguments import config_of

    arguments = {
        "global_batch_size": "100",
        "seq_length": "2048",
        "train_samples": "50000",
        "lr_decay_samples": "40000",
        "lr_warmup_samples": "1000",
        "lr_decay_style": "WSD",
        "lr_wsd_decay_samples": "5000",
        "lr_wsd_decay_style": "minus_sqrt",
        "train_iters": "None",
        "rampup_batch_size": "['16', '16', '1000']",
    }
    config, (note,) = config_of(arguments)
    assert config == {
        "scheduler": "wsd",
        "steps": 500,
        "decay_end": 400,
        "warmup_steps": 10,
        "decay_steps": 50,
        "decay_type": "1-sqrt",
    }
    assert "batch size grows" in note


def test_megatron_warmup_as_a_fraction_is_one_of_the_decay():
    from bayescpt.data.readers.megatron_arguments import config_of

    arguments = {"train_iters": "1000", "lr_decay_iters": "800", "lr_warmup_fraction": "0.05"}
    assert config_of(arguments)[0] == {"steps": 1000, "decay_end": 800, "warmup_steps": 40}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            " validation loss at iteration 1000 | lm loss value: 3.5E+00 | lm loss PPL: 3.3E+01 |",
            (1000, "val", 3.5),
        ),
        (
            " validation loss at iteration 30 | LM loss: 3.250000E+00 | LM PPL: 2.579034E+01",
            (30, "val", 3.25),
        ),
        (
            " validation-law loss at iteration 7 | sop loss value: 0.1 | lm loss value: 2.5E+00",
            (7, "law", 2.5),
        ),
        (
            " validation loss at iteration 7 for greek set | lm loss value: 2.5E+00 | ",
            (7, "greek", 2.5),
        ),
        (
            " validation results at iteration 7 | lm_loss value: 2.5E+00 | lm_loss_ppl value: 12 |",
            (7, "val", 2.5),
        ),
        (
            " validation loss at the end of training for val data | lm loss value: 2.5E+00 | ",
            (60, "val", 2.5),
        ),
    ],
)
def test_megatron_validation_lines_of_other_versions(tmp_path, line, expected):
    log = tmp_path / "pilot.log"
    log.write_text(
        " iteration       60/     100 | consumed samples: 60 | learning rate: 1.000E-04 |"
        f" lm loss: 3.100000E+00 | loss scale: 1.0 |\n{line}\n"
    )
    (row,) = read_one(log, "megatron").evals.itertuples(index=False, name=None)
    assert row == expected


def test_gpt_neox_lines_of_training(tmp_path):
    log = tmp_path / "pilot.log"
    log.write_text(
        " samples/sec: 21.3 | iteration       10/    1000 | elapsed time per iteration (ms): 8.1 |"
        " learning rate: 1.500E-04 | approx flops per GPU: 5.1TFLOPS | lm_loss: 4.250000E+00 |\n"
    )
    run = read_one(log, "megatron")
    assert run.lr.to_numpy().tolist() == [[10, 1.5e-4]]
    assert run.train.to_numpy().tolist() == [[10, 4.25]]


# nanoGPT and modded-nanogpt


def test_nanogpt_gives_losses_and_the_recipe():
    run = read_one(SAMPLES / "nanogpt/train.log", "nanogpt")
    assert_curve(run, "val", steps=(0, 50, 100, 150, 200), digits=4)
    # `iter 10` is printed with the loss before that update's step: of update 11.
    assert run.train["step"].tolist() == [k + 1 for k in range(0, 201, 10)]
    assert run.config == {
        "scheduler": "cosine",
        "peak_lr": 2e-4,
        "min_lr": 2e-5,
        "warmup_steps": 20,
        "steps": 200,
        "decay_end": 200,
        "tokens_per_step": 491520,
        "n_params": 123590000,
    }


def test_nanogpt_constant_rate_and_named_sets(tmp_path):
    log = tmp_path / "pilot.log"
    log.write_text(
        "Overriding: learning_rate = 0.001\nOverriding: decay_lr = False\n"
        "step 0: train loss 4.0, val loss 4.1, greek loss 5.0\n"
        "step 10: train loss 3.0, val loss 3.1, greek loss nan\n"
    )
    run = read_one(log, "nanogpt")
    assert run.config["scheduler"] == "constant"
    assert curve(run, "val") == {0: 4.1, 10: 3.1}
    assert np.isnan(curve(run, "greek")[10])


def test_build_nanogpt_log_and_standard_output(tmp_path):
    run = read_one(SAMPLES / "nanogpt/build_nanogpt_log.txt", "nanogpt")
    assert_curve(run, "val", steps=(0, 50, 100, 150, 199), digits=4)
    assert run.train["step"].tolist() == list(range(1, STEPS + 1))

    log = tmp_path / "stdout.txt"
    log.write_text(
        "validation loss: 10.9\n"
        "step     0 | loss: 10.955029 | lr 8.3916e-07 | norm: 15.3 | dt: 1.0ms | tok/sec: 1.0\n"
        "step     1 | loss: 10.900000 | lr 1.6783e-06 | norm: 15.3 | dt: 1.0ms | tok/sec: 1.0\n"
        "validation loss: 10.1\n"
    )
    run = read_one(log, "nanogpt")
    assert curve(run, "val") == {0: 10.9, 2: 10.1}
    assert run.lr.to_dict("list") == {"step": [1, 2], "lr": [8.3916e-07, 1.6783e-06]}


def test_modded_nanogpt_is_found_after_the_code_of_its_script(tmp_path):
    sample = SAMPLES / "modded_nanogpt/run.txt"
    run = read_one(sample, "modded_nanogpt")
    assert_curve(run, "val", steps=range(0, 201, 25), digits=4)
    assert run.config == {"steps": STEPS}
    assert not len(run.lr)

    log = tmp_path / "long.txt"
    log.write_text("x = 1  # code\n" * (HEAD_BYTES // 7) + sample.read_text())
    assert len(read_one(log, "modded_nanogpt").evals) == 9


@pytest.mark.parametrize(
    "line",
    [
        "step:7/20  val_loss:3.2774  step_avg:1ms",
        "step:7 val_loss:3.2774",
        "ts step:7/20 val_loss:3.2774 lr_mul:1",
    ],
)
def test_modded_nanogpt_lines_of_descendants(tmp_path, line):
    log = tmp_path / "pilot.log"
    log.write_text(f"{line}\n")
    assert curve(read_one(log, "modded_nanogpt"), "val") == {7: 3.2774}


@pytest.mark.parametrize("prefix", ["", "[2024-07-16 14:35:22] ", "rank0: "])
def test_nanogpt_lines_of_descendants(tmp_path, prefix):
    log = tmp_path / "pilot.log"
    log.write_text(f"{prefix}Step    7: train loss 2.9156, val loss 2.9289, time 5.9s\n")
    assert curve(read_one(log, "nanogpt"), "val") == {7: 2.9289}


def test_the_code_of_a_script_alone_is_no_log(tmp_path):
    script = tmp_path / "train.txt"
    script.write_text(
        'print0(f"step:{step}/{train_steps} val_loss:{val_loss:.4f} train_time:{t:.0f}ms")\n'
        "print(f\"step {iter_num}: train loss {losses['train']:.4f}, val loss {x:.4f}\")\n"
        "log_string = ' iteration {:8d}/{:8d} |'.format(iteration, args.train_iters)\n"
    )
    assert find_reader(script) is None


# llm.c


def test_llm_c_counts_training_from_0_and_validation_by_updates_done():
    run = read_one(SAMPLES / "llm_c/main.log", "llm_c")
    assert_curve(run, "val", steps=(0, 50, 100, 150, 200), digits=4)
    assert run.train["step"].tolist() == list(range(1, STEPS + 1))
    assert run.lr_decimals == 6  # so that a column of zeros is not taken for a schedule


def test_llm_c_standard_output_has_the_recipe():
    run = read_one(SAMPLES / "llm_c/stdout.txt", "llm_c")
    assert_curve(run, "val", steps=(0, 50, 100, 150, 200))
    assert run.train["step"].tolist() == list(range(1, STEPS + 1))
    assert run.lr_decimals is None
    assert run.config == {
        "scheduler": "cosine",
        "peak_lr": 2e-4,
        "warmup_steps": 20,
        "min_lr_ratio": 0.1,
        "steps": 200,
        "tokens_per_step": 524288,
        "n_params": 124475904,
    }


# OLMo-core


def test_olmo_core_console():
    run = read_one(SAMPLES / "olmo_core/console.log", "olmo_console")
    assert_curve(run, "c4_en", digits=3)
    assert_curve(run, "greek", "greek", digits=3)
    assert set(run.evals["domain"]) == {"c4_en", "greek"}  # tasks downstream are no sets
    assert run.lr["step"].tolist() == [1, *range(10, 201, 10)]
    assert run.lr["lr"].iloc[-1] == pytest.approx(cosine(200), 1e-4)
    assert run.config == {"steps": 200}


def test_olmo_core_metrics_hold_the_latest_values_only():
    folder = SAMPLES / "olmo_core/metrics"
    runs = {
        step: read_one(folder / f"metrics_step{step}.json", "olmo_metrics")
        for step in range(25, 201, 25)
    }
    assert {run.name for run in runs.values()} == {"metrics"}
    evals = {step: curve(run, "greek") for step, run in runs.items()}
    # Saved twice as often as evaluated: every second file repeats the value before.
    assert evals == {s: {} if s % 50 else {s: pytest.approx(val(s, "greek"))} for s in evals}
    assert "greek not evaluated since the file before" in runs[75].notes[0]
    assert runs[75].lr["lr"].tolist() == [pytest.approx(cosine(75))]


def test_olmo_core_metrics_without_a_step(tmp_path):
    final = SAMPLES / "olmo_core/metrics/metrics.json"
    assert find_reader(final).read(final, ReadOptions()) == []  # it repeats the last of the others
    alone = tmp_path / "metrics.json"
    alone.write_text(final.read_text())
    with pytest.raises(StudyError, match="the latest values only, and not their step"):
        find_reader(alone).read(alone, ReadOptions())
