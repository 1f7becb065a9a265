"""Codes are a promise to scripts: stable, distinct, kebab-case; and every error is fit to be shown."""

from __future__ import annotations

import inspect
import re

import pytest

from sealane.lib.errors import SealaneError, UsageError
from sealane.models import errors
from sealane.models.reference import BadReference

OURS = sorted(
    (kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__),
    key=lambda kind: kind.__name__,
)

CODES = {
    "UnknownModel": "unknown-model",
    "UnknownTag": "unknown-tag",
    "RegistryUnreachable": "registry-unreachable",
    "RegistryRefused": "registry-refused",
    "RegistryBroken": "registry-broken",
    "BadGguf": "bad-gguf",
    "BadShare": "bad-share",
    "BadSpec": "bad-spec",
    "FractionAndWhole": "fraction-and-whole",
    "FractionWithoutKai": "fraction-without-kai",
    "SharingOff": "gpu-sharing-off",
    "MemoryLabelMissing": "gpu-memory-label-missing",
    "FitsNowhere": "fits-nowhere",
    "NoGpu": "no-gpu",
    "QueueMissing": "queue-missing",
    "QueueNotLeaf": "queue-not-leaf",
    "CopiesAboveQuota": "copies-above-quota",
    "NameTaken": "name-taken",
    "NamespaceMissing": "namespace-missing",
}


def test_every_code_is_the_promised_one() -> None:
    assert {kind.__name__: kind.code for kind in OURS} == CODES
    assert BadReference.code == "bad-model-name"


@pytest.mark.parametrize("kind", OURS, ids=lambda kind: kind.__name__)
def test_an_error_is_fit_to_be_shown(kind: type[SealaneError]) -> None:
    assert issubclass(kind, SealaneError)
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.code)
    assert kind.__doc__
    assert kind.__doc__.endswith(".")
    assert kind("It is so.").to_json()["sentence"] == "It is so."


def test_what_the_user_typed_wrong_ends_with_code_two() -> None:
    usage = {kind.__name__ for kind in OURS if issubclass(kind, UsageError)}
    assert usage == {"BadShare", "BadSpec", "FractionAndWhole"}
    assert all(kind.exit_code == 2 for kind in OURS if kind.__name__ in usage)
    assert errors.RegistryRefused.exit_code == 4
