from __future__ import annotations

import pytest

from tests.support.work import assert_linear


def test_linear_cost_passes() -> None:
    assert_linear(lambda text: text.split(";"), lambda size: "a;" * size, 2_000)


def test_quadratic_cost_fails() -> None:
    def count_all_again(text: str) -> None:
        for start in range(0, len(text), 8):
            text.count(";", start)

    with pytest.raises(AssertionError, match="8 times the input costs"):
        assert_linear(count_all_again, lambda size: "a;" * size, 10_000)
