from pathlib import Path

import pytest

from tests.channels.samples import FACTS


@pytest.fixture
def channel_facts() -> Path:
    """The folder of published payloads; tests that take it are marked `needs_samples`."""
    return FACTS
