"""Damages files and reads them, one case for each line of input; started by `mutations`.

A process of its own: a case may hang or end it. The n-th case of a format is always the same.
"""

from __future__ import annotations

import json
import resource
import shutil
import sys
import warnings
from pathlib import Path
from random import Random
from typing import Any

from bayescpt.errors import BayescptError
from tests.faults.formats import FORMATS, Format

# Bytes of address space, so that a size read from a damaged file does not take the machine's.
MOST_MEMORY = 16 * 1024**3
# Folders of logs whose files are parts of one run; in others each file is a log of its own.
PARTS = ("metrics", "transformers")


def run_case(name: str, number: int, sound: Path, place: Path) -> dict[str, Any]:
    """Damage a copy of the sound files, read it, and say what came of it."""
    form, rng = FORMATS[name], Random(f"{name} {number}")  # noqa: S311 -- no secrets
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(sound, place)
    about: dict[str, Any] = {"case": number}
    if form.content is not None and number % 3 == 2:
        form.content(rng, place)
        about |= {"file": "the content", "kind": "content", "digest": False}
    else:
        about |= _damage(form, name, rng, place) | {"digest": form.digest}
    try:
        return about | {"outcome": "read", "text": form.load(place)}
    except BayescptError as error:
        named = not form.named or str(place) in str(error)
        sound_line = named and "\n" not in str(error)
        return about | {"outcome": "refused" if sound_line else "bad line", "text": str(error)}
    except Exception as error:  # what is looked for
        kind = type(error)
        return about | {"outcome": "foreign", "text": f"{kind.__name__}: {error}"[:500]}


def _damage(form: Format, name: str, rng: Random, place: Path) -> dict[str, Any]:
    files = [file for file in sorted(place.rglob("*")) if file.is_file()]
    if name in ("csv", "final_csv", "parquet", "cards", "plans"):
        files = [file for file in files if file.suffix in (".csv", ".parquet")] or [
            file for file in files if file.suffix == ".toml"
        ]
    if name == "toml":
        files = [file for file in files if file.suffix == ".toml"]
    target = rng.choice(files)
    if name == "logs":  # an error of one must not hide another
        parts = target.parent.name in PARTS
        for file in files:
            if file != target and not (parts and file.parent == target.parent):
                file.unlink()
    content, kinds = target.read_bytes(), []
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        group = rng.choice(form.kinds)
        kind = rng.choice(sorted(group))
        # A table is changed where the file is still sound.
        if content and not (kind == "change_table" and kinds):
            content = group[kind](rng, content)
            kinds.append(kind)
    target.write_bytes(content)
    if form.digest and name == "cache":
        target.chmod(0o600)
    return {"file": target.name, "kind": " + ".join(kinds)}


def prepare(name: str, folder: Path) -> str:
    """Make the sound files of a format, unless they are there; what is read of them."""
    sound, place = folder / f"{name} sound", folder / f"{name} damaged"
    if not sound.exists():
        draft = sound.with_suffix(".draft")
        draft.mkdir()
        FORMATS[name].write(draft)
        draft.rename(sound)
    shutil.copytree(sound, place, dirs_exist_ok=True)
    # All logs together are no study.
    return FORMATS[name].load(place) if name != "logs" else ""


def main() -> None:
    """Answer each line ``FORMAT NUMBER`` with a line of JSON."""
    folder, names = Path(sys.argv[1]), sys.argv[2:]
    warnings.simplefilter("ignore")
    out = sys.stdout
    sys.stdout = sys.stderr  # what a reader prints is no answer
    sound = {name: prepare(name, folder) for name in names}
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    print(json.dumps({"sound": sound}), file=out, flush=True)
    for line in sys.stdin:
        name, number = line.split()
        case = run_case(name, int(number), folder / f"{name} sound", folder / f"{name} damaged")
        print(json.dumps(case), file=out, flush=True)


if __name__ == "__main__":
    main()
