"""On what the numbers were measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = (
    *("bayescpt", "pymc", "pytensor", "nutpie", "numba", "numpy", "scipy", "xarray", "arviz"),
    *("jax", "numpyro", "distributed"),
)


def machine() -> dict[str, Any]:
    """Name, processor, memory, system, versions and load of this machine."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "name": platform.node(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else _cores(),
        "memory_gib": _memory(),
        "os": platform.platform(),
        "python": platform.python_version(),
        "load_before": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "versions": {name: found for name in PACKAGES if (found := _version(name))},
    }


def in_words(about: dict[str, Any]) -> str:
    """The machine in a line: ``Xeon ..., 2 cores, Linux ..., Python 3.13.0, 2026-11-21``."""
    memory = f", {about['memory_gib']:.0f} GiB" if about["memory_gib"] else ""
    return (
        f"{about['cpu']}, {about['cores']} cores{memory}, {about['os']}, "
        f"Python {about['python']}, {about['date'][:10]}"
    )


def _cores() -> int:
    return os.cpu_count() or 1


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
