"""Settings of all tests and of the processes they start."""

import os

# Figures are drawn to files: no test needs a screen.
os.environ["MPLBACKEND"] = "Agg"
