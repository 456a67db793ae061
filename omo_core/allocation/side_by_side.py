"""Independent pieces of work side by side: kernels let go of the interpreter, so threads share the processors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Answer = TypeVar("Answer")


def in_threads(work: Callable[..., Answer], *arguments: Sequence[object], threads: int | None = None) -> list[Answer]:
    """`map(work, *arguments)` on so many threads (None: one a processor); the answers stand in order."""
    count = min(threads or os.cpu_count() or 1, max((len(one) for one in arguments), default=1))
    if count <= 1:
        return list(map(work, *arguments))
    with ThreadPoolExecutor(count) as pool:
        answers: Iterable[Answer] = pool.map(work, *arguments)
        return list(answers)
