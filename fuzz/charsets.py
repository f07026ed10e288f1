"""Bodies as text: a label up to the first line break, then the body."""

from tornado._wire.charsets import decode_text


def TestOneInput(data: bytes) -> None:
    """Decoding never fails, and a valid UTF-8 body without a label is what Python makes of it."""
    label, _, body = data.partition(b"\n")
    decode_text(body, label.decode("latin-1"))
    text = decode_text(body, None)
    if not body.startswith((b"\xfe\xff", b"\xff\xfe")):
        assert text == body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
