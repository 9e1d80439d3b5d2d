"""Quantities that follow from a law, with intervals; one subject a file.

After Wang et al., arXiv 2505.07796: loss potential, turning length, critical point, balance points
and the paper's findings. All are about the expected curve `mu`, draw by draw.
"""
