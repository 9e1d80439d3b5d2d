"""The session that the pages of this process show."""

from __future__ import annotations

from bayescpt.present.explorer.view import Session

_OPENED: list[Session] = []


def open_session(session: Session) -> None:
    """Let all pages of this process show a session.

    Parameters
    ----------
    session : Session
        The session.
    """
    _OPENED[:] = [session]


def current() -> Session:
    """The session that pages show.

    Returns
    -------
    Session

    Raises
    ------
    RuntimeError
        If there is none: the page was started without ``bayescpt explore``.
    """
    if not _OPENED:
        raise RuntimeError("no fit is open: start the explorer with `bayescpt explore FIT`")
    return _OPENED[0]
