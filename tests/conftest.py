"""Settings of all tests and of the processes they start."""

import os

# Figures are drawn to files: no test needs a screen.
os.environ["MPLBACKEND"] = "Agg"
# The matrices are small: threads of the BLAS only get into each other's way.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
