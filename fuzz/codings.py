"""Target: Accept-Encoding fields."""

from tornado._wire.content_negotiation import choose_coding, identity_refused, parse_accept_encoding

AVAILABLE = ("zstd", "br", "gzip")


def TestOneInput(data: bytes) -> None:
    """Check that weights are in thousandths, and that the chosen coding is available and acceptable."""
    field = data.decode("latin-1")
    weights = parse_accept_encoding(field)
    assert all(0 <= weight <= 1000 for weight in weights.values())
    chosen = choose_coding(field, AVAILABLE)
    if chosen is not None:
        assert chosen in AVAILABLE
        assert weights.get(chosen, weights.get("*", 0)) > 0
    if identity_refused(field):
        assert weights.get("identity", weights.get("*")) == 0
