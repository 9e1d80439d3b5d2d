"""What in a valid study is likely wrong: one kind of finding a file, see `register_finding`."""

from bayescpt.data.findings.registry import Finding, register_finding, study_findings

__all__ = ["Finding", "register_finding", "study_findings"]
