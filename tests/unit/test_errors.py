"""One family of errors, which can be caught whole, or as the built-in kinds that they are."""

from __future__ import annotations

import inspect

import pytest

import pynq_ee
from pynq_ee import errors
from pynq_ee.errors import DeadlineError, IdentityError, InputError, OverlayError, PynqEEError, TransferError

FAMILY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_every_error_is_of_the_family_documented_and_public(kind: type) -> None:
    assert issubclass(kind, PynqEEError)
    assert kind.__doc__ and kind.__name__ in pynq_ee.__all__
    assert getattr(pynq_ee, kind.__name__) is kind


def test_errors_are_the_builtin_kinds_that_they_are() -> None:
    assert issubclass(InputError, ValueError) and issubclass(DeadlineError, TimeoutError)


def test_a_handler_of_the_general_kind_catches_the_special_one() -> None:
    assert issubclass(IdentityError, OverlayError) and issubclass(DeadlineError, TransferError)
