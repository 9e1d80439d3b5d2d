"""Labels along the dimensions of a model."""

from __future__ import annotations

from dataclasses import dataclass

from bayescpt.data.sizes import SAME_SIZE


@dataclass(frozen=True)
class Labels:
    """Labels along the dimensions of a model.

    Attributes
    ----------
    domain : tuple of str
        Evaluated domains, general first.
    pair : tuple of (str, str)
        Pairs (evaluated domain, target of the run).
    checkpoint : tuple of str
        Runs whose final checkpoints CPT runs start from.
    run : tuple of str
        Fitted runs.
    curve : tuple of (str, str)
        Fitted curves, as (run, evaluated domain).
    size : tuple of float
        Model sizes of the fitted CPT runs, ascending, 0 where unknown; empty where the law has no
        term for them.
    """

    domain: tuple[str, ...]
    pair: tuple[tuple[str, str], ...]
    checkpoint: tuple[str, ...]
    run: tuple[str, ...]
    curve: tuple[tuple[str, str], ...]
    size: tuple[float, ...] = ()

    @property
    def level_names(self) -> tuple[str, ...]:
        """Start levels as text: ``checkpoint|general``."""
        return tuple(f"{start}|{domain}" for start in self.checkpoint for domain in self.domain)

    @property
    def curve_names(self) -> tuple[str, ...]:
        """Curves as text: ``run|general``."""
        return tuple(f"{run}|{domain}" for run, domain in self.curve)

    @property
    def pair_names(self) -> tuple[str, ...]:
        """Pairs as text: ``general|german``."""
        return tuple(f"{domain}|{target}" for domain, target in self.pair)

    @property
    def sized_names(self) -> tuple[str, ...]:
        """Pairs at each model size as text: ``general|german|98,304``."""
        return tuple(f"{pair}|{size:,.12g}" for pair in self.pair_names for size in self.size)

    @property
    def sides(self) -> tuple[str, ...]:
        """Side of each pair: ``general``, ``target``, or ``other`` for other sets."""
        first = self.domain[:1]
        return tuple(
            "target" if domain == target else "general" if (domain,) == first else "other"
            for domain, target in self.pair
        )

    @property
    def side_names(self) -> tuple[str, ...]:
        """Sides that some pair is of."""
        return tuple(dict.fromkeys(self.sides))

    @property
    def pair_domain(self) -> tuple[int, ...]:
        """Index of the evaluated domain of each pair."""
        return tuple(self.domain.index(domain) for domain, _ in self.pair)

    def coords(self) -> dict[str, tuple[str, ...]]:
        """Labels by dimension, as in the model and the posterior.

        Returns
        -------
        dict of str to tuple of str
        """
        return {
            "domain": self.domain,
            "other": self.domain[1:],
            "pair": self.pair_names,
            "level": self.level_names,
            "sized": self.sized_names,
            "side": self.side_names,
        }

    def size_place(self, n_params: float | None) -> int | None:
        """Index of a model size.

        Parameters
        ----------
        n_params : float or None
            Number of parameters; None if unknown.

        Returns
        -------
        int or None
            None if no fitted run has it.
        """
        wanted = n_params or 0.0
        found = (k for k, size in enumerate(self.size) if abs(wanted - size) <= SAME_SIZE * size)
        return next(found, None)

    def place(
        self,
        dim: str,
        domain: str,
        target: str | None,
        start: str | None,
        n_params: float | None = None,
    ) -> int:
        """Index along a dimension of the entry for a run evaluated on a domain.

        Parameters
        ----------
        dim : str
            ``domain``, ``pair``, ``level`` or ``sized``.
        domain : str
            Evaluated domain.
        target : str or None
            Target of the run; None in pre-training.
        start : str or None
            Start checkpoint; None from scratch.
        n_params : float, optional
            Model size, for ``sized``: one of `size`.

        Returns
        -------
        int
            0 if the run has no such entry; it is then not used.

        Raises
        ------
        KeyError
            If there is no such dimension.
        ValueError
            If the entry is not among the labels.
        """
        d = self.domain.index(domain)
        if dim == "domain":
            return d
        if dim == "pair":
            return 0 if target is None else self.pair.index((domain, target))
        if dim == "level":
            return 0 if start is None else self.checkpoint.index(start) * len(self.domain) + d
        if dim == "sized":
            pair = 0 if target is None else self.pair.index((domain, target))
            return pair * len(self.size) + (self.size_place(n_params) or 0)
        raise KeyError(dim)
