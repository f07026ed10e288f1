"""Uploads of several files with a progress bar. Uploaded files can be downloaded again.

Run it with ``python demos/upload/main.py`` and open http://localhost:8888. Files are written to disk as they
arrive, so memory use does not depend on their size.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import tornado.locks
import tornado.web
from tornado.options import Error, define, options

define("port", default=8888, help="port to listen on; 0 chooses a free port", type=int)
define("folder", default="", help="directory for uploaded files (default: a temporary one)", type=str)
define("limit", default=2 * 1024**3, help="maximum size of an upload in bytes", type=int)
define("debug", default=False, help="reload on changes, show tracebacks", type=bool)

HERE = Path(__file__).parent
UNITS = ("bytes", "KB", "MB", "GB", "TB")
MAX_NAME_BYTES = 180
#: The id that the page's script generates for an upload and uses to request its progress.
NUMBER = "[0-9a-f-]{1,40}"


def safe_name(filename: str) -> str:
    """Return a safe name for storing a file whose name the client chose.

    Directories, special characters and leading dots are removed.
    """
    last = re.split(r"[/\\]", filename)[-1]
    plain = "".join(each if each.isprintable() and each not in '<>:"|?*' else "_" for each in last)
    name = Path(plain.strip(" .") or "file")
    ending = name.suffix if len(name.suffix) <= 10 else ""
    # File systems limit names in bytes.
    return name.name.removesuffix(ending).encode()[:MAX_NAME_BYTES].decode(errors="ignore") + ending


def format_size(size: int) -> str:
    """Format a size for display, such as ``1.5 MB``."""
    amount, unit = float(size), UNITS[0]
    for unit in UNITS:
        if amount < 1000 or unit == UNITS[-1]:
            break
        amount /= 1000
    return f"{size} {unit}" if unit == UNITS[0] else f"{amount:.1f} {unit}"


class Stored(NamedTuple):
    """An entry in the list of files."""

    name: str
    size: str
    address: str


class Progress:
    """The progress of running uploads, by the id that the page generated for each."""

    def __init__(self) -> None:
        self.received: dict[str, tuple[int, int | None]] = {}
        self.changed = tornado.locks.Condition()

    def update(self, upload: str, received: int, total: int | None) -> None:
        """Record the progress of an upload."""
        self.received[upload] = received, total
        self.changed.notify_all()

    def remove(self, upload: str) -> None:
        """Remove an upload that has ended, with or without success."""
        self.received.pop(upload, None)
        self.changed.notify_all()


class Page(tornado.web.RequestHandler):
    """The page, and the methods that the other handlers share."""

    def get(self) -> None:
        self.show()

    def show(self, error: str = "") -> None:
        """Render the whole page."""
        self.render("index.html", files=self.stored(), error=error, limit=format_size(self.settings["limit"]))

    def stored(self) -> list[Stored]:
        """The uploaded files, the newest first."""
        found = [(path.stat(), path.name) for path in self.settings["files"].iterdir()]
        found.sort(key=lambda each: (-each[0].st_mtime_ns, each[1]))
        return [Stored(name, format_size(stat.st_size), f"/files/{quote(name)}") for stat, name in found]

    def by_script(self) -> bool:
        """Whether the request comes from the page's script, which expects JSON, rather than from the plain
        form.
        """
        return "application/json" in self.request.headers.get("Accept", "")


class Upload(tornado.web.UploadHandler, Page):
    """Receives the files. They have temporary names until the upload is complete."""

    upload = ""

    def prepare(self) -> None:
        self.max_body_size = self.settings["limit"]
        self.upload_directory = str(self.settings["incoming"])
        number = self.get_query_argument("upload", "")
        self.upload = number if re.fullmatch(NUMBER, number) else ""

    def upload_progress(self, received: int, total: int | None) -> None:
        if self.upload:
            self.settings["progress"].update(self.upload, received, total)

    async def post(self) -> None:
        for uploaded in self.uploads.get("file", []):
            await self.store(uploaded)
        if self.by_script():
            listed = self.render_string("files.html", files=self.stored())
            self.write({"html": listed.decode()})
        else:
            self.redirect("/", status=303)

    async def store(self, uploaded: tornado.web.UploadedFile) -> None:
        """Move a file into the folder under an unused name."""
        name = Path(safe_name(uploaded.filename))
        number = 1
        while True:
            numbered = name.name if number == 1 else f"{name.stem} ({number}){name.suffix}"
            try:
                await uploaded.move_to(self.settings["files"] / numbered)
                return
            except FileExistsError:
                number += 1

    def on_finish(self) -> None:
        self.settings["progress"].remove(self.upload)

    def on_connection_close(self) -> None:
        self.settings["progress"].remove(self.upload)  # the upload was aborted, so on_finish is not called
        super().on_connection_close()

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        if status_code == 413:
            error = f"The upload is too large: the limit is {format_size(self.settings['limit'])}."
        elif status_code == 403:
            error = "This page has expired: please reload it and try again."
        else:
            error = f"The upload failed: {self._reason}."
        if self.by_script():
            self.write({"error": error})
        else:
            self.show(error)


class ProgressEvents(tornado.web.RequestHandler):
    """Sends the progress of an upload as server-sent events."""

    gone = False

    async def get(self, upload: str) -> None:
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-store")
        await self.flush()
        progress: Progress = self.settings["progress"]
        last = None
        while not self.gone:
            state = progress.received.get(upload)
            if state is None and last is not None:
                self.write("event: done\ndata: null\n\n")
                return
            if state != last:
                last = state
                self.write(f"data: {json.dumps(state)}\n\n")
                await self.flush()
            await progress.changed.wait()

    def on_connection_close(self) -> None:
        self.gone = True
        self.settings["progress"].changed.notify_all()


class Download(tornado.web.StaticFileHandler):
    """Serves uploaded files as downloads: shown as pages, they could run scripts on this site."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Content-Disposition", "attachment")
        self.set_header("X-Content-Type-Options", "nosniff")


def make_app(folder: Path, limit: int, debug: bool = False) -> tornado.web.Application:
    """Return the application, with its files in `folder`."""
    files, incoming = folder / "files", folder / "incoming"
    for each in (files, incoming):
        each.mkdir(parents=True, exist_ok=True)
    return tornado.web.Application(
        [
            (r"/", Page),
            (r"/upload", Upload),
            (rf"/progress/({NUMBER})", ProgressEvents),
            (r"/files/(.*)", Download, {"path": str(files)}),
        ],
        files=files,
        incoming=incoming,
        limit=limit,
        progress=Progress(),
        template_path=str(HERE / "templates"),
        static_path=str(HERE / "static"),
        xsrf_cookies=True,
        debug=debug,
    )


def main() -> None:
    """Serve until interrupted."""
    if unknown := options.parse_command_line():
        raise Error(f"unknown argument {unknown[0]!r}; usage: main.py [--port=8888] [--folder=…]; see --help")
    with tempfile.TemporaryDirectory(prefix="uploads-") as temporary:
        folder = Path(options.folder or temporary)

        def make() -> tornado.web.Application:  # called after the port has been opened
            logging.getLogger("upload").info("the files are in %s", folder / "files")
            return make_app(folder, options.limit, options.debug)

        tornado.web.run(make, options.port)


if __name__ == "__main__":
    try:
        main()
    except (Error, OSError, ValueError) as error:
        sys.exit(f"upload: {error}")
