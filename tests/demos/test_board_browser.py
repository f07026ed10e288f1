from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.demos.boards import FIELDS, HOSTILE, Board, board_on_mariadb, board_on_sqlite

pytestmark = pytest.mark.browser


each_database = pytest.mark.parametrize("database", ["sqlite", "mariadb"])


@pytest.fixture
def database() -> str:
    """The database, for tests that are not run on each kind of database."""
    return "sqlite"


@pytest.fixture
def board(request, tmp_path, database) -> Iterator[Board]:
    """A new, empty board."""
    if database == "sqlite":
        running = board_on_sqlite(tmp_path / "board")
    else:
        running = board_on_mariadb(request.getfixturevalue("mariadb"))
    with running as board:
        yield board


class Person:
    """A visitor with a separate browser profile; page texts must not run scripts or load anything."""

    def __init__(self, browser, board: Board, **settings) -> None:
        self.context = browser.new_context(**settings)
        self.page = self.context.new_page()
        self.troubles: list[str] = []
        self.page.on("pageerror", lambda error: self.troubles.append(f"error: {error}"))
        self.page.on("console", lambda entry: self.troubles.append(f"console: {entry.text}"))
        self.page.on("dialog", self._dialog)
        self.page.on("request", self._request)
        self.address = board.program.url("")
        self.page.goto(board.program.url())

    def _dialog(self, dialog) -> None:
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _request(self, request) -> None:
        """Fail on requests that only an injected text could cause."""
        if not request.url.startswith((self.address, "data:")):
            self.troubles.append(f"request: {request.url}")

    def writes(self, button: str = "Post message", **texts: str) -> None:
        for field, text in texts.items():
            self.page.locator(f"#{field}").fill(text)
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button).click()

    def sees(self) -> list[dict[str, str]]:
        """The messages on the page, newest first; missing parts are omitted."""
        return [
            {
                field: part.text_content()
                for field, name in zip(FIELDS, ("name", "email", "address", "text"), strict=True)
                if (part := article.locator(f".{name}")).count()
            }
            for article in self.page.locator("article").all()
        ]


@pytest.fixture
def enter(browser, board):
    """A function that opens the board for a visitor; afterwards nothing unexpected must have happened."""
    people: list[Person] = []

    def enter(**settings) -> Person:
        people.append(Person(browser, board, **settings))
        return people[-1]

    yield enter
    troubles = [each for person in people for each in person.troubles]
    for person in people:
        person.context.close()
    assert troubles == []


def stored(texts: dict[str, str]) -> dict[str, str]:
    return {field: text.strip() for field, text in texts.items()}


@each_database
def test_hostile_text_is_shown_as_text(enter, board):
    ann = enter()
    expected: list[dict[str, str]] = []
    for texts in HOSTILE:
        ann.writes(**texts)
        expected.insert(0, stored(texts))
        assert ann.sees() == expected
    assert board.rows() == [tuple(each.values()) for each in reversed(expected)]
    assert ann.page.locator("script, img, b, [onerror], [onfocus]").count() == 0
    # Visitors with another language see the same texts, and so does the form for editing.
    assert enter(locale="zh-CN").sees() == expected
    for link in range(len(HOSTILE)):
        ann.page.get_by_role("link", name="Edit").nth(link).click()
        ann.page.wait_for_url("**/messages/*")
        shown = {field: ann.page.locator(f"#{field}").input_value() for field in FIELDS}
        assert shown == expected[link]
        ann.page.go_back()


@each_database
def test_a_message_is_written_edited_and_deleted(enter, board):
    from playwright.sync_api import expect

    ann, bob = enter(), enter()
    ann.writes(name="Ann", message="first\n  line two")
    expect(ann.page.locator("article:target .text")).to_have_text("first\n  line two", use_inner_text=True)
    ann.page.get_by_role("link", name="Edit").click()
    ann.writes("Save", message="second thoughts", email="ann@example.org")
    expect(ann.page.locator("article:target")).to_contain_text("· edited")
    bob.page.reload()
    assert bob.sees() == [{"name": "Ann", "email": "ann@example.org", "message": "second thoughts"}]
    assert bob.page.locator("article footer").count() == 0
    expect(ann.page.get_by_role("button", name="Delete permanently")).to_be_hidden()
    ann.page.get_by_text("Delete", exact=True).click()
    with ann.page.expect_navigation():
        ann.page.get_by_role("button", name="Delete permanently").click()
    expect(ann.page.get_by_text("Nothing here yet.")).to_be_visible()
    assert board.rows() == []


