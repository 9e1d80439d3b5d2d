"""Decompositions, also with the kernels of processors without AVX-512."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from bayescpt.linalg import svd, triangle

CODE = """
import numpy as np
from bayescpt.linalg import svd, triangle
for shape in [(400, 300), (1500, 129), (1500, 128), (128, 1500), (129, 1500), (30, 20)]:
    matrix = np.random.default_rng(1).standard_normal(shape)
    svd(matrix)
    triangle(matrix)
print("done")
"""


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (40, 40), (150, 140), (140, 150)])
def test_factors_give_the_matrix_back(shape):
    matrix = np.random.default_rng(2).standard_normal(shape)
    left, scale, right = svd(matrix)
    k = min(shape)
    assert (left.shape, scale.shape, right.shape) == ((shape[0], k), (k,), (k, shape[1]))
    np.testing.assert_allclose((left * scale) @ right, matrix, atol=1e-12)
    factor = triangle(matrix)
    assert factor.shape == (k, shape[1])
    assert not np.tril(factor, -1).any()
    np.testing.assert_allclose(factor.T @ factor, matrix.T @ matrix, atol=1e-12)


def test_what_is_not_finite_stays_so():
    assert not np.isfinite(triangle(np.full((3, 2), np.nan))).any(axis=1)[0]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="kernels of x86-64")
@pytest.mark.parametrize("kernels", ["Haswell", "Zen", "SkylakeX"])
def test_wide_matrices_on_one_thread(kernels):
    """NumPy's own, of 2.5, ends the process with the first two."""
    settings = os.environ | {"OPENBLAS_CORETYPE": kernels, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(  # noqa: S603 -- this interpreter
        [sys.executable, "-c", CODE], env=settings, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr
