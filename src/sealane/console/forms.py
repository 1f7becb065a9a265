"""Reading forms: text and numbers with a limit, and a sentence for what is not one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from sealane.console.problems import Refused

_MOST_FIELDS = 100
_LONGEST = 2_000  # characters of one field


class Form:
    """What a form or an address sent. Missing fields are empty; several values of a name give the last."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        return name in self._values

    @property
    def names(self) -> set[str]:
        return set(self._values)

    def without(self, names: Iterable[str]) -> Form:
        """The same form with some fields left out."""
        return Form({name: value for name, value in self._values.items() if name not in set(names)})

    def text(self, name: str, default: str = "") -> str:
        """A field without the spaces around it; raises Refused when it is absurdly long."""
        value = str(self._values.get(name, default)).strip()
        if len(value) > _LONGEST:
            sentence = f"The field {name} holds {len(value)} characters; {_LONGEST} is the most."
            raise Refused(sentence, fields={name: sentence})
        return value

    def number(self, name: str, default: int, *, least: int, most: int) -> int:
        """A whole number between `least` and `most`; raises Refused with the field's name otherwise."""
        written = self.text(name)
        if not written:
            return default
        try:
            value = int(written)
        except ValueError:
            raise _not_a_number(name, written, f"{least:,} to {most:,}") from None
        if not least <= value <= most:
            raise _not_a_number(name, written, f"{least:,} to {most:,}")
        return value

    def fraction(self, name: str, default: float) -> float:
        """A part of one card, more than 0 and less than 1."""
        written = self.text(name).replace(",", ".")
        if not written:
            return default
        try:
            value = float(written)
        except ValueError:
            value = 0.0
        if not 0 < value < 1:
            raise _not_a_number(name, written, "0.01 to 0.99")
        return round(value, 2)

    def ticked(self, name: str) -> bool:
        return bool(self.text(name))


def _not_a_number(name: str, written: str, span: str) -> Refused:
    sentence = f"“{written[:40]}” does not do for {name}: write a number from {span}."
    return Refused(sentence, fields={name: sentence})


async def read_form(request: Request) -> Form:
    """The posted form, or the same fields as a JSON object. Raises Refused for anything else."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if kind == "application/json":
        return Form(_json_fields(body))
    if body and kind != "application/x-www-form-urlencoded":
        raise Refused(f"The console takes forms and JSON, not “{kind[:60]}”.")
    try:
        return Form(dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)))
    except ValueError:
        raise Refused(f"The form cannot be read: it is not UTF-8, or has more than {_MOST_FIELDS} fields.") from None


def _json_fields(body: bytes) -> dict[str, Any]:
    try:
        fields = msgspec.json.decode(body or b"{}", type=dict[str, str | int | float | bool | None])
    except msgspec.DecodeError as error:
        raise Refused(f"The JSON cannot be read: {error}.") from None
    return {name: "" if value is None or value is False else value for name, value in fields.items()}
