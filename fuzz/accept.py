"""Target: fields with quality values, such as Accept."""

from tornado._wire.quality_values import MAX_MEMBERS, MEDIA_RANGE, TOKEN, weights


def TestOneInput(data: bytes) -> None:
    """Check the order of the members, and that the serialized members are parsed as the same members."""
    field = data.decode("latin-1")
    for grammar in (TOKEN, MEDIA_RANGE):
        found = list(weights(field, grammar))
        assert len(found) <= min(MAX_MEMBERS, field.count(",") + 1)
        position, lowered = 0, field.lower()
        for name, weight in found:
            assert 0 <= weight <= 1000
            assert ("/" in name) is (grammar is MEDIA_RANGE)
            position = lowered.index(name, position) + len(name)
        again = ", ".join(f"{name};q={weight / 1000:.3f}" for name, weight in found)
        assert list(weights(again, grammar)) == found
