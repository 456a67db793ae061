"""Reports: one self-contained HTML page of what a run decided and why."""

from omo_core.report.render import render
from omo_core.report.summary import RunSummary, Stage

__all__ = ["RunSummary", "Stage", "render"]
