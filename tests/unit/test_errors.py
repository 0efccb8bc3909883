"""One family of errors, which can be caught whole, or as the built-in kinds that they are."""

from __future__ import annotations

import inspect
import pickle
import re

import numpy as np
import pytest

import pynq_ee
from pynq_ee import errors
from pynq_ee.errors import (
    DeadlineError,
    IdentityError,
    InputError,
    OverlayError,
    PynqEEError,
    TransferError,
    whole_number,
)

RAISED = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]
FAMILY = [kind for kind in RAISED if not issubclass(kind, Warning)]


@pytest.mark.parametrize("kind", FAMILY, ids=lambda kind: kind.__name__)
def test_every_error_is_of_the_family_documented_and_public(kind: type) -> None:
    assert issubclass(kind, PynqEEError)
    assert kind.__doc__ and kind.__name__ in pynq_ee.__all__
    assert getattr(pynq_ee, kind.__name__) is kind


def test_what_is_only_told_is_a_warning_to_filter_by_its_name() -> None:
    told = [kind for kind in RAISED if kind not in FAMILY]
    assert set(told) == {pynq_ee.InputWarning, pynq_ee.ExperimentalOverlayWarning}
    assert all(issubclass(kind, UserWarning) and kind.__name__ in pynq_ee.__all__ for kind in told)


def test_errors_are_the_builtin_kinds_that_they_are() -> None:
    assert issubclass(InputError, ValueError) and issubclass(DeadlineError, TimeoutError)


def test_a_failed_transfer_carries_what_was_known_through_pickle_as_well() -> None:
    known = {"stage": "the kernel", "images_done": 3, "bytes_moved": None, "registers": {"CTRL": 4}}
    error = pickle.loads(pickle.dumps(DeadlineError("it is late", **known)))
    assert type(error) is DeadlineError and str(error) == "it is late" and vars(error) == known


@pytest.mark.parametrize("value", [-1, 1.5, "2", None, [1]])
def test_a_count_that_is_none_is_refused_by_name_and_value(value: object) -> None:
    with pytest.raises(InputError, match=re.escape(f"retries is {value!r}; it must be a whole number, 0 or more")):
        whole_number("retries", value, least=0)
    assert whole_number("retries", np.int64(0), least=0) == 0
    assert type(whole_number("retries", True, least=0)) is int


@pytest.mark.parametrize("value", [0, 5, 10**30])
def test_a_count_beyond_its_bounds_is_refused_with_both(value: int) -> None:
    with pytest.raises(InputError, match=f"threads is {value}; it must be a whole number, 1 to 4"):
        whole_number("threads", value, least=1, most=4)
    assert whole_number("threads", 4, least=1, most=4) == 4


def test_a_handler_of_the_general_kind_catches_the_special_one() -> None:
    assert issubclass(IdentityError, OverlayError) and issubclass(DeadlineError, TransferError)
