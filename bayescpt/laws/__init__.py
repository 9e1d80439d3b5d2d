"""Components of the scaling laws: plain array functions and tables of their parameters."""
