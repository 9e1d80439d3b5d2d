"""Write small logs with the real writers; none of them is a dependency of the tests.

    python -m venv writers
    writers/bin/pip install tensorboard wandb mlflow-skinny sqlalchemy alembic torch lightning \
        transformers accelerate pandas pyarrow
    writers/bin/python tests/data/readers/make_writer_samples.py

Two kinds have no writer that could be run here and are laid out as it does: exports of W&B's panels
and API, whose server makes them, and LitGPT's metrics, which are logged as its pretrain.py does.
"""

import csv
import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from make_text_samples import SAMPLES, STEPS, cosine, loss, val

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", GIT_PYTHON_REFRESH="quiet")


def empty(name):
    folder = SAMPLES / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def rename_events(folder):
    """Give event files names without the time and the host, in the same order."""
    for number, file in enumerate(sorted(folder.glob("events.out.tfevents.*"))):
        file.rename(folder / f"events.out.tfevents.{1_700_000_000 + number}.host.0")


def tensorboard_by_transformers():
    """Two starts of one run: the second from step 100, after the first had gone to 120."""
    from torch.utils.tensorboard import SummaryWriter
    from transformers import TrainerControl, TrainerState, TrainingArguments
    from transformers.integrations import TensorBoardCallback

    folder = empty("tensorboard/transformers")
    arguments = TrainingArguments(
        output_dir="out",
        learning_rate=2e-4,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr": 2e-5},
        warmup_steps=20,
        max_steps=STEPS,
        report_to=[],
        use_cpu=True,
    )
    control = TrainerControl()
    for start, end in ((0, 120), (100, STEPS)):
        writer = SummaryWriter(str(folder), filename_suffix=f".{start}")
        callback = TensorBoardCallback(tb_writer=writer)
        state = TrainerState(max_steps=STEPS, is_world_process_zero=True)
        callback.on_train_begin(arguments, state, control)
        for step in range(start, end + 1, 10):
            state.global_step = step
            if step > start:
                logs = {"loss": loss(step), "learning_rate": cosine(step - 1), "grad_norm": 0.3}
                callback.on_log(arguments, state, control, logs=logs | {"epoch": step / 100})
            if step % 50 == 0 and (step > start or not start):
                for name in ("greek", "web"):
                    logs = {f"eval_{name}_loss": val(step, name), f"eval_{name}_runtime": 1.5}
                    callback.on_log(arguments, state, control, logs=logs)
        callback.on_train_end(arguments, state, control)
    rename_events(folder)


def tensorboard_by_megatron():
    """The calls of Megatron's training_log, which writes each value against samples too."""
    from torch.utils.tensorboard import SummaryWriter

    folder = empty("tensorboard/megatron")
    with SummaryWriter(str(folder)) as writer:
        for key, value in {
            "lr": 2e-4,
            "min_lr": 2e-5,
            "lr_decay_style": "cosine",
            "lr_warmup_iters": 20,
            "train_iters": STEPS,
            "global_batch_size": 64,
            "seq_length": 4096,
        }.items():
            writer.add_text(key, str(value), global_step=0)
        for step in range(10, STEPS + 1, 10):
            samples = step * 64
            writer.add_scalar("learning-rate", cosine(step), step)
            writer.add_scalar("learning-rate vs samples", cosine(step), samples)
            writer.add_scalar("lm loss", loss(step), step)
            writer.add_scalar("lm loss vs samples", loss(step), samples)
            if step % 50 == 0:
                for name in ("greek", "web"):
                    tag, value = f"lm loss validation-{name}", val(step, name)
                    writer.add_scalar(tag, value, step)
                    writer.add_scalar(f"{tag} vs samples", value, samples)
                    writer.add_scalar(f"{tag} ppl", 2.718281828**value, step)
    rename_events(folder)


def tensorboard_by_tensors():
    """Scalars as tensors, as TensorFlow 2 writes them."""
    from tensorboard.summary import Writer

    folder = empty("tensorboard/tensors")
    writer = Writer(str(folder))
    for step in range(0, STEPS + 1, 50):
        writer.add_scalar("eval/loss", val(step), step)
        writer.add_scalar("train/learning_rate", cosine(step), step)
    writer.close()
    rename_events(folder)


