"""Location of the model cards shipped with bayescpt."""

from pathlib import Path

from bayescpt.errors import CardError

_PACKAGE = Path(__file__).resolve().parents[1]


def cards_folder() -> Path:
    """Folder of the cards (TOML files) shipped with bayescpt.

    Returns
    -------
    Path
        ``bayescpt/_cards`` in an installed wheel; ``models/`` at the repository's root in an
        editable install or a plain checkout.

    Raises
    ------
    CardError
        If neither folder exists, as in an incomplete installation.
    """
    installed, checkout = _PACKAGE / "_cards", _PACKAGE.parent / "models"
    # pyproject.toml distinguishes the repository from an unrelated folder named models/, such as
    # one next to the package in site-packages.
    if installed.is_dir():
        return installed
    if checkout.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return checkout
    raise CardError(
        f"no model cards in {installed} or {checkout}: this installation of bayescpt is "
        "incomplete; reinstall it"
    )
