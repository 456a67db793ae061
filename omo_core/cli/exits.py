"""Exit codes, and how an error becomes one sentence on stderr."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from functools import wraps
from typing import Final, ParamSpec

import typer

from omo_core.model.errors import DatabaseError, InvariantViolation, OmoError

P = ParamSpec("P")

OK: Final = 0
FINDINGS: Final = 1
BAD_INPUT: Final = 2
DATABASE: Final = 3
INTERRUPTED: Final = 130

EXPLAINED: Final = (
    "Exit codes: 0 done; 1 done, and something needs you: broken invariants, messages still parked; "
    "2 input or options that cannot be used; "
    "3 the database or the disk does not do its work; 130 interrupted."
)


class Stopped(Exception):
    """The user pressed Ctrl-C; the text says how to go on."""


def answering(command: Callable[P, int]) -> Callable[P, None]:
    """A command that returns an exit code, with every error we raise on purpose told in one sentence."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        code, sentence = _outcome(lambda: command(*args, **kwargs))
        if sentence:
            sys.stderr.write(f"omo: {sentence}\n")
        raise typer.Exit(code)

    return run


def _outcome(work: Callable[[], int]) -> tuple[int, str]:
    try:
        return work(), ""
    except Stopped as stopped:
        return INTERRUPTED, str(stopped)
    except KeyboardInterrupt:
        return INTERRUPTED, "stopped; nothing is half done, run the same command again"
    except OmoError as error:
        return _code(error), " ".join(str(error).split())
    except BrokenPipeError:
        # Who read our output has gone; the interpreter must not try to flush it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK, ""
    except OSError as error:
        return _code_of_system(error), _system_sentence(error)


def _code(error: OmoError) -> int:
    if isinstance(error, DatabaseError):
        return DATABASE
    return FINDINGS if isinstance(error, InvariantViolation) else BAD_INPUT


def _code_of_system(error: OSError) -> int:
    return DATABASE if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else BAD_INPUT


def _system_sentence(error: OSError) -> str:
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{place}the disk is full; make room and run the same command again"
    return f"{place}{error.strerror or error}; check the path and its permissions"
