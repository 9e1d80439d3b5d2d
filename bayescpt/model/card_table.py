"""What card files of all laws share: their tables, cards that extend others, and priors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bayescpt.errors import CardError
from bayescpt.laws.parameter import Parameter
from bayescpt.model.priors import Prior, parse_prior
from bayescpt.toml_file import parse_toml, read_toml

_OWN = ("name", "description")


@dataclass(frozen=True)
class CardTable:
    """Content of a card file, with what it takes over from the card that it extends.

    Attributes
    ----------
    where : str
        The file, in messages.
    content : Mapping of str to Any
        Its keys, and those of the card that it extends where it lacks them.
    inherited : frozenset of str
        Priors that only the card that it extends gives: its own law may lack these parameters.
    below : CardTable or None
        The card that it extends.
    """

    where: str
    content: Mapping[str, Any]
    inherited: frozenset[str] = frozenset()
    below: CardTable | None = None

    def section(self, name: str, allowed: Iterable[str]) -> Mapping[str, Any]:
        """A table of the card; empty if it has none.

        Parameters
        ----------
        name : str
            Its name.
        allowed : iterable of str
            Its keys.

        Returns
        -------
        Mapping of str to Any

        Raises
        ------
        CardError
            If it has another key.
        """
        section: Mapping[str, Any] = self.content.get(name, {})
        _check_known(section, tuple(allowed), f"{self.where}: [{name}]")
        return section

    def priors(self, parameters: Iterable[Parameter]) -> dict[str, Prior]:
        """Priors of a law: the card's, else the parameters' own.

        Parameters
        ----------
        parameters : iterable of Parameter
            Of the law.

        Returns
        -------
        dict of str to Prior

        Raises
        ------
        CardError
            If the card has a prior of no parameter, or one that is invalid or has mass outside the
            range of its parameter.
        """
        expected = {parameter.name: parameter for parameter in parameters}
        given = {
            name: entry
            for name, entry in self.content.get("priors", {}).items()
            if name in expected or name not in self.inherited
        }
        _check_known(given, tuple(expected), f"{self.where}: [priors]")
        priors = {}
        for name, parameter in expected.items():
            entry = given.get(name, {**parameter.default, "reason": parameter.reason})
            priors[name] = _inside(
                parse_prior(entry, f"{self.where}: priors.{name}"), parameter, self.where
            )
        return priors


@dataclass(frozen=True)
class CardFormat:
    """A kind of card files.

    Attributes
    ----------
    keys, sections : tuple of str
        Keys beside ``name``, ``description`` and ``extends``; tables.
    folder : callable
        Gives the folder of the shipped cards.
    purpose : str
        Follows "no card 'x'" in messages.
    """

    keys: tuple[str, ...]
    sections: tuple[str, ...]
    folder: Callable[[], Path]
    purpose: str = ""

    def shipped(self) -> tuple[str, ...]:
        """Names of the shipped cards.

        Returns
        -------
        tuple of str
        """
        return tuple(sorted(path.stem for path in self.folder().glob("*.toml")))

    def load(self, card: str | Path) -> CardTable:
        """Read a card by name or from a file, with what it extends.

        Parameters
        ----------
        card : str or Path
            Name of a shipped card, or path of a TOML file.

        Returns
        -------
        CardTable

        Raises
        ------
        CardError
            If there is no such card, a key is unknown, or it extends itself.
        """
        path = self._path(str(card), Path())
        return self._table(read_toml(path, CardError), str(path), path.parent, (path.resolve(),))

    def parse(self, text: str, where: str) -> CardTable:
        """Read a card's text as `load` reads a file.

        Parameters
        ----------
        text : str
            TOML text; a path in it counts from the working directory.
        where : str
            Name of the card in messages.

        Returns
        -------
        CardTable
        """
        return self._table(parse_toml(text, where, CardError), where, Path(), ())

    def _path(self, card: str, folder: Path, where: str = "") -> Path:
        if card in self.shipped():
            return self.folder() / f"{card}.toml"
        path = folder / card
        if path.is_file():
            return path
        known = ", ".join(self.shipped())
        raise CardError(
            f"{where}no card {card!r}{self.purpose}: give a TOML file, or one of {known}"
        )

    def _table(
        self, content: dict[str, Any], where: str, folder: Path, within: tuple[Path, ...]
    ) -> CardTable:
        """The table of a card; ``within`` are the file and those that extend it."""
        _check_known(content, (*_OWN, "extends", *self.keys, *self.sections), where)
        for key in _OWN:
            if not isinstance(content.get(key), str):
                raise CardError(f"{where}: `{key}` is missing")
        for key in self.sections:
            if not isinstance(content.get(key, {}), dict):
                raise CardError(f"{where}: `{key}` must be a table [{key}]")
        table = CardTable(where, content)
        if "extends" not in content:
            return table
        name = content["extends"]
        if not isinstance(name, str):
            raise CardError(f"{where}: extends = {name!r} must be a card's name or a TOML file")
        path = self._path(name, folder, f"{where}: extends: ")
        if path.resolve() in within:
            raise CardError(f"{where}: extends = {name!r}: a card cannot extend itself")
        within = (*within, path.resolve())
        below = self._table(read_toml(path, CardError), str(path), path.parent, within)
        return self._over(table, below)

    def _over(self, table: CardTable, below: CardTable) -> CardTable:
        """A card's table over that of the card that it extends, tables key by key."""
        own = {key: value for key, value in table.content.items() if key != "extends"}
        sections = {
            key: {**below.content.get(key, {}), **own.get(key, {})} for key in self.sections
        }
        inherited = frozenset(sections.get("priors", {})) - frozenset(own.get("priors", {}))
        content = {**below.content, **own, **sections}
        return replace(table, content=content, inherited=inherited, below=below)


def _check_known(table: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    unknown = [key for key in table if key not in allowed]
    if unknown:
        more = f" and {len(unknown) - 5:,} more" if len(unknown) > 5 else ""
        raise CardError(
            f"{where}: unknown {', '.join(unknown[:5])}{more}; allowed are {', '.join(allowed)}"
        )


def _inside(prior: Prior, parameter: Parameter, where: str) -> Prior:
    """Raise if a prior has mass outside the meaningful range of its parameter."""
    outside = prior.outside(parameter.lower, parameter.upper)
    if outside > parameter.outside:
        raise CardError(
            f"{where}: priors.{parameter.name}: {prior} has {outside:.2%} of its mass outside "
            f"{parameter.lower:g}..{parameter.upper:g} {parameter.unit}; truncate or shift it"
        )
    return prior
