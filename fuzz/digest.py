"""Target: authentication challenges, one field per line, and digest credentials for them."""

from tornado._wire.challenges import parse_auth_params, parse_challenges
from tornado._wire.digest import DigestAuth
from tornado._wire.headers import FORBIDDEN_VALUE_CHARS


def TestOneInput(data: bytes) -> None:
    """Check that credentials are a valid field value, can be parsed, and repeat the nonce and realm."""
    fields = data.decode("latin-1").split("\n")
    challenges = parse_challenges(fields)
    assert all(name == name.lower() for challenge in challenges for name in challenge.params)
    auth = DigestAuth("user", "password")
    if auth.receive_challenge(fields, "cnonce", answered=False):
        answer = auth.authorize("GET", "/", b"")
        assert not FORBIDDEN_VALUE_CHARS.search(answer)
        params = parse_auth_params(answer.removeprefix("Digest "))
        assert any(
            challenge.params.get("nonce") == params["nonce"]
            and challenge.params.get("realm") == params["realm"]
            for challenge in challenges
        )
    auth.receive_success(fields[0])
