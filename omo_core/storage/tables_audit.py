"""The table of what a repair has taken note of; re-exported by `tables`."""

from __future__ import annotations

from omo_core.storage.table_parts import IN_KEY, int_column, table, text_column

acknowledgement = table(
    "acknowledgement",
    ("check_name", "subject"),
    text_column("check_name"),
    text_column("subject"),
    text_column("operation_id"),
    int_column("acknowledged_at_us"),
    **IN_KEY,
)
"""A finding of the audit about what is written for good, by the repair that took note of it. `subject` names the lines of
the ledger and what is wrong with them, so that another break at the same place is a new finding.
"""
