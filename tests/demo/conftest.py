"""The published baskets, read once; and one small preparation that most tests look at."""

import pytest

from omo_core.demo.baskets import CleanBaskets, read_clean_baskets
from omo_core.demo.prepare import DemoFiles, prepare


@pytest.fixture(scope="session")
def clean() -> CleanBaskets:
    return read_clean_baskets()


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoFiles:
    return prepare(tmp_path_factory.mktemp("demo"), orders=300, seed=7)
