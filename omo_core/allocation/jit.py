"""The one decorator that compiles kernels, and the private directory that keeps what it compiled."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast, overload

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE: Final = Path(__file__).parents[1]


@overload
def kernel(function: Function) -> Function: ...
@overload
def kernel(*, allocates: bool) -> Callable[[Function], Function]: ...
def kernel(function: Function | None = None, *, allocates: bool = True) -> Any:
    """Compile a function on first call; arrays in, arrays out, no checks: its wrapper has checked shapes and units.

    A kernel that makes no arrays says `allocates=False`: numba then counts no references, which is most of the time
    of a small kernel called in a loop (measured: 850 to 100 ns for one order). A kernel whose name starts with _ is
    called by kernels only and gets no wrapper for Python. Compiled code is kept in `cache_directory()`. With NUMBA_DISABLE_JIT=1 functions stay plain Python.
    """
    directory = cache_directory()

    def compile_kept(plain: Function) -> Function:
        inner = plain.__name__.startswith("_")
        njit: Any = numba.njit
        compiler = njit(
            cache=directory is not None,
            nogil=True,
            error_model="numpy",
            boundscheck=False,
            fastmath=False,
            _nrt=allocates,
            no_cpython_wrapper=inner,
            no_cfunc_wrapper=inner,
        )
        with _cache_kept_in(directory):
            return cast(Function, compiler(plain))

    return compile_kept if function is None else compile_kept(function)


@lru_cache(maxsize=1)
def cache_directory() -> Path | None:
    """Where compiled kernels are kept: ours alone (mode 0700), one folder for each state of the kernels' sources.

    numba's cache does not notice an edited callee in another file, so the folder's name is a hash of all kernel
    sources. Its files are pickles, so no one else may write there. None: no private directory can be made; kernels
    are then compiled anew in each process.
    """
    for base in _bases():
        folder = base / "omo_core" / f"kernels-{_sources_digest()}"
        if _make_private(base, folder.parent, folder):
            return folder
    return None


def _bases() -> Iterator[Path]:
    if os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(os.environ["NUMBA_CACHE_DIR"])
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"])
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() raises where a user has no home
    if home.is_dir():
        yield home / ".cache"
    yield Path(tempfile.gettempdir()) / f"omo_core-{_user()}"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _make_private(base: Path, *folders: Path) -> bool:
    """Make the folders and answer whether the last ones are writable and belong to this user alone."""
    try:
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in folders:
            folder.mkdir(mode=0o700, exist_ok=True)
            seen = folder.lstat()
            if not stat.S_ISDIR(seen.st_mode) or seen.st_uid != _user():
                return False
            if seen.st_mode & 0o077:
                folder.chmod(0o700)
    except OSError:
        return False
    return os.access(folders[-1], os.W_OK | os.X_OK)


def _sources_digest() -> str:
    digest = hashlib.sha256(f"{sys.version} {numba.__version__}".encode())
    for source in sorted([*PACKAGE.rglob("*kernels.py"), Path(__file__)]):
        digest.update(source.relative_to(PACKAGE).as_posix().encode())
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _cache_kept_in(directory: Path | None) -> Iterator[None]:
    """numba asks for the directory while it decorates; the host's own setting is put back at once."""
    config: Any = numba.config
    before = config.CACHE_DIR
    if directory is not None:
        config.CACHE_DIR = str(directory)
    try:
        yield
    finally:
        config.CACHE_DIR = before
