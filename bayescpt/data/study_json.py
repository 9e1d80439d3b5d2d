"""A study as JSON text and as a digest of its content."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pandas as pd

from bayescpt.data import packing
from bayescpt.data.final_losses import final_columns, is_final
from bayescpt.data.study_data import StudyData
from bayescpt.data.tables import CORE_COLUMNS
from bayescpt.errors import StudyError

FORMAT = 1


def study_digest(study: StudyData) -> str:
    """SHA-256 of everything in a study that a fit can depend on.

    Parameters
    ----------
    study : StudyData
        The study.

    Returns
    -------
    str
        Digest in hexadecimal.
    """
    about: list[Any] = [study.general, study.curves_unit]
    # What came later counts only where it says something: older digests still hold.
    about += [study.out_of_domain] if study.out_of_domain else []
    about += [{"distances": study.distances}] if study.distances else []
    sha = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    core = [c for c in CORE_COLUMNS if c in study.runs and (c != "tokens" or study.runs[c].any())]
    core += final_columns(study.runs) if is_final(study) else []
    for row in study.runs[core].sort_values("run").itertuples(index=False):
        sha.update(json.dumps([None if pd.isna(value) else value for value in row]).encode())
    curves = study.curves.sort_values(["run", "step", "domain"])
    sha.update(json.dumps([list(curves["run"]), list(curves["domain"])]).encode())
    sha.update(curves["step"].to_numpy("<i8").tobytes())
    sha.update(curves["loss"].to_numpy("<f8").tobytes())
    for table in (study.lrs, study.replays):
        for run in sorted(table):
            sha.update(json.dumps([run, table[run].size]).encode())
            sha.update(table[run].astype("<f8").tobytes())
    return sha.hexdigest()


def dump_study(study: StudyData) -> str:
    """Write a study as JSON.

    Parameters
    ----------
    study : StudyData
        The study.

    Returns
    -------
    str
        JSON, with arrays and tables compressed.
    """
    content = {
        "format": FORMAT,
        "name": study.name,
        "general": study.general,
        "loss_unit": study.loss_unit,
        "curves_unit": study.curves_unit,
        "bytes_per_token": study.bytes_per_token,
        "notes": study.notes,
        "allow_mixed": list(study.allow_mixed),
        "out_of_domain": list(study.out_of_domain),
        "distances": study.distances,
        "runs": packing.pack_frame(study.runs),
        "curves": packing.pack_frame(study.curves),
        "lrs": {run: packing.pack(lr) for run, lr in study.lrs.items()},
        "replays": {run: packing.pack(ratio) for run, ratio in study.replays.items()},
        "digest": study_digest(study),
    }
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"), default=str)


def load_study_fields(text: str) -> tuple[dict[str, Any], str]:
    """Read the JSON of `dump_study`.

    Parameters
    ----------
    text : str
        JSON.

    Returns
    -------
    fields : dict
        Fields of the study by name.
    digest : str
        Digest that the study had when it was written.

    Raises
    ------
    StudyError
        If the text is not such JSON.
    """
    try:
        content = json.loads(text)
        fields = {
            "name": content["name"],
            "runs": packing.unpack_frame(content["runs"]),
            "curves": packing.unpack_frame(content["curves"]),
            "lrs": {run: packing.unpack(lr) for run, lr in content["lrs"].items()},
            "replays": {run: packing.unpack(ratio) for run, ratio in content["replays"].items()},
            "general": content["general"],
            "loss_unit": content["loss_unit"],
            # Older files have losses in the unit that they were given in, and no other.
            "curves_unit": content.get("curves_unit", content["loss_unit"]),
            "bytes_per_token": dict(content.get("bytes_per_token", {})),
            "notes": content["notes"],
            "allow_mixed": tuple(content.get("allow_mixed", ())),  # absent in older files
            "out_of_domain": tuple(content.get("out_of_domain", ())),
            "distances": dict(content.get("distances", {})),
        }
        return fields, content["digest"]
    except Exception as error:  # of json, zlib, base64, NumPy and pandas
        raise StudyError(f"stored study cannot be read: {error!r}") from error


def check_digest(study: StudyData, stored: str) -> None:
    """Raise unless a study has the digest that it was stored with.

    Parameters
    ----------
    study : StudyData
        The study, as it was read.
    stored : str
        Its digest when it was written.

    Raises
    ------
    StudyError
        If its content has another digest, or is no study.
    """
    try:
        digest = study_digest(study)
    except Exception as error:  # tables that are no runs and curves
        raise StudyError(f"stored study cannot be read: {error!r}") from error
    if digest != stored:
        raise StudyError(
            f"stored study {study.name!r} is damaged: the digest of its content is "
            f"{digest[:12]}, but it was stored with {str(stored)[:12]}"
        )
