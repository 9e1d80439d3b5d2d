"""The data of a fit: runs, their loss curves and learning-rate schedules."""

from bayescpt.data import schedules
from bayescpt.data.curriculum import curriculum
from bayescpt.data.distances import mixture_distance
from bayescpt.data.examples import example_studies, load_example, published_fits
from bayescpt.data.io import read_study, write_study
from bayescpt.data.readers.assemble import read_logs
from bayescpt.data.schedule import Schedule
from bayescpt.data.study import Run, Study

__all__ = [
    "Run",
    "Schedule",
    "Study",
    "curriculum",
    "example_studies",
    "load_example",
    "mixture_distance",
    "published_fits",
    "read_logs",
    "read_study",
    "schedules",
    "write_study",
]
