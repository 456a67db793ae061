"""The house rules hold, and each of them notices a violation."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import pytest

from tools import house_rules as rules
from tools.house_rules import ROOT, Module

MAY_PRINT = ["omo_core/cli.py", "omo_core/cli/"]

# File or folder, perhaps with ::dotted.name -> why it may read the clock, draw ids or throw dice itself.
MAY_READ_THE_WORLD: Mapping[str, str] = {
    "omo_core/allocation/wave.py::time.monotonic": "injected by default: ends a search at its deadline, decides nothing else",
    "omo_core/batch/::time.perf_counter": "orders per second of each stage: shown, never decided on",
    "omo_core/cli.py": "shows how long things took",
    "omo_core/cli/": "shows how long things took",
    "omo_core/exchange/transport.py": "injected by default: spaces requests and ends them, decides nothing else",
    "omo_core/storage/clock.py": "the clock that is injected by default",
    "omo_core/storage/ids.py": "the ids that are injected by default",
    "omo_core/storage/database.py::random.Random": "spaces retries, where the host gives no generator of its own",
    "omo_core/testing/forked.py::time.monotonic": "waits for a process",
    "omo_core/testing/orders.py::time.monotonic": "measures how long its clients really ran",
    "omo_core/testing/postgres.py": "waits for a process",
    "omo_core/testing/postgres_guard.py": "waits for a process",
    "omo_core/testing/::random.Random": "the type of generators that are made from a seed and handed on",
}

# "path" or "path::Class.method" -> lines, and why they belong together.
LONGER: Mapping[str, tuple[int, str]] = {}


def module(source: str, path: str = "omo_core/allocation/kernels.py") -> Module:
    return Module.of(path, dedent(source))


def twins() -> ast.Module:
    """tests/naive.py and its neighbours naive_*.py, as one."""
    files = sorted((ROOT / "tests").glob("naive*.py"))
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return ast.Module([node for tree in trees for node in tree.body], [])


def expect_none(violations: list[str]) -> None:
    assert not violations, "\n".join(["", *violations])


def test_every_kernel_has_a_naive_twin() -> None:
    expect_none(rules.kernels_without_twin(rules.library(), twins()))


def test_a_kernel_without_a_twin_is_noticed() -> None:
    source = """
        @kernel
        def cheapest(cost): return _least(cost)
        @kernels.kernel(nogil=True)
        def nearest(x): return x
        @kernel
        def _least(cost): return cost.min()
        @kernel
        def _orphan(cost): return cost
        def plain(): ...
    """
    found = rules.kernels_without_twin([module(source)], ast.parse("def nearest(x): ..."))
    assert [sentence.partition(": ")[2] for sentence in found] == [
        "kernel cheapest has no naive twin in tests/naive*.py",
        "no kernel of this module uses _orphan",
    ]


def test_kernel_modules_see_arrays_only() -> None:
    expect_none(rules.kernel_modules_that_know_too_much(rules.library()))


def test_a_kernel_module_that_knows_too_much_is_noticed() -> None:
    kernels = """
        import numpy as np
        from omo_core.allocation.jit import kernel
        from omo_core.allocation.arrays import Array
        from omo_core.allocation.problem import Problem
        from omo_core.model import Order
        @kernel
        def cheapest(cost): ...
    """
    library = [
        module(kernels, "omo_core/allocation/exact.py"),
        module("from numpy.typing import NDArray", "omo_core/allocation/arrays.py"),
        module("import sqlalchemy", "omo_core/allocation/problem.py"),
    ]
    assert rules.kernel_modules_that_know_too_much(library) == [
        "omo_core/allocation/exact.py: a kernel module may not import omo_core.allocation.problem.Problem",
        "omo_core/allocation/exact.py: a kernel module may not import omo_core.model.Order",
    ]


def test_the_library_does_not_print() -> None:
    expect_none(rules.prints(rules.library(), MAY_PRINT))


def test_a_print_is_noticed() -> None:
    noisy = module("if True:\n    print('hello')", "omo_core/hub.py")
    assert rules.prints([noisy], MAY_PRINT) == ["omo_core/hub.py:2: print"]
    assert rules.prints([module("print('hello')", "omo_core/cli.py")], MAY_PRINT) == []


def test_time_ids_and_chance_are_injected() -> None:
    expect_none(rules.uninjected_clocks_and_dice(rules.library(), MAY_READ_THE_WORLD))


@pytest.mark.parametrize(
    "source",
    [
        "from datetime import datetime as dt\nx = dt.now(UTC)",
        "import datetime\nx = datetime.date.today()",
        "import time\nx = time.time()",
        "from time import monotonic\nx = monotonic()",
        "import time\ndef f(clock=time.time): ...",
        "import random\nx = random.random()",
        "from random import Random\nx = Random()",
        "from random import shuffle\nshuffle([])",
        "import numpy as np\nx = np.random.default_rng()",
        "import numpy as np\nx = np.random.rand(3)",
        "import uuid\nx = uuid.uuid4()",
        "from uuid_utils import uuid7\nx = uuid7()",
        "import secrets\nx = secrets.token_hex()",
    ],
)
def test_a_clock_or_dice_of_its_own_is_noticed(source: str) -> None:
    assert len(rules.uninjected_clocks_and_dice([module(source)], {})) == 1
    assert rules.uninjected_clocks_and_dice([module(source)], {"omo_core/allocation/": "a reason"}) == []
    assert (
        len(rules.uninjected_clocks_and_dice([module(source)], {"omo_core/allocation/kernels.py::os.urandom": ""})) == 1
    )


@pytest.mark.parametrize(
    "source",
    [
        "from random import Random\nx = Random(seed)",
        "import numpy as np\nx = np.random.default_rng(seed)",
        "import numpy as np\ndef f(rng: np.random.Generator): ...",
        "from datetime import datetime\nx = datetime(2026, 1, 1)",
        "import uuid\nx = uuid.UUID(text)",
        "def f(clock): return clock.now()",
    ],
)
def test_what_was_injected_is_welcome(source: str) -> None:
    assert rules.uninjected_clocks_and_dice([module(source)], {}) == []


def test_one_name_may_be_allowed_in_one_folder() -> None:
    both = module("import time\nx = time.perf_counter()\ny = time.time()")
    for where in ("omo_core/allocation/", "omo_core/allocation/kernels.py"):
        [found] = rules.uninjected_clocks_and_dice([both], {f"{where}::time.perf_counter": "shown only"})
        assert "time.time " in found


def test_nothing_is_left_for_later() -> None:
    expect_none(rules.unfinished(rules.texts()))


def test_work_left_for_later_is_noticed() -> None:
    mark = "TO" + "DO"
    files = [("a.py", f"x = '{mark}'\ny = 1  # {mark}: more\n"), ("b.md", f"{mark} write this"), ("c.csv", mark)]
    assert rules.unfinished(files) == ["a.py:2: unfinished", "b.md:1: unfinished"]


def test_nothing_depends_on_where_it_was_written() -> None:
    expect_none(rules.workplace_words(rules.texts()))


@pytest.mark.parametrize("words", ["see /{}/x.csv", "'/{}'", "(/{})"])
@pytest.mark.parametrize("folder", ["tmp", "root", "work"])
def test_a_path_of_one_machine_is_noticed(words: str, folder: str) -> None:
    assert len(rules.workplace_words([("a.md", words.format(folder))])) == 1


def test_words_of_one_workplace_are_noticed() -> None:
    text = (
        "as iss"
        + "ue #12 says\nin this ses"
        + "sion\na fine line at https://example.org/work\nissue 2 units to /workers\n"
    )
    assert [sentence.split(":")[1] for sentence in rules.workplace_words([("a.md", text)])] == ["1", "2"]


def test_files_and_functions_are_short() -> None:
    # A migration is a frozen list of statements; nobody works on it again.
    expect_none(
        rules.too_long([module for module in rules.library() if "/migrations/versions/" not in module.path], LONGER)
    )


def test_long_files_and_functions_and_loose_ratchets_are_noticed() -> None:
    long_body = "class Pool:\n    def hold(self):\n        '''Why.'''\n" + "        x = 1\n" * 61
    long_file = module("x = 1\n" * 401, "omo_core/long.py")
    pool = module(long_body, "omo_core/pool.py")
    assert rules.too_long([pool, long_file], {}) == [
        "omo_core/pool.py::Pool.hold has 61 lines, more than 60",
        "omo_core/long.py has 401 lines, more than 400",
    ]
    assert rules.too_long([pool], {"omo_core/pool.py::Pool.hold": (61, "one statement a column")}) == []
    assert len(rules.too_long([pool], {"omo_core/pool.py::Pool.hold": (90, "one statement a column")})) == 1
    assert len(rules.too_long([pool], {"omo_core/pool.py::Pool.hold": (61, "")})) == 1
    assert rules.too_long([], {"omo_core/gone.py": (500, "it was long")}) == [
        "omo_core/gone.py needs no ratchet any more"
    ]


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_requirements_are_locked_and_name_no_address(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    expect_none(rules.unlocked_requirements(name, text))


@pytest.mark.parametrize(
    "text",
    [
        "six==1.16.0",
        "six>=1.16 \\\n    --hash=sha256:00",
        "--index-url https://example.org/simple\nsix==1.16.0 \\\n    --hash=sha256:00",
        "--find-links wheels\nsix==1.16.0 \\\n    --hash=sha256:00",
        "six @ https://example.org/six.whl \\\n    --hash=sha256:00",
        "six @ file:///six.whl",
    ],
)
def test_an_unlocked_requirement_is_noticed(text: str) -> None:
    assert rules.unlocked_requirements("run.txt", text) != []
    assert (
        rules.unlocked_requirements("run.txt", "six==1.16.0 ; sys_platform == 'win32' \\\n    --hash=sha256:00") == []
    )


def requirement_names(requirements: list[Any]) -> set[str]:
    names = {
        str(entry).split(";")[0].split("[")[0].split(">")[0].split("=")[0].strip().lower() for entry in requirements
    }
    return names - {"omo-core"}


def test_the_lock_answers_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    locked = {
        name: rules.locked_names((ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8"))
        for name in ("run", "dev")
    }
    core = requirement_names(project["project"]["dependencies"] + project["dependency-groups"]["build"])
    for extra in ("cli", "postgres", "report", "demo"):
        core |= requirement_names(extras[extra])
    assert core <= locked["run"].keys()
    assert core | requirement_names(extras["dev"]) <= locked["dev"].keys()
    assert {name: locked["dev"].get(name) for name in locked["run"]} == locked["run"], (
        "run and test on the same versions"
    )
