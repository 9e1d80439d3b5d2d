"""Discrepancy of runs: what the law gets wrong for a whole run.

Shapes and units stand with the terms (`bayescpt.laws.effect`); here the effects of fitted runs are
judged, and those of new ones drawn.
"""
