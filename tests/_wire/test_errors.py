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


def test_output_errors_are_separate_and_all_errors_are_listed():
    assert not issubclass(errors.HTTPOutputError, errors.HTTPInputError)
    assert set(errors.__all__) == {*STATUS, "HTTPOutputError"}