def test_errors_are_shown_beside_their_fields(enter, board):
    from playwright.sync_api import expect

    ann = enter()
    ann.writes(name="Ann", email="nowhere", address="Bath", message="x" * 4001)
    expect(ann.page.get_by_role("alert")).to_contain_text("Not saved yet")
    for label, wrong, text in (
        ("Name", None, "Ann"),
        ("E-mail (optional)", "An e-mail address looks like ann@example.org.", "nowhere"),
        ("Address (optional)", None, "Bath"),
        ("Message", "At most 4000 characters fit here; these are 4001.", "x" * 4001),
    ):
        field = ann.page.get_by_label(label, exact=True)
        expect(field).to_have_value(text)
        expect(field).to_have_accessible_description(wrong or "")
        assert (field.get_attribute("aria-invalid") == "true") == (wrong is not None)
    expect(ann.page.get_by_label("E-mail")).to_be_focused()
    assert board.rows() == []
    ann.writes(email="ann@example.org", message="short")
    assert ann.sees() == [{"name": "Ann", "email": "ann@example.org", "address": "Bath", "message": "short"}]
    # Chromium logs every page with the status 400.
    (remark,) = ann.troubles
    assert "400 (Bad Request)" in remark
    ann.troubles.clear()


def test_everything_works_without_scripts(enter, board):
    ann = enter(java_script_enabled=False)
    ann.writes(name="Ann", message="x" * 4001)
    ann.writes(message="one")
    assert [each["message"] for each in ann.sees()] == ["one"]
    ann.troubles.clear()  # the log entry about the status 400
    ann.page.get_by_role("link", name="Edit").click()
    ann.page.wait_for_url("**/messages/*")
    ann.writes("Save", message="two")
    assert board.rows() == [("Ann", "", "", "two")]
    ann.page.get_by_text("Delete", exact=True).click()
    with ann.page.expect_navigation():
        ann.page.get_by_role("button", name="Delete permanently").click()
    assert ann.sees() == []


def test_browser_requires_mandatory_fields(enter, board):
    ann = enter()
    ann.page.locator("#name").fill("Ann")
    ann.page.get_by_role("button", name="Post message").click()
    assert ann.page.locator("#message").evaluate("field => field === document.activeElement")
    assert board.rows() == []


def test_board_fits_on_phones(enter, board):
    ann = enter(viewport={"width": 320, "height": 640})
    ann.writes(name="W" * 80, email="w" * 200 + "@example.org", address="W" * 200, message="W" * 1000)
    ann.writes(name="Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍" * 3, message="😀" * 300)
    width = "document.documentElement.scrollWidth"
    assert ann.page.evaluate(width) == 320
    ann.page.get_by_role("link", name="Edit").nth(1).click()
    ann.page.wait_for_url("**/messages/*")
    assert ann.page.evaluate(width) == 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_sufficient_contrast(enter, scheme):
    ann = enter(color_scheme=scheme)
    ann.writes(name="Ann", email="ann@example.org", message="hello")
    # The contrast of every text with its background, as defined in WCAG 2.2 section 1.4.3.
    contrasts = ann.page.evaluate(
        """() => {
            const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
            const numbers = (color) => {
                canvas.clearRect(0, 0, 1, 1);
                canvas.fillStyle = color;
                canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data];
            };
            const light = (color) => numbers(color).slice(0, 3)
                .map((each) => each / 255)
                .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
                .reduce((sum, each, index) => sum + each * [0.2126, 0.7152, 0.0722][index], 0);
            const behind = (element) => {
                const color = getComputedStyle(element).backgroundColor;
                return numbers(color)[3] === 255 ? color : behind(element.parentElement);
            };
            const texts = "body :is(a, p, h1, h2, h3, label, small, dt, time, summary, button)";
            return [...document.querySelectorAll(texts)].map((element) => {
                const [a, b] = [light(getComputedStyle(element).color), light(behind(element))];
                const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                return [element.outerHTML.slice(0, 60), contrast];
            });
        }"""
    )
    assert len(contrasts) > 15
    assert [each for each in contrasts if each[1] < 4.5] == []
