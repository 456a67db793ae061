"""A strict, bounded XML reader: elements and text alone, so that it reads what a JSON document of the same would hold."""

from __future__ import annotations

from typing import Any, Final, NoReturn
from xml.parsers import expat

from omo_core.channels.reading import MAX_BODY_BYTES
from omo_core.model.errors import BodyTooLarge, UnreadableBody

MAX_DEPTH: Final = 32
MAX_ELEMENTS: Final = 10_000


def read_xml(body: bytes, *, max_bytes: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The root element by its name: an element with children is an object, one without is a text, repeated ones a list.

    Refuses bodies over `max_bytes`, encodings other than UTF-8, document types and with them every entity of one's own,
    attributes, processing instructions, text beside elements, nesting over `MAX_DEPTH`, and over `MAX_ELEMENTS`
    elements. Raises `BodyTooLarge` or `UnreadableBody`.
    """
    if len(body) > max_bytes:
        raise BodyTooLarge(
            f"the body has {len(body)} bytes; at most {max_bytes} are read, so send fewer documents at a time",
            size=len(body),
            limit=max_bytes,
        )
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableBody(f"byte {error.start} of the body is not UTF-8; send UTF-8") from None
    return _Reader().read(body)


class _Reader:
    """What expat tells, put together; the stack holds (name, children, pieces of text) of the open elements."""

    def __init__(self) -> None:
        self._stack: list[tuple[str, dict[str, Any], list[str]]] = [("", {}, [])]
        self._elements = 0

    def read(self, body: bytes) -> dict[str, Any]:
        # The encoding given here wins over what the document declares.
        parser = expat.ParserCreate(encoding="utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        parser.ProcessingInstructionHandler = self._instruction
        try:
            parser.Parse(body, True)
        except expat.ExpatError as error:
            raise UnreadableBody(
                f"line {error.lineno}, column {error.offset + 1} of the body is not XML"
                f" ({expat.ErrorString(error.code)}); send one XML document"
            ) from None
        return self._stack[0][1]

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if len(self._stack) > MAX_DEPTH:
            raise UnreadableBody(f"the body nests deeper than {MAX_DEPTH} levels; send a flatter document")
        if self._elements > MAX_ELEMENTS:
            raise UnreadableBody(f"the body has over {MAX_ELEMENTS} elements; send fewer")
        if attributes:
            raise UnreadableBody(f"the element {name[:60]!r} has attributes; send elements and text alone")
        self._stack.append((name, {}, []))

    def _end(self, name: str) -> None:
        _, children, pieces = self._stack.pop()
        text = "".join(pieces)
        if children and text.strip():
            raise UnreadableBody(f"the element {name[:60]!r} has text beside its elements; send one or the other")
        value: Any = children or text
        siblings = self._stack[-1][1]
        if name not in siblings:
            siblings[name] = value
        elif isinstance(siblings[name], list):
            siblings[name].append(value)
        else:
            siblings[name] = [siblings[name], value]

    def _text(self, text: str) -> None:
        self._stack[-1][2].append(text)

    def _doctype(self, *_: Any) -> NoReturn:
        raise UnreadableBody("the body has a document type, which could define entities; send it without")

    def _instruction(self, *_: Any) -> NoReturn:
        raise UnreadableBody("the body has a processing instruction; send elements and text alone")
