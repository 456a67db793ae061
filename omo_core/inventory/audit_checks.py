"""Everything the auditor asks, in the order of its questions; each story has its own file."""

from __future__ import annotations

from typing import Final

from omo_core.inventory import audit_checks_goods, audit_checks_operations, audit_checks_orders, audit_checks_rows
from omo_core.inventory.audit_check import Check

ACKNOWLEDGED_STANDS = Check(
    21,
    "acknowledged_findings_stand",
    "Operation {operation_id} acknowledged a finding of {check_name}, but {why}.",
    """
    SELECT a.operation_id, a.check_name, 'it is not recorded as a repair' AS why FROM omo_acknowledgement AS a
    WHERE a.pool_id = :pool AND NOT EXISTS
          (SELECT 1 FROM omo_operation AS o WHERE o.pool_id = :pool AND o.operation_id = a.operation_id
           AND o.kind IN ('repair', 'acknowledge') AND o.answer <> '')
    """,
)
"""What is acknowledged is written for good, so a finding that no longer shows was made to vanish: the auditor adds those."""

CHECKS: Final = (
    *audit_checks_rows.CHECKS,
    *audit_checks_goods.CHECKS,
    *audit_checks_operations.CHECKS,
    *audit_checks_orders.CHECKS,
    ACKNOWLEDGED_STANDS,
)
