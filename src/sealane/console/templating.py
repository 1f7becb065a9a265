"""Templates: one minijinja environment, strict about what is undefined, escaping everything in HTML.

Filters turn numbers into words with `lib.text`, so that a page says `4.7 GB` exactly as the CLI does. Templates hold no
logic beyond loops and conditions; a page gives them one context value.
"""

from __future__ import annotations

import datetime
import re
import urllib.parse
from pathlib import Path
from typing import Any

import minijinja

from sealane.console.assets import Assets
from sealane.lib import text

_ROOT = Path(__file__).parent / "templates"
_JSON_KEY = re.compile(r'(\s*)("(?:[^"\\]|\\.)*")(?=\s*:)')


class Templates:
    """Renders a template by name. `reload` re-reads files at each render, for work on the templates themselves."""

    def __init__(self, assets: Assets, *, reload: bool = False) -> None:
        self._environment = minijinja.Environment(
            loader=_load,
            undefined_behavior="strict",
            auto_escape_callback=_escaping,
            trim_blocks=True,
            lstrip_blocks=True,
            filters={
                "binary": text.binary_bytes,
                "decimal": text.decimal_bytes,
                "duration": text.duration,
                "plural": text.count,
                "listing": text.listing,
                "clock": _clock,
                "day": _day,
                "first_up": _first_up,
                "age": _age,
                "num": _num,
                "fixed": _fixed,
                "thousands": _thousands,
                "quote": _quote,
                "code": highlight,
            },
            globals={"asset": assets.url},
            reload_before_render=reload,
        )

    def render(self, name: str, /, **context: Any) -> str:
        """The HTML of `name`; raises minijinja.TemplateError when a template asks for what is not there."""
        return self._environment.render_template(name, **context)


def _load(name: str) -> str | None:
    path = _ROOT / name
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _escaping(name: str) -> str | bool | None:
    return "html" if name.endswith(".html") else None


def _clock(moment: datetime.datetime) -> str:
    """Local wall time of this computer, `14:04:09`; the console runs where its reader sits."""
    return moment.astimezone().strftime("%H:%M:%S")


def _day(moment: datetime.datetime) -> str:
    return moment.astimezone().strftime("%-d %b %Y, %H:%M")


def _age(seconds: float) -> str:
    """Whole seconds below ten, so that a live row does not flicker."""
    return f"{int(seconds)} s" if seconds < 10 else text.duration(seconds)


def _first_up(sentence: str) -> str:
    """A clause as a sentence."""
    return sentence[:1].upper() + sentence[1:]


def _num(value: float) -> str:
    """`0.25`, `8`, `7.62`: as few digits as say it."""
    return f"{value:.4g}"


def _fixed(value: float, digits: int) -> str:
    return f"{value:.{digits}f}"


def _thousands(value: int) -> str:
    return f"{value:,}"


def _quote(value: str) -> str:
    """For a value inside an address's query."""
    return urllib.parse.quote(value, safe="")


def highlight(source: str, language: str = "yaml") -> minijinja.Markup:
    """YAML with its keys, strings, numbers and comments marked, JSON with its keys; other languages escaped only."""
    if language == "json":
        return minijinja.Markup("\n".join(_json_line(line) for line in source.split("\n")))
    if language not in {"yaml", "yml"}:
        return minijinja.Markup(minijinja.escape(source))
    return minijinja.Markup("\n".join(_yaml_line(line) for line in source.split("\n")))


def _json_line(line: str) -> str:
    found = _JSON_KEY.match(line)
    if not found:
        return str(minijinja.escape(line))
    key, rest = found[2], line[found.end(2) :]
    return f'{found[1]}<span class="y-k">{minijinja.escape(key)}</span>{minijinja.escape(rest)}'


def _yaml_line(line: str) -> str:
    body = line.lstrip(" ")
    indent = line[: len(line) - len(body)]
    if body.startswith("#"):
        return f'{indent}<span class="y-c">{minijinja.escape(body)}</span>'
    dash = ""
    while body.startswith("- "):
        dash, body = dash + "- ", body[2:]
    key, colon, value = body.partition(": ")
    if not colon and body.endswith(":"):
        key, colon, value = body[:-1], ":", ""
    if not colon or not _plain_key(key):
        return f"{indent}{dash}{_value(body)}"
    return f'{indent}{dash}<span class="y-k">{minijinja.escape(key)}</span>{colon}{_value(value)}'


def _plain_key(key: str) -> bool:
    return bool(key) and all(character.isalnum() or character in "./-_\"' " for character in key)


def _value(value: str) -> str:
    if not value:
        return ""
    bare = value.replace(".", "", 1).lstrip("-")
    mark = "y-n" if bare.isdigit() or value in {"true", "false", "null"} else "y-s"
    return f'<span class="{mark}">{minijinja.escape(value)}</span>'
