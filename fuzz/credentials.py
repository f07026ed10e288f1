"""Target: the bearer token in an Authorization field."""

from tornado._wire.bearer import InvalidBearerCredentials, bearer_token


def TestOneInput(data: bytes) -> None:
    """Check that a token is part of the field and can be sent again, and that errors have a valid code."""
    field = data.decode("latin-1")
    token, code = None, "invalid_token"
    try:
        token = bearer_token(field)
    except InvalidBearerCredentials as error:
        code = error.code
    assert code in ("invalid_request", "invalid_token")
    if token is not None:
        assert token in field
        assert bearer_token(f"Bearer {token}") == token