def lightning():
    """Two trainings, the second from the checkpoint of the first, with Lightning's own loop."""
    import torch
    from lightning.pytorch import LightningModule, Trainer, seed_everything
    from lightning.pytorch.callbacks import LearningRateMonitor
    from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

    class Model(LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch, _):
            value = self.layer(batch[0]).square().mean() * 0 + loss(self.global_step)
            self.log("train_loss", value, on_step=True, on_epoch=True)
            return value

        def validation_step(self, batch, _):
            value = val(self.global_step)
            self.log("val_loss", value)
            # A mean of perplexities, not the exponential of the mean loss.
            self.log("val_perplexity", 2.718281828**value * 1.02)

        def configure_optimizers(self):
            optimiser = torch.optim.AdamW(self.parameters(), lr=1.0)
            rate = torch.optim.lr_scheduler.LambdaLR(optimiser, cosine)
            return {
                "optimizer": optimiser,
                "lr_scheduler": {"scheduler": rate, "interval": "step"},
            }

    seed_everything(1)
    folder = empty("lightning")
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(50, 4)), 1)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = None
        for steps in (100, STEPS):
            loggers = [CSVLogger(folder, name="pilot"), TensorBoardLogger(scratch, name="pilot")]
            trainer = Trainer(
                max_steps=steps,
                accelerator="cpu",
                logger=loggers,
                callbacks=[LearningRateMonitor("step")],
                log_every_n_steps=10,
                limit_val_batches=1,
                num_sanity_val_steps=0,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            trainer.fit(Model(), data, data, ckpt_path=checkpoint, weights_only=False)
            checkpoint = f"{scratch}/{steps}.ckpt"
            trainer.save_checkpoint(checkpoint)
        target = empty("tensorboard/lightning")
        for file in sorted(Path(scratch, "pilot", "version_0").glob("events*")):
            shutil.copy(file, target / file.name)
    rename_events(target)
    for extra in folder.rglob("hparams.yaml"):
        extra.unlink()


def litgpt():
    """What pretrain.py logs: the step is a micro-iteration, four of which make an update."""
    from lightning.fabric.loggers import CSVLogger

    folder = empty("litgpt/pilot")
    logger = CSVLogger(folder / "logs", name="csv", flush_logs_every_n_steps=20)
    for iteration in range(1, 4 * STEPS + 1):
        if iteration % 40 == 0:
            metrics = {
                "loss": loss(iteration / 4),
                "iter": iteration,
                "step": iteration // 4,
                "epoch": 1,
                "iter_time": 0.21,
                "remaining_time": 0.21 * (4 * STEPS - iteration),
                "tokens": iteration * 8 * 2048,
                "total_tokens": iteration * 8 * 2048 * 2,
                "learning_rate": cosine((iteration - 1) / 4),
            }
            logger.log_metrics(metrics, step=iteration - 1)
        if iteration % 200 == 0:
            value = val(iteration / 4)
            metrics = {"val_loss": value, "val_ppl": 2.718281828**value}
            logger.log_metrics(metrics, step=iteration - 1)
    logger.save()
    (folder / "final").mkdir()
    (folder / "final" / "hyperparameters.yaml").write_text(
        "devices: 2\nnum_nodes: 1\ntrain:\n  global_batch_size: 64\n  log_interval: 40\n"
        "  micro_batch_size: 8\n  lr_warmup_steps: 20\n  min_lr: 2.0e-05\n"
    )


def wandb_runs():
    """Offline runs: the step of a call is W&B's own, and evaluations lack the trainer's."""
    import wandb

    folder = empty("wandb_run")
    quiet = wandb.Settings(
        x_disable_meta=True, x_disable_stats=True, x_disable_machine_info=True, console="off"
    )
    settings = {
        "learning_rate": 2e-4,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 20,
        "max_steps": STEPS,
        "model": {"hidden_size": 96},
    }
    with tempfile.TemporaryDirectory() as scratch:
        run = wandb.init(
            settings=quiet,
            project="cpt",
            name="greek-r25",
            dir=scratch,
            id="abcd1234",
            config=settings,
        )
        for step in range(0, STEPS + 1, 5):
            if step:
                run.log(
                    {
                        "train/loss": loss(step),
                        "train/learning_rate": cosine(step - 1),
                        "train/global_step": step,
                    }
                )
            if step % 50 == 0:
                run.log({"eval/greek_loss": val(step, "greek"), "eval/web_loss": val(step, "web")})
        run.finish()
        run = wandb.init(
            settings=quiet, project="cpt", name="micro", dir=scratch, id="micro123", config=settings
        )
        for micro in range(8, 8 * STEPS + 1, 8):  # the trainer gives the micro-iteration as step
            update = micro // 8
            if update % 10 == 0:
                values = {"loss": loss(update), "lr": cosine(update - 1), "update_step": update}
                run.log(values, step=micro)
            if update % 50 == 0:
                run.log({"val_loss": val(update)}, step=micro + 1)
        run.finish()
        for file in sorted(Path(scratch, "wandb").glob("offline-run-*/*.wandb")):
            target = folder / f"run-{file.stem.removeprefix('run-')}"
            target.mkdir()
            shutil.copy(file, target / file.name)
        # Where links are copied as folders, the latest run is there twice.
        shutil.copytree(folder / "run-micro123", folder / "copy-of-latest-run")


def history_rows():
    call = 0
    for step in range(0, STEPS + 1, 10):
        if step:
            yield {
                "_step": call,
                "_runtime": 1.5 * step,
                "_timestamp": 1.7e9 + step,
                "train/loss": loss(step),
                "train/learning_rate": cosine(step - 1),
                "train/global_step": step,
            }
            call += 1
        if step % 50 == 0:
            yield {
                "_step": call,
                "_runtime": 1.5 * step + 1,
                "_timestamp": 1.7e9 + step + 1,
                "eval/greek_loss": val(step, "greek"),
                "eval/web_loss": val(step, "web"),
            }
            call += 1


def wandb_histories():
    """What Run.history().to_csv(), a list of scan_history() and a history artifact hold."""
    import pandas as pd

    folder, rows = empty("wandb_history"), list(history_rows())
    frame = pd.DataFrame(rows)
    frame.to_csv(folder / "from_csv.csv")
    frame.to_parquet(folder / "from_parquet.parquet", index=False)
    (folder / "from_json.json").write_text(json.dumps(rows))
    (folder / "from_jsonl.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def wandb_exports():
    """Exports of panels, with all cells quoted: by run, and grouped with tokens as steps."""
    folder = empty("wandb_export")
    runs, keys = ("greek - r25", "greek - r50"), ("eval/greek_loss", "train/learning_rate")
    header, columns = ["train/global_step"], []
    for run in runs:
        for key in keys:
            columns.append((run, key))
            header += [f"{run} - {key}", f"{run} - {key}__MIN", f"{run} - {key}__MAX"]
    with (folder / "two_runs.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerow(header)
        for step in range(10, STEPS + 1, 10):
            cells = [step]
            for run, key in columns:
                shift = 0.1 * (run == runs[1])
                value = cosine(step - 1) if key == keys[1] else val(step, "greek") + shift
                blank = key == keys[0] and step % 50
                cells += [""] * 3 if blank else [value] * 3
            writer.writerow(cells)
    with (folder / "groups_by_tokens.csv").open("w", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        key = "Group: medium - test-tokens/avg_loss"
        writer.writerow(["Step", key, f"{key}__MIN", f"{key}__MAX"])
        for step in range(10, STEPS + 1, 10):
            value = val(step)
            writer.writerow([step * 20480, value, value - 0.01, value + 0.02])


def mlflow():
    """Three runs, one of them deleted, in MLflow's default store."""
    from mlflow import MlflowClient

    folder = empty("mlflow")
    with tempfile.TemporaryDirectory() as scratch:
        client = MlflowClient(f"sqlite:///{scratch}/mlflow.db")
        experiment = client.create_experiment("cpt")
        for name in ("greek-r25", "greek-r50", "broken"):
            run = client.create_run(experiment, run_name=name).info.run_id
            for key, value in {"learning_rate": 2e-4, "max_steps": STEPS}.items():
                client.log_param(run, key, value)
            for step in range(0, STEPS + 1, 10):
                stamp = 1_700_000_000_000 + step
                if step:
                    client.log_metric(run, "loss", loss(step), stamp, step)
                    client.log_metric(run, "learning_rate", cosine(step - 1), stamp, step)
                if step % 50 == 0:
                    value = float("nan") if name == "greek-r50" and step == 150 else val(step)
                    client.log_metric(run, "eval_loss", value, stamp, step)
            client.set_terminated(run)
            if name == "broken":
                client.delete_run(run)
        client._tracking_client.store.engine.dispose()
        shutil.copy(f"{scratch}/mlflow.db", folder / "mlflow.db")
    # Some sixty empty tables make a megabyte of it.
    with closing(sqlite3.connect(folder / "mlflow.db", isolation_level=None)) as store:
        tables = store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        store.execute("PRAGMA foreign_keys = OFF")
        for (table,) in tables:
            if table not in ("experiments", "runs", "metrics", "latest_metrics", "params"):
                store.execute(f"DROP TABLE {table}")
        # The folders that it was made in.
        store.execute("UPDATE experiments SET artifact_location = 'mlflow-artifacts:/'")
        store.execute("UPDATE runs SET artifact_uri = 'mlflow-artifacts:/', user_id = ''")
        store.execute("PRAGMA page_size = 512")
        store.execute("VACUUM")


def main():
    import sys

    makers = (
        *(tensorboard_by_transformers, tensorboard_by_megatron, tensorboard_by_tensors),
        *(lightning, litgpt, wandb_runs, wandb_histories, wandb_exports, mlflow),
    )
    for maker in makers:
        if len(sys.argv) == 1 or maker.__name__ in sys.argv:
            maker()


if __name__ == "__main__":
    main()
