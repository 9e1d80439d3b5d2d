"""``bayescpt import``: training logs of any kind to a study folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayescpt.cli.options import Json
from bayescpt.cli.output import say, show_json, show_table
from bayescpt.cli.output_files import WRITTEN, check_outputs, save_figure
from bayescpt.errors import StudyError
from bayescpt.text import printable

if TYPE_CHECKING:
    from bayescpt.data.readers.assembled import Assembled, Missing

_WIDTH = 80


def import_logs(  # numpydoc ignore=PR01
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Log files, and folders, which are searched with all in them."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="STUDY", help="Study folder to write.")
    ],
    runs: Annotated[
        Path | None,
        typer.Option(
            "--runs",
            metavar="CSV",
            help="What logs cannot tell, by run: columns as in runs.csv, such as replay_ratio.",
        ),
    ] = None,
    column_map: Annotated[
        Path | None,
        typer.Option(
            "--map",
            metavar="TOML",
            help="Meaning of columns or keys with unusual names: a table of lines such as "
            '"heldout_de" = "eval:german", "it" = "step", "rate" = "lr". Meanings: step, tokens, '
            "micro, run, domain, loss, lr, eval:NAME, ppl:NAME, ignore.",
        ),
    ] = None,
    general: Annotated[
        str | None,
        typer.Option(
            "--general",
            metavar="NAME",
            help="The general set; by default one called general, pretrain or the like, or the "
            "only set that is no target.",
        ),
    ] = None,
    phase: Annotated[
        str,
        typer.Option(metavar="cpt|pt", help="Phase of the runs of which --runs does not say it."),
    ] = "cpt",
    figure: Annotated[
        Path | None,
        typer.Option("--figure", metavar="PNG", help="Draw curves and schedules to this file."),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite", help="Replace STUDY, but keep what was filled into its runs.csv."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read training logs of any kind into a study folder.

    Known by content: Hugging Face and LLaMA-Factory logs, W&B exports, Megatron output, TensorBoard
    events, Lightning and LitGPT metrics, nanoGPT and llm.c text, OLMo-core exports, MLflow stores,
    and tables of losses by step as CSV, JSON lines or Parquet.

    What logs do not tell, such as the replay ratio, is left blank in STUDY/runs.csv and listed;
    fill it in, then run `bayescpt check STUDY`. Runs that name no parent start from `base`, an open
    base model whose pre-training is unknown.
    """
    from bayescpt.data import read_study
    from bayescpt.data.io import study_files
    from bayescpt.data.readers.assemble import assemble
    from bayescpt.data.readers.folder import kept_general, write_folder

    if out.resolve() in [path.resolve() for path in paths if path.is_dir()]:
        raise StudyError(f"--out {out}: is a folder of logs; give the study a folder of its own")
    for path in [] if out.is_file() else study_files(out):
        check_outputs({"--out": path}, {"--figure": figure}, paths)
    before = out / "runs.csv" if overwrite and (out / "runs.csv").is_file() else None
    if general is None and before is not None:
        general = kept_general(out)
    made = assemble(paths, runs, read_map(column_map), general, phase, before)
    files = write_folder(made, out, overwrite)
    WRITTEN.extend(files)
    if figure is not None:
        _draw(made, figure)
        files.append(figure)
    if as_json:
        show_json(_json(made, out, files))
    else:
        _show(made)
        for path in files:
            say(f"wrote {path}")
        _show_missing(made, out)
    if made.complete:
        study = read_study(out)  # the same checks as of `bayescpt check`
        if not as_json:
            say(f"no problems found: {study!r}; next: bayescpt fit {shlex.quote(str(out))}")


def read_map(path: Path | None) -> dict[str, str]:
    """Column map of a TOML file.

    Parameters
    ----------
    path : Path or None
        File with lines ``"column" = "meaning"``, alone or in a table ``[columns]``.

    Returns
    -------
    dict of str to str
        Meaning by column; empty without a file.

    Raises
    ------
    StudyError
        If the file cannot be read, or a meaning is no text.
    """
    from bayescpt.toml_file import read_toml

    if path is None:
        return {}
    content = read_toml(path, StudyError)
    table = content.get("columns", content)
    if not isinstance(table, dict):
        raise StudyError(f'{path}: columns is no table; expected lines such as it = "step"')
    for key, value in table.items():
        if not isinstance(value, str):
            inner = next(iter(value), "") if isinstance(value, dict) else ""
            hint = f': put quotes around the key, "{key}.{inner}"' if inner else ""
            raise StudyError(f'{path}: {key} is no text{hint}; expected lines such as it = "step"')
    return dict(table)


def _draw(made: Assembled, path: Path) -> None:
    """Draw the curves, and schedules, of what may still lack replay ratios or targets."""
    from bayescpt.present import page, plot

    save_figure(page(plot.study, made.preview()), path)


def _show(made: Assembled) -> None:
    """Print what was understood."""
    show_table(
        f"{len(made.summaries)} run{'s' * (len(made.summaries) > 1)} in the logs",
        ["run", "steps", "peak LR", "schedule", "sets", "every"],
        [
            [
                s.run,
                f"{s.last}/{s.steps}" if s.last < s.steps else str(s.steps or "in tokens"),
                "" if s.peak is None else f"{s.peak:.3g}",
                s.schedule or "unknown",
                ", ".join(s.domains),
                f"{s.spacing:g}" if s.spacing else "once",
            ]
            for s in made.summaries
        ],
        width=_WIDTH,
    )
    sets = {domain for summary in made.summaries for domain in summary.domains}
    unknown = "not known" if len(sets) > 1 else "none, there is one set only"
    say(f"general set: {printable(made.general or unknown)}")
    for line in made.text().splitlines():
        _say_wrapped(f"note: {line}")


def _show_missing(made: Assembled, out: Path) -> None:
    """Print what only the user can fill in."""
    from bayescpt.data.readers.assembled import GENERAL

    required = [item for item in made.missing if item.required]
    optional = [item for item in made.missing if not item.required]
    files = {"study.toml" if item.column == GENERAL else "runs.csv": None for item in required}
    if required:
        where = " and ".join(str(out / name) for name in files)
        then = f"bayescpt check {shlex.quote(str(out))}"
        say(f"\nFill in {where}, then run: {then}")
    for item in required:
        _say_item(item, made)
    if optional:
        same = list(files) == ["runs.csv"]
        say(f"\nOptional, in {'the same file' if same else out / 'runs.csv'}:")
    for item in optional:
        _say_item(item, made)


def _say_item(item: Missing, made: Assembled) -> None:
    cpt = int((made.runs["phase"] == "cpt").sum())
    names = f"all {cpt} runs" if len(item.runs) == cpt > 1 else ", ".join(item.runs)
    if not item.runs:
        names = "in study.toml"
    first, *rest = item.why.split("\n")
    _say_wrapped(f"  {item.column} ({printable(names)}): {first}", "    ")
    for line in rest:
        say(f"    {line}")


def _say_wrapped(text: str, indent: str = "  ") -> None:
    import textwrap

    for line in textwrap.wrap(
        text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    ):
        say(line)


def _json(made: Assembled, out: Path, files: list[Path]) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        "study": str(out),
        "general": made.general,
        "complete": made.complete,
        "runs": [asdict(summary) for summary in made.summaries],
        "missing": [asdict(item) for item in made.missing],
        "notes": made.notes,
        "files": [str(path) for path in files],
    }
