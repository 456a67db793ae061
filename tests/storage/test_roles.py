"""A role of a real server does the whole pool's work, and cannot touch history or the schema."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import psycopg
import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from omo_core.hub import OrderHub
from omo_core.inventory.repair import RepairRow, repair
from omo_core.model.errors import DatabaseError, InvalidInput
from omo_core.model.stock import ConfirmHolds, HoldRequest, Issue, IssueHolds, ReleaseHolds
from omo_core.storage import roles, tables
from omo_core.storage.database import Database
from omo_core.storage.roles import RoleKind
from omo_core.testing.postgres import PostgresServer
from tests.orders.conftest import NEAR, NETWORK, order

POOL = "default"

_numbers = count(1)


@pytest.fixture
def owned_url(postgres_url: str) -> str:
    """A database with our tables and a small network."""
    with OrderHub.open(postgres_url) as hub:
        hub.network.load(NETWORK)
    return postgres_url


@pytest.fixture
def role(postgres_server: PostgresServer, owned_url: str) -> Iterator[str]:
    """A role that can log in and may nothing yet; its name needs quoting."""
    name = f'Clerk 100% "{next(_numbers)}"'
    quoted = '"' + name.replace('"', '""') + '"'
    with psycopg.connect(as_user(owned_url, "postgres", driver=False), autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {quoted} LOGIN")
        yield name
        connection.execute(f"DROP OWNED BY {quoted}")
        connection.execute(f"DROP ROLE {quoted}")


def as_user(url: str, user: str, *, driver: bool = True) -> str:
    made = make_url(url).set(username=user)
    return (made if driver else made.set(drivername="postgresql")).render_as_string(hide_password=False)


def granted(owned_url: str, role: str, kind: RoleKind = RoleKind.SERVICE) -> str:
    """The URL of the role after its grants, applied twice."""
    with Database.open(owned_url, migrate="never") as database:
        assert roles.apply(database, role, kind) == roles.apply(database, role, kind)
    return as_user(owned_url, role)


def refused(connection: Connection, sql: str) -> str:
    with connection.begin_nested() as attempt:
        with pytest.raises(DBAPIError) as raised:
            connection.exec_driver_sql(sql)
        attempt.rollback()
    return str(raised.value.orig)


def test_a_service_does_the_whole_work_of_the_pool(owned_url: str, role: str) -> None:
    with OrderHub.open(granted(owned_url, role)) as hub:
        assert hub.network.load(NETWORK).items_added == 0
        hub.stock.receive(node=NEAR, sku="A", quantity=10, key="r")
        hub.stock.set_safety(node=NEAR, sku="A", quantity=1, key="safe")
        lines = [HoldRequest(owner="o", line=str(n), sku="A", node=NEAR, quantity=2) for n in (1, 2)]
        first, second = (hold.hold for hold in hub.stock.hold(lines, key="h").holds)
        hub.stock.apply_many(
            [
                ConfirmHolds(key="c", holds=(first,)),
                IssueHolds(key="i", lines=(Issue(hold=first, quantity=2),)),
                ReleaseHolds(key="x", holds=(second,)),
            ]
        )
        soon = hub.database.clock.now() + timedelta(microseconds=1)
        hub.stock.hold(lines[:1], key="brief", expires_at=soon)
        assert len(hub.stock.expire()) == 1
        assert hub.stock.counter_sale(node=NEAR, sku="A", quantity=99, key="s").shortages
        assert hub.stock.hold(lines, key="none left").refusals
        hub.stock.receive(node=NEAR, sku="A", quantity=10, key="again")
        placed = hub.orders.place(order("web-1", {"A": 1}))
        assert hub.orders.cancel("shop", "web-1").order == placed.order
        hub.database.run(POOL, lambda tx: tx.connection.exec_driver_sql("UPDATE omo_stock SET on_hand = on_hand + 1"))
        assert not hub.audit(halt=True).clean
        mend = RepairRow(key="m", sku="A", node=NEAR, on_hand=3, by="op-1", reason="counted")
        assert hub.database.run(POOL, lambda tx: repair(tx, mend)).applied
        assert hub.audit().clean


PERMISSION = "permission denied for table omo_posting"


FORBIDDEN = [
    ("UPDATE omo_posting SET quantity = 5", PERMISSION),
    ("DELETE FROM omo_posting", PERMISSION),
    ("TRUNCATE omo_posting", PERMISSION),
    ("TRUNCATE omo_stock", "permission denied"),
    ("DELETE FROM omo_hold", "permission denied"),
    ("DELETE FROM omo_stock", "permission denied"),
    ('DELETE FROM "omo_order"', "permission denied"),
    ("DELETE FROM omo_outbox", "permission denied"),
    ("UPDATE omo_acknowledgement SET subject = ''", "permission denied"),
    ("UPDATE omo_alembic_version SET version_num = 'x'", "permission denied"),
    ("DROP TABLE omo_hold", "must be owner"),
    ("ALTER TABLE omo_posting DROP COLUMN quantity", "must be owner"),
    ("ALTER TABLE omo_operation DISABLE ROW LEVEL SECURITY", "must be owner"),
    ("CREATE TABLE mine (id INTEGER)", "permission denied for schema"),
    ("CREATE INDEX mine ON omo_stock (sku)", "must be owner"),
]


def test_a_service_cannot_change_history_or_the_schema(owned_url: str, role: str) -> None:
    with Database(granted(owned_url, role)) as database, database.connection() as connection:
        for sql, sentence in FORBIDDEN:
            assert sentence in refused(connection, sql), sql


def test_an_answer_is_final_also_for_who_may_delete_claims(owned_url: str, role: str) -> None:
    with OrderHub.open(granted(owned_url, role)) as hub:
        hub.stock.receive(node=NEAR, sku="A", quantity=10, key="r")
        with hub.database.connection() as connection:
            assert connection.exec_driver_sql("DELETE FROM omo_operation").rowcount == 0
            assert connection.exec_driver_sql("UPDATE omo_operation SET answer = 'x'").rowcount == 0
            assert connection.exec_driver_sql("SELECT count(*) FROM omo_operation").scalar_one() == 1
        assert hub.audit().clean


def test_a_report_reads_and_audits_and_sees_no_person(owned_url: str, role: str) -> None:
    with OrderHub.open(owned_url) as owner:
        owner.stock.receive(node=NEAR, sku="A", quantity=10, key="r")
        owner.orders.place(order("web-1", {"A": 1}))
    with OrderHub.open(granted(owned_url, role, RoleKind.REPORTING)) as hub:
        report = hub.audit()
        assert report.clean
        assert report.counted["omo_posting"] > 0
        assert hub.stock.available("A") == 9
        with hub.database.connection() as connection:
            assert connection.exec_driver_sql('SELECT count(order_id) FROM "omo_order"').scalar_one() == 1
            for sql in (
                'SELECT document FROM "omo_order"',
                'SELECT * FROM "omo_order"',
                "SELECT body FROM omo_inbox",
                "UPDATE omo_stock SET halted = 1",
                "INSERT INTO omo_setting VALUES ('p', 'n', 'd', 1, 1)",
                "CREATE TABLE mine (id INTEGER)",
            ):
                assert "permission denied" in refused(connection, sql)


def test_a_role_changes_its_kind(owned_url: str, role: str) -> None:
    url = granted(owned_url, role)
    assert granted(owned_url, role, RoleKind.REPORTING) == url
    with Database.open(url) as database, database.connection() as connection:
        assert "permission denied" in refused(connection, "UPDATE omo_stock SET halted = 1")


def test_roles_that_no_grant_holds_are_refused(owned_url: str, role: str) -> None:
    with Database.open(owned_url) as database:
        for name, sentence in (("postgres", "superuser"), ("omo", "owns the tables"), ("nobody here", "no role")):
            with pytest.raises(DatabaseError, match=sentence):
                roles.apply(database, name)
        with database.connection() as connection:
            connection.exec_driver_sql("GRANT CREATE ON SCHEMA public TO PUBLIC")
        with pytest.raises(DatabaseError, match="because everybody may"):
            roles.apply(database, role)


def test_a_schema_of_its_own(postgres_url: str, owned_url: str, role: str) -> None:
    with Database.open(postgres_url, schema="Shop two") as database:
        roles.apply(database, role)
    with Database.open(as_user(owned_url, role), schema="Shop two", migrate="never") as database:
        assert database.read(POOL, lambda tx: tx.select(tables.stock, ("sku",), ("sku",), [("A",)])) == []


def test_sqlite_has_no_roles() -> None:
    with Database.open("sqlite:///:memory:") as database, pytest.raises(InvalidInput, match="SQLite has no roles"):
        roles.apply(database, "clerk")


@pytest.mark.parametrize("name", ["", "x" * 64, "a\x00b"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(InvalidInput, match="1 to 63 bytes"):
        roles.statements(name)


def test_every_table_is_granted_and_only_written_once_ones_are_not_updated() -> None:
    made = roles.statements("clerk", schema="s")
    for table in tables.metadata.sorted_tables:
        (grant,) = (one for one in made if one.startswith("GRANT") and f'"{table.name}"' in one)
        assert ("UPDATE" in grant) == (table not in roles.WRITTEN_ONCE)
        assert ("DELETE" in grant) == (table in roles.DELETED_FROM)
        assert "TRUNCATE" not in grant
