"""The compiled pass: the law, its noise and their gradient as one loop over rows."""
