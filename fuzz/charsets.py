"""Target: decoding bodies as text. The input is a charset label, a line break and the body."""

from tornado._wire.charsets import decode_text


def TestOneInput(data: bytes) -> None:
    """Check that decoding never fails, and that a body without a label is decoded as Python decodes UTF-8."""
    label, _, body = data.partition(b"\n")
    decode_text(body, label.decode("latin-1"))
    text = decode_text(body, None)
    if not body.startswith((b"\xfe\xff", b"\xff\xfe")):
        assert text == body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
