"""Compressed responses in a real browser."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.codings import require_coding
from tests.support.program import Program


@pytest.mark.browser
@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_chromium_decodes_responses(browser: Any, name: str) -> None:
    require_coding(name)
    with Program(
        "tests/web/_encoding/compressing_program.py", ("--port={port}", f"--coding={name}")
    ) as program:
        page = browser.new_page()
        try:
            for path, size in (("/whole", 20_000), ("/parts", 60_000), ("/large", 1_000_000)):
                response = page.goto(program.url(path))
                assert response.header_value("content-encoding") == name
                assert len(page.inner_text("body")) == size
                assert page.inner_text("body") == "0123456789" * (size // 10)
        finally:
            page.close()
