"""What the package offers: it exists, is listed, and says what it takes and gives."""

import importlib
import inspect
import pkgutil
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import validate

import bayescpt

CHECKS = set(
    tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["tool"][
        "numpydoc_validation"
    ]["checks"]
)


def faults(name: str) -> list[str]:
    """numpydoc's complaints about an object, by its dotted name."""
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code in CHECKS]


def is_made_by_users(cls: type) -> bool:
    """Whether a class's constructor is for users: not an exception, protocol or plain result.

    One that a class inherits is documented where it is defined.
    """
    attributes_only = "Attributes\n" in (cls.__doc__ or "")
    inherited = "__init__" not in vars(cls) and any(
        "__init__" in vars(base) and base.__module__.startswith("bayescpt.") for base in cls.__mro__
    )
    return not (
        issubclass(cls, BaseException)
        or getattr(cls, "_is_protocol", False)
        or attributes_only
        or inherited
    )


def public_methods(name: str, cls: type) -> list[str]:
    """Dotted names of the functions and properties that a class itself defines."""
    return [
        f"{name}.{attribute}"
        for attribute, value in vars(cls).items()
        if not attribute.startswith("_")
        and (inspect.isroutine(value) or isinstance(value, property | classmethod | staticmethod))
    ]


def test_everything_listed_exists_once():
    assert len(set(bayescpt.__all__)) == len(bayescpt.__all__)
    missing = [name for name in bayescpt.__all__ if not hasattr(bayescpt, name)]
    assert not missing


def test_names_are_offered_to_completion():
    assert set(bayescpt.__all__) <= set(dir(bayescpt))


@pytest.mark.parametrize("name", bayescpt.__all__)
def test_public_names_are_documented(name):
    value = getattr(bayescpt, name)
    if not (inspect.isroutine(value) or inspect.isclass(value) or inspect.ismodule(value)):
        pytest.skip("a value, not an object with a docstring")
    dotted = f"bayescpt.{name}"
    if inspect.ismodule(value):
        assert value.__doc__
        offered = [each for each in dir(value) if inspect.isroutine(getattr(value, each))]
        found = [
            fault for each in offered if each[0] != "_" for fault in faults(f"{dotted}.{each}")
        ]
    else:
        found = [] if inspect.isclass(value) else faults(dotted)
    for method in public_methods(dotted, value) if inspect.isclass(value) else ():
        found += faults(method)
    assert not found, "\n".join(found)


def test_classes_document_their_parameters():
    # The lint reads text, where a dataclass has no constructor; here it has one.
    found = []
    for module in pkgutil.walk_packages(bayescpt.__path__, "bayescpt."):
        if module.name.endswith(".__main__"):
            continue
        for name, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if cls.__module__ == module.name and not name.startswith("_"):
                complaints = faults(f"{module.name}.{name}")
                if not is_made_by_users(cls):
                    complaints = [text for text in complaints if ": PR01 " not in text]
                found += complaints
    assert not found, "\n".join(found)
