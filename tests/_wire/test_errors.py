"""The status code of each error."""

import pytest

from tornado._wire import errors

STATUS = {
    "HTTPInputError": 400,
    "MisdirectedRequest": 421,
    "RequestTargetTooLong": 414,
    "HeadTooLarge": 431,
    "BodyTooLarge": 413,
    "ExpectationFailed": 417,
    "VersionNotSupported": 505,
    "IncompleteMessage": 400,
    "TooManyInterimResponses": 400,
}


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_input_error_has_its_status_code(name, status):
    error = getattr(errors, name)
    assert issubclass(error, errors.HTTPInputError)
    assert error.status_code == status


@pytest.mark.parametrize("name", ["HTTPOutputError", "InvalidTransition"])
def test_errors_of_this_side_are_not_input_errors(name):
    assert not issubclass(getattr(errors, name), errors.HTTPInputError)


def test_all_errors_are_listed():
    assert set(errors.__all__) == {*STATUS, "HTTPOutputError", "InvalidTransition"}
