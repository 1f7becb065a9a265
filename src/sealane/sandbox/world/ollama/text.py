"""What the simulated model says: always that it is simulated, and something that shows the prompt arrived.

Deterministic: the same prompt gives the same words. Code completion gives code whose first line is a comment that
says so; a requested JSON format gives JSON with a `simulated` marker where the schema leaves room for one.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

NOTICE = "This is a simulated answer from the Sealane sandbox"
COMMENT = "simulated by the Sealane sandbox"
_WORD = re.compile(r"\s*\S+|\s+$")
_DEF = re.compile(r"def\s+(\w+)\s*\(([^)]*)\)[^:]*:\s*$")
_FUNCTION = re.compile(r"(?:function\s+\w+|\b\w+\s*=\s*)\s*\(([^)]*)\)\s*(?:=>)?\s*\{\s*$")
_FIM = re.compile(r"<\|?fim[_-](prefix|suffix|middle|begin|hole|end)\|?>|<PRE>|<SUF>|<MID>", re.IGNORECASE)


def tokens(text: str) -> list[str]:
    """The text in pieces as a model would stream them: words of at most 8 characters, blanks kept."""
    pieces: list[str] = []
    for word in _WORD.findall(text):
        pieces.extend(word[start : start + 8] for start in range(0, len(word), 8))
    return pieces


def count(text: str) -> int:
    """About how many tokens a prompt is: four characters each."""
    return max(1, math.ceil(len(text) / 4)) if text else 0


def is_fim(prompt: str) -> bool:
    """Whether a raw prompt carries fill-in-the-middle marks."""
    return _FIM.search(prompt) is not None


def answer(model: str, prompt: str) -> str:
    """A chat or completion answer in prose."""
    asked = " ".join(prompt.split())
    shown = asked if len(asked) <= 160 else f"{asked[:157]}…"
    text = f"{NOTICE}: no model runs here, and {model} is only played."
    if shown:
        text += f" Your prompt of {len(asked)} characters arrived: “{shown}”."
    if re.search(r"\b(code|function|python|script|implement|refactor|def|class)\b", asked, re.IGNORECASE):
        text += f" A piece of code, to show how it looks:\n\n```python\n# {COMMENT}\n{_function(asked)}\n```"
    else:
        text += " On a real cluster the same request is answered by the model itself."
    return text


def completion(prompt: str, suffix: str = "") -> str:
    """Code that could stand between `prompt` and `suffix`."""
    before = _before(prompt)
    last = (
        before.rstrip(" \t").rsplit("\n", 1)[-1] if not before.endswith("\n") else before.rstrip().rsplit("\n", 1)[-1]
    )
    indent = re.match(r"\s*", last)
    pad = (indent.group(0) if indent else "") + "    "
    found = _DEF.search(last)
    if found:
        names = _names(found.group(2))
        body = f"return {' + '.join(names)}" if names else "return None"
        lead = "" if before.endswith("\n") else "\n"
        return f"{lead}{pad}# {COMMENT}\n{pad}{body}\n"
    script = _FUNCTION.search(last)
    if script:
        names = _names(script.group(1))
        closing = "" if suffix.lstrip().startswith("}") else "\n}"
        lead = "" if before.endswith("\n") else "\n"
        return f"{lead}{pad}// {COMMENT}\n{pad}return {' + '.join(names) if names else 'null'};{closing}\n"
    return f" # {COMMENT}\n"


def thinking(prompt: str) -> str:
    """What a thinking model shows before it answers."""
    return f"{NOTICE}; nothing is being thought about these {len(prompt)} characters."


def structured(schema: Any, model: str, prompt: str) -> str:
    """JSON for `format: "json"` or a JSON schema: the smallest value that satisfies its required parts."""
    if not isinstance(schema, dict):
        return json.dumps({"simulated": True, "answer": answer(model, prompt)[:200]})
    return json.dumps(_instance(schema))


def tool_call(tools: list[dict[str, Any]], prompt: str) -> dict[str, Any] | None:
    """A call of the tool that the prompt names, with the least arguments; None when it names none."""
    for tool in tools:
        function = tool.get("function") or tool
        name = str(function.get("name", ""))
        if name and re.search(rf"\b{re.escape(name)}\b", prompt):
            schema = function.get("parameters") or function.get("input_schema") or {}
            return {"name": name, "arguments": _instance(schema) if schema else {}}
    return None


def embedding(text: str, size: int) -> list[float]:
    """A unit vector of hashed words, so that texts with common words lie near each other."""
    vector = [0.0] * size
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.sha256(word.encode()).digest()
        for start in range(0, 24, 3):
            place = int.from_bytes(digest[start : start + 2], "big") % size
            vector[place] += 1.0 if digest[start + 2] & 1 else -1.0
    norm = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [round(value / norm, 8) for value in vector]


def _before(prompt: str) -> str:
    """The part of a fill-in-the-middle prompt before the hole."""
    pieces = _FIM.split(prompt)
    if len(pieces) == 1:
        return prompt
    return next((piece for piece in pieces if piece and piece.lower() not in {"prefix", "suffix", "begin", "hole"}), "")


def _function(asked: str) -> str:
    words = [word for word in re.findall(r"[a-z]+", asked.lower()) if len(word) > 3][:2]
    return f"def {'_'.join(words) or 'example'}(value):\n    return value"


def _names(parameters: str) -> list[str]:
    names = [re.split(r"[:=]", part, maxsplit=1)[0].strip(" *") for part in parameters.split(",")]
    return [name for name in names if name and name not in {"self", "cls"} and name.isidentifier()]


def _instance(schema: dict[str, Any]) -> Any:
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return _instance(schema[key][0])
    kind = schema.get("type", "object")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        properties = schema.get("properties") or {}
        wanted = schema.get("required") or list(properties)
        return {name: _instance(properties.get(name, {"type": "string"})) for name in wanted}
    if kind == "array":
        least = int(schema.get("minItems", 0))
        return [_instance(schema.get("items") or {"type": "string"}) for _ in range(least)]
    plain: dict[str, Any] = {"integer": 0, "number": 0.0, "boolean": True, "null": None}
    return plain.get(kind, "simulated")
