"""Kubernetes quantities, exactly: `250m`, `1.5Gi`, `1e3`, `7`.

A quantity is a decimal number with a decimal suffix (n u m k M G T P E), a binary one (Ki Mi Gi Ti Pi Ei) or an
exponent (`e3`). Floats would make `100m` thirty of them differ from `3`, so values are `Fraction`s, and they are
written back the way the API server does it: the largest suffix that leaves a whole number, binary stays binary.
Rules: apimachinery `pkg/api/resource/quantity.go` (grammar in its comment; more than nano is rounded up, away from 0).
"""

from __future__ import annotations

import enum
import math
import re
from fractions import Fraction
from typing import Final

from sealane.lib.errors import Evidence, UsageError

SERVER_SENTENCE: Final = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
_NUMBER = re.compile(r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(.*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]{1,4})", re.ASCII)
_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_DECIMAL_SUFFIX: Final = {power: suffix for suffix, power in _DECIMAL.items()}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NANO: Final = 10**9
_LARGEST: Final = 2**63 - 1


class BadQuantity(UsageError):
    """The text is no Kubernetes quantity."""

    code = "bad-quantity"


class Style(enum.Enum):
    """How a quantity was written, which decides how it is written back."""

    DECIMAL = "decimal"
    BINARY = "binary"
    EXPONENT = "exponent"


def parse(text: str | int | float) -> Fraction:
    """The exact value in base units (cores, bytes, pieces), capped at ±(2^63 - 1). Raises BadQuantity."""
    return _read(text)[0]


def whole(text: str | int | float) -> int:
    """The value as an integer, rounded up as Go's `Value()` does: bytes for memory, devices for GPUs."""
    return _away_from_zero(parse(text))


def milli(text: str | int | float) -> int:
    """The value in thousandths, rounded up as Go's `MilliValue()` does: millicores for CPU."""
    return _away_from_zero(parse(text) * 1000)


def canonical(text: str | int | float) -> str:
    """The spelling that the API server stores: `1000m` → `1`, `1024Mi` → `1Gi`, `0.5Gi` → `512Mi`."""
    value, style = _read(text)
    return spell(value, style=style)


def spell(value: Fraction | int | float, *, style: Style = Style.DECIMAL) -> str:
    """Write a value (base units) in canonical form. Binary values below 1024 or not whole fall back to decimal."""
    exact = _limited(Fraction(value))
    if exact == 0:
        return "0"
    if style is Style.BINARY and abs(exact) >= 1024 and exact.denominator == 1:
        return _spell_binary(int(exact))
    mantissa, power = _mantissa(exact)
    if style is Style.EXPONENT:
        return f"{mantissa}e{power}" if power else str(mantissa)
    if power > 18:
        mantissa, power = mantissa * 10 ** (power - 18), 18
    return f"{mantissa}{_DECIMAL_SUFFIX[power]}"


def _read(text: str | int | float) -> tuple[Fraction, Style]:
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        raise _bad(text)
    found = _NUMBER.fullmatch(str(text))
    if found is None:
        raise _bad(text)
    sign, number, suffix = found.groups()
    factor, style = _factor(suffix, text)
    value = Fraction(number.rstrip(".") if number.endswith(".") else number) * factor
    return _limited(-value if sign == "-" else value), style


def _factor(suffix: str, text: str | int | float) -> tuple[Fraction, Style]:
    if suffix in _DECIMAL:
        return Fraction(10) ** _DECIMAL[suffix], Style.DECIMAL
    if suffix in _BINARY:
        return Fraction(2 ** _BINARY[suffix]), Style.BINARY
    exponent = _EXPONENT.fullmatch(suffix)
    if exponent is None:
        raise _bad(text)
    return Fraction(10) ** int(exponent.group(1)), Style.EXPONENT


def _limited(value: Fraction) -> Fraction:
    if value.denominator != 1 and _NANO % value.denominator:
        value = Fraction(_away_from_zero(value * _NANO), _NANO)
    return max(Fraction(-_LARGEST), min(Fraction(_LARGEST), value))


def _away_from_zero(value: Fraction) -> int:
    return math.ceil(value) if value >= 0 else math.floor(value)


def _spell_binary(value: int) -> str:
    for suffix in reversed(_BINARY):
        if value % (1 << _BINARY[suffix]) == 0:
            return f"{value >> _BINARY[suffix]}{suffix}"
    return str(value)


def _mantissa(value: Fraction) -> tuple[int, int]:
    """The whole mantissa with the largest power of ten that is a multiple of three."""
    mantissa, power = int(value * _NANO), -9
    while mantissa % 1000 == 0:
        mantissa, power = mantissa // 1000, power + 3
    return mantissa, power


def _bad(text: object) -> BadQuantity:
    return BadQuantity(
        f"{str(text)!r} is not a quantity: write a number with a unit such as 500m, 2, 8Gi or 1e3.",
        evidence=(Evidence(label="value", value=str(text)),),
    )
