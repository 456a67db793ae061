"""A forger must not learn from the clock how much of his signature was right: only compare_digest looks at it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import pytest

from omo_core.channels.signing import sign_base64, sign_hex, verify_base64, verify_hex
from omo_core.model.errors import ForgedSignature

BODY = b'{"a": 1}'


class Untouchable(bytes):
    """Bytes that compare_digest reads like any other; every other comparison stops at their first difference."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> NoReturn:
        raise AssertionError("a signature was compared with ==")

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__

    def startswith(self, *_: object) -> NoReturn:
        raise AssertionError("a signature was compared by its beginning")


class Given(str):
    """The text of a header, as guarded as its bytes."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> NoReturn:
        raise AssertionError("a signature was compared with ==")

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __eq__

    def startswith(self, *_: object) -> NoReturn:
        raise AssertionError("a signature was compared by its beginning")

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> Untouchable:
        return Untouchable(super().encode(encoding, errors))


@pytest.mark.parametrize(("sign", "verify"), [(sign_hex, verify_hex), (sign_base64, verify_base64)])
def test_signatures_are_compared_in_constant_time(
    sign: Callable[[str, bytes], str], verify: Callable[[Sequence[str], bytes, str | None], None]
) -> None:
    verify(("new", "old"), BODY, Given(sign("new", BODY)))
    verify(("new", "old"), BODY, Given(sign("old", BODY)))
    with pytest.raises(ForgedSignature):
        verify(("new", "old"), BODY, Given(sign("other", BODY)))


@pytest.mark.parametrize("guarded", [Given("00"), Given("00").encode()], ids=["text", "bytes"])
def test_the_guard_itself_notices(guarded: object) -> None:
    for plain in ("00", b"00"):
        with pytest.raises(AssertionError, match="compared with =="):
            _ = plain == guarded
