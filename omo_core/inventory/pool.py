"""The stock pool's one story: lock, find what was answered before, decide in arrival order, write once, answer all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from omo_core.inventory.load import ask_named, load
from omo_core.inventory.record import record
from omo_core.inventory.registry import perform
from omo_core.inventory.working import WorkingSet
from omo_core.model.errors import DuplicateKeyMismatch
from omo_core.model.refusals import Refusal
from omo_core.model.stock import StockAnswer
from omo_core.model.stock_commands import StockCommand
from omo_core.model.values import of_valid
from omo_core.storage import operations
from omo_core.storage.operations import Operation, ScopedKey
from omo_core.storage.transaction import Transaction

KEY_REUSED: Final = "key_reused"
"""Code of the refusal in a batch where `apply_one` raises `DuplicateKeyMismatch`."""

SOLD_SHORT: Final = "omo.stock.sold_short.v1"
"""The one fact of the pool that somebody must act on: a sale took goods that were promised, or never in the book.

Every other change can be read from the ledger's postings, row by row and version by version; announcing each again
would double the writing. Its subject is the operation, which happens once.
"""


def apply_one(tx: Transaction, command: StockCommand) -> StockAnswer:
    """Apply one command in `tx` and return its answer; see `apply_many`.

    Raises `DuplicateKeyMismatch` where the key was used for another request.
    """
    (answer,) = apply_many(tx, [command])
    if (mismatch := mismatch_of(command, answer)) is not None:
        raise mismatch
    return answer


def mismatch_of(command: StockCommand, answer: StockAnswer) -> DuplicateKeyMismatch | None:
    """The exception for one caller whose command was answered with `key_reused`."""
    if not any(refusal.code == KEY_REUSED for refusal in answer.refusals):
        return None
    return DuplicateKeyMismatch(
        f"The key {command.key!r} of {command.scope!r} was used for another request; nothing was applied. "
        "Use a new key for a new command.",
        scope=command.scope,
        key=command.key,
    )


class Asked(NamedTuple):
    """A command with what the pool compares it by, made by whoever asks: that is time the batch does not wait for."""

    name: ScopedKey
    command: StockCommand
    digest: str


def asked(command: StockCommand) -> Asked:
    """A command ready for `apply_asked`."""
    return Asked((command.scope, command.key), command, command.digest())


def apply_many(tx: Transaction, commands: Iterable[StockCommand]) -> list[StockAnswer]:
    """Apply commands in the order they came, in one transaction, and return one answer each.

    Each command is all or nothing, and its refusal fails no other. A repeated key, also within the batch, gets its
    stored answer; a key that was used for another request is refused with `key_reused`, because an exception would
    take the other callers' commands with it. Nothing is applied unless `tx` commits.
    """
    return apply_asked(tx, [asked(command) for command in commands])


def apply_asked(tx: Transaction, commands: Sequence[Asked]) -> list[StockAnswer]:
    """As `apply_many`."""
    plain = [one.command for one in commands]
    named, names = ask_named(tx, plain), {one.name for one in commands}
    # Under the locks of the rows: a rival with the same key had to let go of them, and has its answer in the book.
    answered = operations.ask(tx, names) if named.only_rows else None
    work = load(tx, plain, named)
    stored = operations.answered(tx, names) if answered is None else operations.stored(answered)
    digests = {name: one.request_sha256 for name, one in stored.items()}
    fresh: dict[ScopedKey, StockCommand] = {}
    for name, command, digest in commands:
        if name not in digests:
            digests[name], fresh[name] = digest, command
    answers = _apply_fresh(tx, work, fresh, digests) if fresh else {}
    for name, _, digest in commands:
        if name not in answers and digests[name] == digest:
            answers[name] = StockAnswer.model_validate_json(stored[name].answer)
    return [answers[name] if digests[name] == digest else _key_reused(command) for name, command, digest in commands]


def _apply_fresh(
    tx: Transaction, work: WorkingSet, fresh: Mapping[ScopedKey, StockCommand], digests: Mapping[ScopedKey, str]
) -> dict[ScopedKey, StockAnswer]:
    """Decide the commands whose keys are new, write what they change, and store an answer for each."""
    answers: dict[ScopedKey, StockAnswer] = {}
    rows: list[Operation] = []
    for name, command in fresh.items():
        operation_id = tx.new_id()
        outcome = perform(work, operation_id, command)
        answer = of_valid(
            StockAnswer,
            version=1,
            key=command.key,
            kind=command.kind,
            refusals=outcome.refusals,
            holds=outcome.holds,
            displaced=outcome.displaced,
            shortages=outcome.shortages,
            claims=outcome.claims,
            backorders=outcome.backorders,
            corrections=outcome.corrections,
            row_refusals=outcome.row_refusals,
        )
        answers[name] = answer
        rows.append(Operation(*name, operation_id, command.kind, digests[name], answer.model_dump_json()))
        if answer.displaced or answer.shortages:
            tx.publish(SOLD_SHORT, f"operation/{operation_id}", _sold_short(command, answer))
    record(tx, work, rows)
    return answers


def _sold_short(command: StockCommand, answer: StockAnswer) -> dict[str, object]:
    return {
        "kind": command.kind,
        "reference": getattr(command, "reference", None),
        "displaced": [one.model_dump(mode="json") for one in answer.displaced],
        "shortages": [one.model_dump(mode="json") for one in answer.shortages],
    }


def _key_reused(command: StockCommand) -> StockAnswer:
    """An answer that is not stored: the key belongs to the other request."""
    refusal = Refusal.of(KEY_REUSED, key=command.key)
    return StockAnswer(key=command.key, kind=command.kind, refusals=(refusal,))
