"""The results in ``docs/serving.json``, and their tables in ``docs/serving.md``."""

from __future__ import annotations

import datetime
import json
import os
import platform
import re
from pathlib import Path
from typing import Any

from compliance.serving.report import table
from compliance.serving.servers import SERVERS
from compliance.serving.thorough import thorough_table

_ROOT = Path(__file__).resolve().parents[2]
RESULTS = _ROOT / "docs" / "serving.json"
DOCUMENT = _ROOT / "docs" / "serving.md"


def machine() -> dict[str, str]:
    """Return the machine, the interpreter and the date."""
    return {
        "python": f"CPython {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "processors": str(len(os.sched_getaffinity(0))),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def record(part: str, results: Any, versions: dict[str, str]) -> None:
    """Replace one part of the results, ``servers`` or ``thorough``, and its table in the document."""
    content = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    content[part] = {"machine": machine(), "versions": versions, "results": results}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    DOCUMENT.write_text(rendered(DOCUMENT.read_text(encoding="utf-8"), content), encoding="utf-8")


def rendered(document: str, content: dict[str, Any]) -> str:
    """Return the document with the tables of `content` between its markers."""
    for part, value in content.items():
        text = f"<!-- {part} -->\n{_text(part, value)}\n<!-- end -->"
        document = re.sub(
            f"<!-- {part} -->\n.*?<!-- end -->", lambda _, text=text: text, document, flags=re.DOTALL
        )
    return document


def _text(part: str, value: dict[str, Any]) -> str:
    machine, results = value["machine"], value["results"]
    place = (
        f"{machine['python']}, {machine['system']}, {machine['processors']} processors; {machine['date']}."
    )
    if part == "thorough":
        return f"{place}\n\n{thorough_table(results)}"
    titles = {name: SERVERS[name].peer.title for name in results}
    # The version of Waterspout is that of this checkout.
    versions = ", ".join(dict.fromkeys(text for name, text in value["versions"].items() if name != "ours"))
    return f"{place} Versions: {versions}.\n\n{table(titles, results)}"
