"""Mutants of what callers and readers are told: keys and stored answers, acknowledgements, facts in the outbox."""

from __future__ import annotations

from typing import Final

from tools.mutants.mutant import Edit, Mutant

_POOL: Final = "omo_core/inventory/pool.py"
_COMMIT: Final = 'tx.connection.exec_driver_sql("COMMIT")\n    tx.connection.exec_driver_sql("BEGIN IMMEDIATE")\n'

MUTANTS: Final = (
    Mutant(
        number=11,
        what="operation row in its own transaction",
        how="The answer is committed first, the rows that it tells of in a second transaction.",
        edits=(
            Edit(
                _POOL,
                "    record(tx, work, rows)\n",
                f"    operations.add(tx, rows)\n    {_COMMIT}    record(tx, work)\n",
            ),
        ),
        killers=("tests/inventory/test_pool.py::test_a_failure_in_the_middle_leaves_nothing_behind[sqlite-memory]",),
        shows="before ==",
    ),
    Mutant(
        number=12,
        what="stored answer not compared by hash",
        how="Whoever uses a key again gets the answer to the first request, whatever he asks for.",
        edits=(
            Edit(_POOL, "if name not in answers and digests[name] == digest:", "if name not in answers:"),
            Edit(
                _POOL, "[answers[name] if digests[name] == digest else _key_reused(command) for", "[answers[name] for"
            ),
        ),
        killers=("tests/inventory/test_pool.py::test_a_key_used_for_another_request_is_refused_alone[sqlite-memory]",),
        shows="key_reused",
    ),
    Mutant(
        number=12,
        letter="b",
        what="stored answer not compared by hash",
        how="The same for commands that claim their keys.",
        edits=(
            Edit(
                "omo_core/storage/operations.py",
                "if stored.request_sha256 != command.digest():",
                "if not stored.request_sha256:",
            ),
        ),
        killers=(
            "tests/storage/test_operations.py::test_a_key_with_another_request_is_refused_and_nothing_applied"
            "[sqlite-memory-True]",
        ),
        shows="DID NOT RAISE",
    ),
    Mutant(
        number=12,
        letter="c",
        what="stored answer not compared by hash",
        how="A message with the key of another one counts as its repetition and is not kept.",
        edits=(Edit("omo_core/storage/inbox.py", "if kept[name] != digest:", "if not kept[name]:"),),
        killers=("tests/storage/test_inbox.py::test_new_then_duplicate_then_mismatch[sqlite-memory]",),
        shows="mismatch",
    ),
    Mutant(
        number=13,
        what="acknowledge before commit",
        how="Callers of the combiner have their answers while the batch is still to be committed.",
        edits=(
            Edit(
                "omo_core/inventory/combiner.py",
                "                answers.extend(given)\n",
                "                answers.extend(given)\n"
                "            for entry, answer in zip(batch, answers, strict=True):\n"
                "                entry.future.set_result(answer)\n",
            ),
            Edit(
                "omo_core/inventory/combiner.py",
                "                if isinstance(answer, Exception):\n",
                "                if entry.future.done():\n"
                "                    continue\n"
                "                if isinstance(answer, Exception):\n",
            ),
        ),
        killers=("tests/inventory/test_combiner_faults.py::test_an_answer_comes_after_its_commit[sqlite-file]",),
        shows="seen ==",
    ),
    Mutant(
        number=14,
        what="retry without the key",
        how="Each try of a command goes under a key of its own, so a commit of unknown outcome is applied again.",
        edits=(
            Edit(
                _POOL,
                "return Asked((command.scope, command.key),",
                'return Asked((command.scope, f"{command.key}/{id(object())}/{next(_TRIES)}"),',
            ),
            Edit(
                _POOL,
                "class Asked(",
                '_TRIES = __import__("itertools").count()\n\n\nclass Asked(',
            ),
        ),
        killers=(
            "tests/reliability/test_cuts.py::test_run_repeats_a_commit_of_unknown_outcome_with_the_same_key[Cut.ANSWER]",
        ),
        shows="assert 9 == 3",
        postgres=True,
    ),
    Mutant(
        number=18,
        what="outbox read by `id > last`",
        how="Facts are read as they become visible: one of an older transaction comes behind the reader's place.",
        edits=(Edit("omo_core/storage/outbox.py", '_SETTLED_POSTGRES if tx.postgres else ""', '""'),),
        killers=("tests/storage/test_outbox.py::test_a_reader_on_cannot_be_overtaken",),
        shows="an older transaction may still write before it",
        postgres=True,
    ),
    Mutant(
        number=19,
        what="published before commit",
        how="Facts are committed at once, and stay when the transaction that made them true fails.",
        edits=(
            Edit(
                "omo_core/storage/outbox.py",
                "    waiting = tx.at_commit(_NAME, _write)\n    waiting.extend(rows)\n",
                f"    _write(tx, rows)\n    {_COMMIT}",
            ),
        ),
        killers=(
            "tests/storage/test_outbox.py::test_a_transaction_that_fails_publishes_nothing_and_leaves_no_gap"
            "[sqlite-memory]",
        ),
        shows="('a', 3)",
    ),
)
