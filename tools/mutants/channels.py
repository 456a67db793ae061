"""Mutants of what comes from outside: signatures, money, and messages that come late or in another order."""

from __future__ import annotations

from typing import Final

from tools.mutants.mutant import Edit, Mutant

_CANONICAL: Final = (
    '__import__("json").dumps(__import__("json").loads(body), ensure_ascii=False, separators=(",", ":")).encode()'
)

MUTANTS: Final = (
    Mutant(
        number=16,
        what="cancel before create dropped",
        how="The cancellation of an order that is not known yet is answered and forgotten.",
        edits=(Edit("omo_core/orders/intake.py", "book.add(_tombstone(tx, one))", "_tombstone(tx, one)"),),
        killers=("tests/orders/test_place.py::test_a_cancellation_that_comes_first_is_remembered[sqlite-memory]",),
        shows="OrderState.CANCELLED",
    ),
    Mutant(
        number=17,
        what="stale version accepted",
        how="An older version of an order takes the place of a newer one.",
        edits=(
            Edit("omo_core/orders/intake.py", "if order.source_version < entry.source_version:", "if order is None:"),
            # Nor are the documents of newer ones alone read for comparison.
            Edit(
                "omo_core/orders/intake.py",
                "and order.source_version >= entry.source_version + (not asked)",
                "and order is not None",
            ),
        ),
        killers=("tests/orders/test_place.py::test_an_older_version_changes_nothing[sqlite-memory]",),
        shows='late.refusals[0].code == "stale_version"',
    ),
    Mutant(
        number=17,
        letter="b",
        what="stale version accepted",
        how="A stock feed overwrites what a later one of its source has said.",
        edits=(
            Edit("omo_core/inventory/verbs_counts.py", "reading.sequence <= last.sequence", "reading.sequence < 0"),
        ),
        killers=(
            "tests/inventory/test_feeds.py::test_older_and_equal_numbers_are_stale_for_their_rows_alone[sqlite-memory]",
        ),
        shows="stale_feed",
    ),
    Mutant(
        number=20,
        what="float money",
        how="Minor units are computed as int(19.99 * 100), which is 1998.",
        edits=(Edit("omo_core/model/values.py", "return int(whole)", "return int(float(amount) * 10**exponent)"),),
        killers=("tests/model/test_values.py::test_formatting_and_parsing_are_inverse",),
        shows="parse_minor(format_minor(",
    ),
    Mutant(
        number=20,
        letter="b",
        what="float money",
        how="Numbers of a body are read as floats.",
        edits=(
            Edit(
                "omo_core/channels/reading.py",
                "JSONDecoder(parse_float=_decimal, parse_constant=_constant)",
                "JSONDecoder(parse_float=float, parse_constant=_constant)",
            ),
            Edit("omo_core/channels/reading.py", "_integer, parse_float=_decimal", "_integer, parse_float=float"),
        ),
        killers=("tests/channels/test_reading.py::test_numbers_are_exact",),
        shows="Decimal",
    ),
    Mutant(
        number=22,
        what="`==` for signatures",
        how="Signatures are compared up to their first wrong byte.",
        edits=(
            Edit(
                "omo_core/channels/signing.py",
                'hmac.compare_digest(text.encode("ascii"), presented)',
                'text.encode("ascii") == presented',
            ),
        ),
        killers=("tests/channels/test_constant_time.py",),
        shows="compared with ==",
    ),
    Mutant(
        number=23,
        what="signature over the parsed body",
        how="What is verified is the body as we would write it, so bytes that were changed on the way pass.",
        edits=(
            Edit(
                "omo_core/channels/native.py",
                "verify_hex(self.config.secrets, body, given)",
                f"verify_hex(self.config.secrets, {_CANONICAL}, given)",
            ),
        ),
        killers=("tests/channels/test_contract.py::TestNative::test_a_body_written_anew_is_forged",),
        shows="ForgedSignature was not raised",
    ),
    Mutant(
        number=23,
        letter="b",
        what="signature over the parsed body",
        how="The same in the adapter of a platform.",
        edits=(
            Edit(
                "omo_core/channels/shopify.py",
                "verify_base64(self.config.secrets, body,",
                f"verify_base64(self.config.secrets, {_CANONICAL},",
            ),
        ),
        killers=("tests/channels/test_shopify_contract.py::TestShopify::test_a_body_written_anew_is_forged",),
        shows="ForgedSignature was not raised",
    ),
)
