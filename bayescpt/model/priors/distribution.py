"""Interface of prior distributions, and how to add one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class Distribution:
    """Base class of the prior distributions available to cards.

    To add a distribution that PyMC has:

    1. Derive a class from this one. Set `name` to PyMC's name of the distribution and `arguments`
       to PyMC's names of its parameters; list in `positive` those that must be above 0. Arguments
       that a card may omit go in `optional`. For any other condition on the arguments,
       override `complaint`.
    2. Implement `frozen`, which returns the same distribution in SciPy. Import ``scipy.stats``
       inside the method: importing it takes a second, which would slow down loading a saved fit.
    3. Override `tails` if the distribution function has a closed form. The inherited method is
       correct for every distribution, but it imports ``scipy.stats``.
    4. List in `examples` arguments that cover the special cases. The tests use them to compare the
       SciPy and PyMC densities, the tails and random draws.
    5. Decorate the class with `register`.

    A class in a new file of the package ``bayescpt.model.priors`` is found automatically. A class
    of your own can live in any module, as long as that module is imported before the card is read,
    in worker processes too.

    The model variable is PyMC's distribution `name`; override `random_variable` only if that does
    not work. Compiled samplers are cached by the name and the arguments of each prior, so changing
    `random_variable` requires a new `name` to take effect.

    Attributes
    ----------
    name : str
        Name in cards and in PyMC.
    arguments : tuple of str
        Required arguments, under PyMC's names.
    optional : tuple of str
        Further arguments that may be omitted.
    positive : tuple of str
        Arguments that must be above 0.
    examples : tuple of Mapping
        Valid arguments for the tests, including every special case.

    Examples
    --------
    >>> from bayescpt.model.priors import Distribution, parse_prior, register, unregister
    >>> @register
    ... class Laplace(Distribution):
    ...     name = "OwnLaplace"
    ...     arguments = ("mu", "b")
    ...     positive = ("b",)
    ...     examples = ({"mu": 0.5, "b": 2.0},)
    ...
    ...     def frozen(self, args):
    ...         from scipy import stats
    ...
    ...         return stats.laplace(args["mu"], args["b"])
    ...
    ...     def pymc_name(self, args):
    ...         return "Laplace"
    >>> entry = {"dist": "OwnLaplace", "mu": 0.0, "b": 1.0, "reason": "heavier tails"}
    >>> prior = parse_prior(entry, "example")
    >>> print(prior)
    Laplace(mu=0, b=1)
    >>> round(prior.outside(-3.0, 3.0), 4)
    0.0498
    >>> unregister("OwnLaplace")
    """

    name: ClassVar[str]
    arguments: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]] = ()
    positive: ClassVar[tuple[str, ...]] = ()
    examples: ClassVar[tuple[Mapping[str, float], ...]] = ()

    def complaint(self, args: Mapping[str, float]) -> str | None:
        """Describe an error in the values of the arguments, or return None.

        Checks that the arguments in `positive` are above 0 and that ``lower`` is below ``upper``
        where both are given.

        Parameters
        ----------
        args : Mapping
            All required arguments and any optional ones, finite numbers.

        Returns
        -------
        str or None
        """
        for key in self.positive:
            if key in args and args[key] <= 0:
                return f"{key} = {args[key]!r} must be above 0"
        if "lower" in args and "upper" in args and not args["lower"] < args["upper"]:
            return f"lower = {args['lower']} is not below upper = {args['upper']}"
        return None

    def pymc_name(self, args: Mapping[str, float]) -> str:
        """Name of the PyMC distribution for these arguments; `name` unless overridden.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        str
        """
        return self.name

    def frozen(self, args: Mapping[str, float]) -> Any:
        """Return the frozen SciPy distribution; every subclass must implement it.

        Parameters
        ----------
        args : Mapping
            Valid arguments.

        Returns
        -------
        scipy.stats.rv_frozen
            Frozen distribution, whose class is private in SciPy.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement frozen(args)")

    def tails(self, x: float, args: Mapping[str, float]) -> tuple[float, float]:
        """Probability below and above a value.

        Parameters
        ----------
        x : float
            The value.
        args : Mapping
            Valid arguments.

        Returns
        -------
        below, above : float
            Computed separately, as the complement would lose a small tail to rounding.
        """
        frozen = self.frozen(args)
        return float(frozen.cdf(x)), float(frozen.sf(x))

    def random_variable(
        self,
        name: str,
        args: Mapping[str, float],
        dims: str | tuple[str, ...] | None,
        initval: Any,
    ) -> Any:
        """Create the random variable in the PyMC model of the current context.

        Parameters
        ----------
        name : str
            Name of the variable.
        args : Mapping
            Valid arguments.
        dims : str or tuple of str or None
            Named dimensions of the model; None for a scalar.
        initval : array or None
            Initial value for sampling; None for PyMC's default.

        Returns
        -------
        pytensor.tensor.TensorVariable
        """
        import pymc as pm

        return getattr(pm, self.pymc_name(args))(name, **args, dims=dims, initval=initval)
