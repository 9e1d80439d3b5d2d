"""What a number of pilots is worth, on real runs: the tables behind 03_how_many_pilots.ipynb."""
