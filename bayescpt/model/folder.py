"""Where the model cards that come with bayescpt are."""

from pathlib import Path

from bayescpt.errors import CardError

_PACKAGE = Path(__file__).resolve().parents[1]


def cards_folder() -> Path:
    """Folder of the cards (TOML files) that come with bayescpt.

    Returns
    -------
    Path
        ``bayescpt/_cards`` in an installed wheel; ``models/`` at the repository's root in an
        editable install or a plain checkout.

    Raises
    ------
    CardError
        If neither folder is there: the installation is incomplete.
    """
    installed, checkout = _PACKAGE / "_cards", _PACKAGE.parent / "models"
    # pyproject.toml tells the repository from a folder that is only called models/, such as one
    # beside the package in site-packages.
    if installed.is_dir():
        return installed
    if checkout.is_dir() and (_PACKAGE.parent / "pyproject.toml").is_file():
        return checkout
    raise CardError(
        f"no model cards in {installed} or {checkout}: this installation of bayescpt is "
        "incomplete; install it again"
    )
