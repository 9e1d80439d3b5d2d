"""Model discrepancy: errors of the law that last for a whole run.

The terms define the shapes and units of the effects (`bayescpt.laws.effect`); this package
estimates the effects of fitted runs and draws those of new ones.
"""
