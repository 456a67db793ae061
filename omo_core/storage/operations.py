"""Operation keys: a command is applied once, and whoever repeats its key gets the stored answer.

A transaction claims its keys before it touches anything else. On PostgreSQL the claim is a row without an answer,
inserted in key order with ON CONFLICT DO NOTHING: a rival with the same key waits there until the first one ends and
then reads its answer in the next statement, which under READ COMMITTED sees it. Inserting the row only at the end would
let both do the work and make one fail; a lock per key would exhaust the lock table of a large batch. Sorted keys, taken
before all other locks, cannot deadlock. SQLite needs no claim: its transaction holds the only write lock.

A claim is a second write of the row. Commands on stock do without: rivals with one key name the same stock rows, so
whoever looks for answers under the locks of those rows (`answered`) finds the first one's, or writes its own once
(`add`). Where there was no row to lock yet, the primary key decides, and the second one's transaction runs again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from sqlalchemy import delete

from omo_core.model.errors import DatabaseError, DuplicateKeyMismatch
from omo_core.model.values import Value
from omo_core.storage import tables
from omo_core.storage.ahead import Answer
from omo_core.storage.transaction import Transaction

ScopedKey = tuple[str, str]
A = TypeVar("A", bound=Value)

_COLUMNS: Final = ("scope", "key", "operation_id", "kind", "request_sha256", "answer", "created_at_us")
_CLAIMS: Final = "operation claims"


@dataclass(frozen=True, slots=True)
class Stored:
    """What an earlier command left under its key; `answer` is JSON text, given again word for word."""

    operation_id: str
    kind: str
    request_sha256: str
    answer: str
    created_at_us: int


class Operation(NamedTuple):
    """One command's row to record, in the order of the table's columns; `answer` is JSON text and never empty."""

    scope: str
    key: str
    operation_id: str
    kind: str
    request_sha256: str
    answer: str


def find(tx: Transaction, keys: Iterable[ScopedKey]) -> dict[ScopedKey, Stored]:
    """The stored operations among `keys` (scope, key); the others are claimed until `tx` ends, for `record`.

    Call it first in a transaction, with all its keys at once. A claim that is never recorded leaves nothing.
    """
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    return answered(tx, _claim(tx, wanted) if tx.postgres else wanted)


def answered(tx: Transaction, keys: Iterable[ScopedKey]) -> dict[ScopedKey, Stored]:
    """The stored operations among `keys`, without a claim on the others: for `add`."""
    return stored(ask(tx, keys))


def ask(tx: Transaction, keys: Iterable[ScopedKey]) -> Answer:
    """As `answered`, not waiting for the answer: `stored` makes of it what is wanted."""
    return tx.ask(tables.operation, _COLUMNS, ("scope", "key"), keys)


def stored(asked: Answer) -> dict[ScopedKey, Stored]:
    """The operations of which `ask` asked."""
    found = {}
    for scope, key, *rest in asked():
        operation = Stored(*rest)
        if operation.answer:  # else it is a claim of this very transaction: those of others are never committed
            found[scope, key] = operation
    return found


def add(tx: Transaction, operations: Sequence[Operation]) -> None:
    """Store the answers of commands that `answered` did not find, in key order; whoever was first wins.

    A rival's row that was committed meanwhile breaks the primary key: the whole transaction runs again and finds it.
    """
    _require_answers(operations)
    tx.insert_tuples(tables.operation, _COLUMNS, [(*operation, tx.now_us) for operation in sorted(operations)])


def record(tx: Transaction, operations: Sequence[Operation]) -> None:
    """Store the answers of commands whose keys `find` gave to this transaction."""
    if not operations:
        return
    if not tx.postgres:
        add(tx, operations)
        return
    _require_answers(operations)
    rows = [(*operation, tx.now_us) for operation in operations]
    # The guard on the empty answer is what makes an answer final.
    claimed = [{**dict(zip(_COLUMNS, row, strict=True)), "unanswered": ""} for row in rows]
    keys = {"scope": "scope", "key": "key", "answer": "unanswered"}
    matched = tx.update(tables.operation, claimed, keys=keys, changes=_COLUMNS[2:])
    if matched != len(operations):
        raise DatabaseError(f"{len(operations) - matched} operations were recorded twice or without find(): a defect")
    claims = tx.at_commit(_CLAIMS, _drop_claims)
    done = {(operation.scope, operation.key) for operation in operations}
    claims[:] = [claim for claim in claims if claim not in done]


def _require_answers(operations: Sequence[Operation]) -> None:
    if not all(operation.answer for operation in operations):
        raise DatabaseError("An operation needs an answer that is not empty")


def require_same(stored: Stored, command: Command) -> None:
    """Raise `DuplicateKeyMismatch` unless the stored operation was this very request."""
    if stored.request_sha256 != command.digest():
        raise DuplicateKeyMismatch(
            f"The key {command.key!r} of {command.scope!r} was used for another request; nothing was applied. "
            "Use a new key for a new command.",
            scope=command.scope,
            key=command.key,
        )


def _claim(tx: Transaction, wanted: list[ScopedKey]) -> list[ScopedKey]:
    """Claim keys; returns those that were taken before, committed by others or claimed by this transaction."""
    blank = {"kind": "", "request_sha256": "", "answer": "", "created_at_us": tx.now_us}
    # A claim's id is its own, never made from the key: rivals must meet in the index that ON CONFLICT names and in no
    # other. A plain unique index lets each wait for the other's half-inserted row, which is a deadlock.
    rows = [{"scope": scope, "key": key, "operation_id": f"?{tx.new_id()}", **blank} for scope, key in wanted]
    claimed = tx.insert_new(tables.operation, rows)
    tx.at_commit(_CLAIMS, _drop_claims).extend(claimed)
    taken = set(wanted).difference(claimed)
    return sorted(taken)


def _drop_claims(tx: Transaction, claims: list[ScopedKey]) -> None:
    """A command that left no answer left no key: rivals who wait for it may have it."""
    o = tables.operation.c
    for scope, key in claims:
        mine = (o.pool_id == tx.pool, o.scope == scope, o.key == key, o.answer == "")
        tx.connection.execute(delete(tables.operation).where(*mine))


class Command(Protocol):
    """What a keyed command has: `model.stock.Command` and its kin."""

    @property
    def key(self) -> str: ...
    @property
    def scope(self) -> str: ...
    @property
    def kind(self) -> str: ...
    def digest(self) -> str: ...


class Keyed:
    """A batch of commands and their keys: which are new, and in the end one answer each.

    A repeated key gets its stored answer, also within the batch. The same key with another request raises
    `DuplicateKeyMismatch` for the whole batch, before anything is applied.
    """

    def __init__(self, tx: Transaction, commands: Sequence[Any]) -> None:
        self._tx = tx
        self._commands: Sequence[Command] = commands
        self._stored = find(tx, [(command.scope, command.key) for command in commands])
        self._ids: dict[ScopedKey, str] = {}
        self._answers: dict[ScopedKey, Value] = {}
        self._fresh = self._sift()

    def _sift(self) -> list[Any]:
        fresh: dict[ScopedKey, Command] = {}
        digests: dict[ScopedKey, str] = {}
        for command in self._commands:
            name = (command.scope, command.key)
            stored = self._stored.get(name)
            if stored is not None:
                require_same(stored, command)
            elif name not in fresh:
                fresh[name], digests[name] = command, command.digest()
                self._ids[name] = self._tx.new_id()
            else:
                require_same(Stored(self._ids[name], command.kind, digests[name], "", 0), command)
        return list(fresh.values())

    def fresh(self) -> list[Any]:
        """The commands to apply now, in the order they came, each key once."""
        return self._fresh

    def operation_id(self, command: Command) -> str:
        """The id under which a fresh command is recorded."""
        return self._ids[command.scope, command.key]

    def answer(self, command: Command, answer: Value) -> None:
        """Give a fresh command its answer."""
        self._answers[command.scope, command.key] = answer

    def answers(self, model: type[A]) -> list[A]:
        """Record the fresh commands and return the answer to each command, in the order they came."""
        record(self._tx, [self._operation(command) for command in self._fresh])
        known: Mapping[ScopedKey, A] = {
            **{name: model.model_validate_json(stored.answer) for name, stored in self._stored.items()},
            **{name: answer for name, answer in self._answers.items() if isinstance(answer, model)},
        }
        return [known[command.scope, command.key] for command in self._commands]

    def _operation(self, command: Command) -> Operation:
        answer = self._answers[command.scope, command.key]
        operation_id = self.operation_id(command)
        return Operation(
            command.scope, command.key, operation_id, command.kind, command.digest(), answer.model_dump_json()
        )
