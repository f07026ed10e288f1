from __future__ import annotations

import pytest

from tornado.web._observation._query_secrets import QuerySecrets


@pytest.mark.parametrize(
    ("query", "scrubbed"),
    [
        ("", ""),
        ("token", "token"),
        ("token=", "token="),
        ("a=b", "a=b"),
        ("a=b&token=c&a=d", "a=b&token=REDACTED&a=d"),
        ("token=a&token=b", "token=REDACTED&token=REDACTED"),
        ("api%5Fkey=a%26b", "api%5Fkey=REDACTED"),
        ("token=a=b", "token=REDACTED"),
        ("AWSAccessKeyId=a&Signature=b&sig=c", "AWSAccessKeyId=REDACTED&Signature=REDACTED&sig=REDACTED"),
        ("X-Goog-Signature=a&X-Amz-Credential=b", "X-Goog-Signature=REDACTED&X-Amz-Credential=REDACTED"),
        ("Sig=a&monkey=b", "Sig=a&monkey=b"),
        ("code=a&Code=b", "code=REDACTED&Code=b"),
    ],
)
def test_values_of_secret_parameters_are_replaced(query: str, scrubbed: str) -> None:
    assert QuerySecrets(["code"]).scrub(query) == scrubbed


def test_wrong_names_are_reported() -> None:
    for wrong in ("code", None, [1]):
        with pytest.raises(TypeError, match="opentelemetry_secrets must be a list of names"):
            QuerySecrets(wrong)
