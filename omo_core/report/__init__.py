"""Reports: one self-contained HTML page of what a run decided and why, and one of what other policies would have."""

from omo_core.report.render import render
from omo_core.report.summary import NodeWork, PolicyOutcome, RunSummary, Stage, WhatIfSummary
from omo_core.report.what_if import render_what_if

__all__ = ["NodeWork", "PolicyOutcome", "RunSummary", "Stage", "WhatIfSummary", "render", "render_what_if"]
