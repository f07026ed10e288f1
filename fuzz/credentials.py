"""An Authorization field, read for its bearer token."""

from tornado._wire.credentials import InvalidCredentials, bearer_token


def TestOneInput(data: bytes) -> None:
    """A token is part of the field and can be sent again; a rejected field has an error code of RFC 6750."""
    field = data.decode("latin-1")
    token, code = None, "invalid_token"
    try:
        token = bearer_token(field)
    except InvalidCredentials as error:
        code = error.code
    assert code in ("invalid_request", "invalid_token")
    if token is not None:
        assert token in field
        assert bearer_token(f"Bearer {token}") == token
