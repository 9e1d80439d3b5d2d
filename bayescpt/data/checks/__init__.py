"""Validation of a study's tables, by subject.

Each function raises `StudyError` at the first defect, with a message that names the table, the run
and, where they apply, the step and the value. The functions expect the tables in the form that
`bayescpt.data.tables` gives them.
"""
