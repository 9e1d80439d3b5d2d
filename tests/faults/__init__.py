"""What goes wrong outside the package: interruptions, damaged files, hostile and wrong inputs.

A chosen part is in the tests; the whole is run by ``python -m tests.faults NAME``.
"""
