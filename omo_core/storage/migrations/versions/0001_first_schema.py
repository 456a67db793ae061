"""The first schema: one stock pool, its ledger, orders, and the traffic with channels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from omo_core.storage.migrations.first_goods import create_tables_of_goods

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UTF8 = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, UTF8, nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, INT64, nullable=null)


def upgrade() -> None:
    create_tables_of_goods()
    op.create_table(
        "omo_acknowledgement",
        _text("pool_id"),
        _text("check_name"),
        _text("subject"),
        _text("operation_id"),
        _int("acknowledged_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "check_name", "subject", name=op.f("pk_omo_acknowledgement")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_decision",
        _text("pool_id"),
        _text("order_id"),
        _int("attempt"),
        _text("policy_sha256"),
        _text("document"),
        _int("decided_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "order_id", "attempt", name=op.f("pk_omo_decision")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_wave",
        _text("pool_id"),
        _text("wave"),
        _text("solver"),
        _text("policy_sha256"),
        _int("network_version"),
        _text("stock_sha256"),
        _text("document"),
        _int("decided_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "wave", name=op.f("pk_omo_wave")),
        sa.CheckConstraint("network_version >= 0", name=op.f("ck_omo_wave_version_counts")),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_wave_decided", "omo_wave", ["pool_id", "decided_at_us", "wave"])
    op.create_table(
        "omo_wave_prices",
        _text("pool_id"),
        _text("wave"),
        _text("sha256"),
        _text("document"),
        sa.PrimaryKeyConstraint("pool_id", "wave", name=op.f("pk_omo_wave_prices")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_fulfilment",
        _text("pool_id"),
        _text("fulfilment"),
        _text("order_id"),
        _text("node"),
        _text("method"),
        _text("state"),
        _int("version"),
        _int("attempt"),
        _text("why"),
        _int("offered_at_us"),
        _int("closed_at_us", null=True),
        _text("reject_code", null=True),
        _text("reject_reason", null=True),
        _text("tracking", null=True),
        sa.PrimaryKeyConstraint("pool_id", "fulfilment", name=op.f("pk_omo_fulfilment")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_omo_fulfilment_live",
        "omo_fulfilment",
        ["pool_id", "fulfilment"],
        postgresql_where=sa.text("state IN ('offered', 'accepted')"),
        sqlite_where=sa.text("state IN ('offered', 'accepted')"),
    )
    op.create_index("ix_omo_fulfilment_node", "omo_fulfilment", ["pool_id", "node", "state", "fulfilment"])
    op.create_index("ix_omo_fulfilment_order", "omo_fulfilment", ["pool_id", "order_id"])
    op.create_table(
        "omo_fulfilment_line",
        _text("pool_id"),
        _text("fulfilment"),
        _text("hold"),
        _text("order_id"),
        _text("line"),
        _text("sku"),
        _int("quantity"),
        sa.PrimaryKeyConstraint("pool_id", "fulfilment", "hold", name=op.f("pk_omo_fulfilment_line")),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_omo_fulfilment_line_quantity_positive")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_hold",
        _text("pool_id"),
        _text("hold"),
        _text("owner"),
        _text("line"),
        _text("sku"),
        _text("node"),
        _text("condition"),
        _int("quantity"),
        _int("pending"),
        _int("issued"),
        _int("released"),
        _text("state"),
        _int("placed_at_us"),
        _int("expires_at_us", null=True),
        _text("operation_id"),
        _int("returned"),
        _int("extended"),
        _int("dies_at_us", null=True),
        _text("channel", null=True),
        _text("quota", null=True),
        sa.PrimaryKeyConstraint("pool_id", "hold", name=op.f("pk_omo_hold")),
        sa.CheckConstraint(
            "quantity > 0 AND pending >= 0 AND issued >= 0 AND released >= 0",
            name=op.f("ck_omo_hold_parts_not_negative"),
        ),
        sa.CheckConstraint("0 <= returned AND returned <= issued", name=op.f("ck_omo_hold_returned_within_issued")),
        sa.CheckConstraint("extended >= 0", name=op.f("ck_omo_hold_extensions_not_negative")),
        sa.CheckConstraint("quantity = pending + issued + released", name=op.f("ck_omo_hold_parts_sum_to_whole")),
        sa.CheckConstraint(
            "(pending > 0) = (state IN ('placed', 'confirmed'))", name=op.f("ck_omo_hold_open_while_pending")
        ),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_hold_expiry", "omo_hold", ["pool_id", "state", "expires_at_us"])
    op.create_index("ix_omo_hold_owner", "omo_hold", ["pool_id", "owner"])
    op.create_index("ix_omo_hold_row", "omo_hold", ["pool_id", "sku", "node", "condition", "state"])
    op.create_table(
        "omo_inbox",
        _text("pool_id"),
        _text("channel"),
        _text("event_key"),
        _text("body_sha256"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        _text("topic", null=True),
        _text("state"),
        _text("reason_code", null=True),
        _text("reason", null=True),
        _int("received_at_us"),
        _text("subject", null=True),
        _text("headers", null=True),
        _int("attempts"),
        _int("due_at_us", null=True),
        sa.PrimaryKeyConstraint("pool_id", "channel", "event_key", name=op.f("pk_omo_inbox")),
        sa.CheckConstraint("state IN ('read', 'parked', 'ignored', 'waiting')", name=op.f("ck_omo_inbox_state_known")),
        sa.CheckConstraint("(state = 'waiting') = (due_at_us IS NOT NULL)", name=op.f("ck_omo_inbox_waiting_is_due")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_omo_inbox_parked",
        "omo_inbox",
        ["pool_id", "channel", "event_key"],
        postgresql_where=sa.text("state = 'parked'"),
        sqlite_where=sa.text("state = 'parked'"),
    )
    op.create_index(
        "ix_omo_inbox_waiting",
        "omo_inbox",
        ["pool_id", "channel", "due_at_us"],
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "omo_channel_progress",
        _text("pool_id"),
        _text("channel"),
        _int("listed_until_us"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "channel", name=op.f("pk_omo_channel_progress")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_report",
        _text("pool_id"),
        _text("report"),
        _text("kind"),
        _text("channel"),
        _text("order_id"),
        _text("fulfilment", null=True),
        _text("document", null=True),
        _text("state"),
        _int("attempts"),
        _int("happened_at_us"),
        _int("due_at_us", null=True),
        _text("parts_taken", null=True),
        _text("reason_code", null=True),
        _text("reason", null=True),
        sa.PrimaryKeyConstraint("pool_id", "report", name=op.f("pk_omo_report")),
        sa.CheckConstraint("kind IN ('ship', 'ready', 'acknowledge')", name=op.f("ck_omo_report_kind_known")),
        sa.CheckConstraint("state IN ('waiting', 'done', 'parked', 'skipped')", name=op.f("ck_omo_report_state_known")),
        sa.CheckConstraint("(state = 'waiting') = (due_at_us IS NOT NULL)", name=op.f("ck_omo_report_waiting_is_due")),
        sa.CheckConstraint("attempts >= 0", name=op.f("ck_omo_report_attempts_count")),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_report_order", "omo_report", ["pool_id", "order_id"])
    op.create_index(
        "ix_omo_report_waiting",
        "omo_report",
        ["pool_id", "channel", "due_at_us"],
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "ix_omo_report_parked",
        "omo_report",
        ["pool_id", "channel", "report"],
        postgresql_where=sa.text("state = 'parked'"),
        sqlite_where=sa.text("state = 'parked'"),
    )
    op.create_table(
        "omo_item",
        _text("pool_id"),
        _text("sku"),
        _text("document"),
        _int("version"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "sku", name=op.f("pk_omo_item")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_node",
        _text("pool_id"),
        _text("node"),
        _text("kind"),
        _text("owner", null=True),
        _text("document"),
        _int("version"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "node", name=op.f("pk_omo_node")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_operation",
        _text("pool_id"),
        _text("scope"),
        _text("key"),
        _text("operation_id"),
        _text("kind"),
        _text("request_sha256"),
        _text("answer"),
        _int("created_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "scope", "key", name=op.f("pk_omo_operation")),
        sa.UniqueConstraint("pool_id", "operation_id", name=op.f("uq_omo_operation_pool_id_operation_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_order",
        _text("pool_id"),
        _text("order_id"),
        _text("channel"),
        _text("external_id"),
        _int("source_version"),
        _text("source_sha256"),
        _text("state"),
        _int("version"),
        _int("attempt"),
        _int("held"),
        _text("document", null=True),
        _int("created_at_us"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "order_id", name=op.f("pk_omo_order")),
        sa.CheckConstraint("version >= 1 AND attempt >= 0", name=op.f("ck_omo_order_counts")),
        sa.CheckConstraint(
            "held IN (0, 1) AND (held = 1 OR state <> 'held')", name=op.f("ck_omo_order_held_is_a_flag")
        ),
        sa.UniqueConstraint("pool_id", "channel", "external_id", name=op.f("uq_omo_order_pool_id_channel_external_id")),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_order_state", "omo_order", ["pool_id", "state", "order_id"])
    op.create_table(
        "omo_order_line",
        _text("pool_id"),
        _text("order_id"),
        _text("line"),
        _int("position"),
        _text("sku"),
        _int("ordered"),
        _int("wanted"),
        _int("issued"),
        _int("short"),
        _text("components", null=True),
        _int("pieces", null=True),
        sa.PrimaryKeyConstraint("pool_id", "order_id", "line", name=op.f("pk_omo_order_line")),
        sa.CheckConstraint(
            "0 <= issued AND 0 <= short AND 0 <= wanted AND wanted <= ordered", name=op.f("ck_omo_order_line_counts")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_outbox",
        _text("pool_id"),
        _text("event_id"),
        _text("type"),
        _text("subject"),
        _int("version"),
        _text("data"),
        _int("created_at_us"),
        _int("transaction_id"),
        _int("published_at_us", null=True),
        sa.PrimaryKeyConstraint("pool_id", "event_id", name=op.f("pk_omo_outbox")),
        sa.UniqueConstraint("pool_id", "subject", "version", name=op.f("uq_omo_outbox_pool_id_subject_version")),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_omo_outbox_unpublished",
        "omo_outbox",
        ["pool_id", "transaction_id", "subject", "version"],
        postgresql_where=sa.text("published_at_us IS NULL"),
        sqlite_where=sa.text("published_at_us IS NULL"),
    )
    op.create_table(
        "omo_posting",
        _text("pool_id"),
        _text("operation_id"),
        _int("number"),
        _text("place"),
        _text("sku"),
        _text("node"),
        _text("condition"),
        _int("quantity"),
        _int("reserved"),
        _int("safety"),
        _int("shortage"),
        _int("row_version", null=True),
        _int("on_hand_after", null=True),
        _int("reserved_after", null=True),
        _int("safety_after", null=True),
        _int("shortage_after", null=True),
        _int("posted_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "operation_id", "number", name=op.f("pk_omo_posting")),
        sa.CheckConstraint(
            "(place = 'stock') = (row_version IS NOT NULL)", name=op.f("ck_omo_posting_stock_lines_carry_versions")
        ),
        sa.CheckConstraint(
            "(row_version IS NULL) = (on_hand_after IS NULL)", name=op.f("ck_omo_posting_stock_lines_carry_on_hand")
        ),
        sa.CheckConstraint(
            "(row_version IS NULL) = (reserved_after IS NULL)", name=op.f("ck_omo_posting_stock_lines_carry_reserved")
        ),
        sa.CheckConstraint(
            "(row_version IS NULL) = (safety_after IS NULL)", name=op.f("ck_omo_posting_stock_lines_carry_safety")
        ),
        sa.CheckConstraint(
            "(row_version IS NULL) = (shortage_after IS NULL)", name=op.f("ck_omo_posting_stock_lines_carry_shortage")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index(
        "uq_omo_posting_row_version",
        "omo_posting",
        ["pool_id", "sku", "node", "condition", "row_version"],
        unique=True,
        postgresql_where=sa.text("row_version IS NOT NULL"),
        sqlite_where=sa.text("row_version IS NOT NULL"),
    )
    op.create_table(
        "omo_published",
        _text("pool_id"),
        _text("channel"),
        _text("node"),
        _text("sku"),
        _int("units"),
        _int("sending"),
        _int("version"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "channel", "node", "sku", name=op.f("pk_omo_published")),
        sa.CheckConstraint("sending IN (0, 1)", name=op.f("ck_omo_published_sending_is_a_flag")),
        sa.CheckConstraint("units >= 0 AND version >= 1", name=op.f("ck_omo_published_counts")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_safety_rule",
        _text("pool_id"),
        _text("node_kind"),
        _text("node"),
        _text("sku"),
        _int("units"),
        _int("permille"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "node_kind", "node", "sku", name=op.f("pk_omo_safety_rule")),
        sa.CheckConstraint(
            "units >= 0 AND 0 <= permille AND permille <= 1000", name=op.f("ck_omo_safety_rule_kept_back_is_possible")
        ),
        sa.CheckConstraint("node = '' OR node_kind = ''", name=op.f("ck_omo_safety_rule_one_scope")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_setting",
        _text("pool_id"),
        _text("name"),
        _text("document"),
        _int("version"),
        _int("updated_at_us"),
        sa.PrimaryKeyConstraint("pool_id", "name", name=op.f("pk_omo_setting")),
        sqlite_strict=True,
    )
    op.create_table(
        "omo_stock",
        _text("pool_id"),
        _text("sku"),
        _text("node"),
        _text("condition"),
        _int("on_hand"),
        _int("reserved"),
        _int("safety"),
        _int("shortage"),
        _int("version"),
        _int("halted"),
        _int("safety_permille"),
        sa.PrimaryKeyConstraint("pool_id", "sku", "node", "condition", name=op.f("pk_omo_stock")),
        sa.CheckConstraint("0 <= reserved AND reserved <= on_hand", name=op.f("ck_omo_stock_reserved_within_on_hand")),
        sa.CheckConstraint("safety >= 0 AND shortage >= 0", name=op.f("ck_omo_stock_counters_not_negative")),
        sa.CheckConstraint(
            "0 <= safety_permille AND safety_permille <= 1000", name=op.f("ck_omo_stock_safety_permille_is_share")
        ),
        sa.CheckConstraint("version >= 1", name=op.f("ck_omo_stock_version_counts")),
        sa.CheckConstraint("halted IN (0, 1)", name=op.f("ck_omo_stock_halted_is_flag")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_quota",
        _text("pool_id"),
        _text("sku"),
        _text("channel"),
        _text("quota"),
        _text("kind"),
        _int("units"),
        _int("used"),
        _int("gives_back_at_us", null=True),
        _int("version"),
        sa.PrimaryKeyConstraint("pool_id", "sku", "channel", name=op.f("pk_omo_quota")),
        sa.CheckConstraint("kind IN ('ring_fenced', 'capped')", name=op.f("ck_omo_quota_kind_known")),
        sa.CheckConstraint("kind <> 'capped' OR used <= units", name=op.f("ck_omo_quota_used_within_cap")),
        sa.CheckConstraint("units >= 0 AND used >= 0", name=op.f("ck_omo_quota_units_not_negative")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_omo_quota_version_counts")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_capacity_slot",
        _text("pool_id"),
        _text("node"),
        _int("slot_at_us"),
        _int("capacity"),
        _int("used"),
        _int("version"),
        sa.PrimaryKeyConstraint("pool_id", "node", "slot_at_us", name=op.f("pk_omo_capacity_slot")),
        sa.CheckConstraint("0 <= used AND used <= capacity", name=op.f("ck_omo_capacity_slot_used_within_capacity")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_omo_capacity_slot_version_counts")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_slot_claim",
        _text("pool_id"),
        _text("owner"),
        _text("node"),
        _int("slot_at_us"),
        _int("held"),
        _int("done"),
        _int("released"),
        sa.PrimaryKeyConstraint("pool_id", "owner", "node", "slot_at_us", name=op.f("pk_omo_slot_claim")),
        sa.CheckConstraint(
            "held >= 0 AND done >= 0 AND released >= 0", name=op.f("ck_omo_slot_claim_parts_not_negative")
        ),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_backorder_cap",
        _text("pool_id"),
        _text("sku"),
        _text("node"),
        _text("kind"),
        _int("cap"),
        _int("promised"),
        _int("opens_at_us", null=True),
        _int("closes_at_us", null=True),
        _int("version"),
        sa.PrimaryKeyConstraint("pool_id", "sku", "node", name=op.f("pk_omo_backorder_cap")),
        sa.CheckConstraint("version >= 1", name=op.f("ck_omo_backorder_cap_version_counts")),
        sa.CheckConstraint("kind IN ('backorder', 'preorder')", name=op.f("ck_omo_backorder_cap_kind_known")),
        sa.CheckConstraint("0 <= promised AND promised <= cap", name=op.f("ck_omo_backorder_cap_promised_within_cap")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_table(
        "omo_backorder",
        _text("pool_id"),
        _text("backorder"),
        _text("owner"),
        _text("line"),
        _text("sku"),
        _text("node"),
        _text("channel", null=True),
        _int("quantity"),
        _int("open"),
        _int("converted"),
        _int("released"),
        _int("placed_at_us"),
        _int("promised_for_us", null=True),
        _text("operation_id"),
        sa.PrimaryKeyConstraint("pool_id", "backorder", name=op.f("pk_omo_backorder")),
        sa.CheckConstraint(
            "quantity > 0 AND open >= 0 AND converted >= 0 AND released >= 0",
            name=op.f("ck_omo_backorder_parts_not_negative"),
        ),
        sa.CheckConstraint("quantity = open + converted + released", name=op.f("ck_omo_backorder_parts_sum_to_whole")),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_backorder_owner", "omo_backorder", ["pool_id", "owner"])
    op.create_index(
        "ix_omo_backorder_waiting",
        "omo_backorder",
        ["pool_id", "sku", "node", "placed_at_us", "backorder"],
        postgresql_where=sa.text("open > 0"),
        sqlite_where=sa.text("open > 0"),
    )

    if op.get_bind().dialect.name == "sqlite":
        for word in ("update", "delete"):
            op.execute(
                f"CREATE TRIGGER omo_posting_no_{word} BEFORE {word.upper()} ON omo_posting "
                "BEGIN SELECT RAISE(ABORT, 'postings are append-only: post a correction instead'); END"
            )
    else:
        op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON omo_posting FROM PUBLIC, CURRENT_USER")
