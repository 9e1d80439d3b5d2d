"""Training logs of many kinds, read into a study: one log format a file in ``formats/``."""
