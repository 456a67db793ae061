"""Where published payloads of the platforms lie beside this repository; they are read there and never copied."""

from __future__ import annotations

from pathlib import Path

import pytest

FACTS = Path(__file__).resolve().parents[3] / "shared" / "channels"

needs_samples = pytest.mark.skipif(
    not FACTS.is_dir(),
    reason="the published payloads are not beside this repository (../shared/channels); our own fixtures still ran",
)
