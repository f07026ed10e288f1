"""The login demo with its local provider, in Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest

from tests.support.program import Program

pytest.importorskip("jwt")

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def demo() -> Iterator[Program]:
    """Run the demo with its provider; afterwards the log must contain no error or resource warning."""
    with Program("demos/login/main.py", deadline=90) as program:
        yield program
        program.stop()
        output = program.output()
    assert "Traceback" not in output
    assert "Warning" not in output


class Person:
    """A visitor with a separate browser profile."""

    def __init__(self, browser, demo: Program, **settings) -> None:
        self.demo = demo
        self.context = browser.new_context(**settings)
        # The provider's pages load a style sheet from another server.
        self.context.route(lambda url: urlsplit(url).hostname != "127.0.0.1", lambda route: route.abort())
        self.page = self.context.new_page()
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(f"error: {error}"))
        self.page.on("console", self._console)
        self.open("/")

    def _console(self, entry) -> None:
        # Chromium logs every page with an error status, and the provider's blocked style sheet.
        if "Failed to load resource" not in entry.text:
            self.errors.append(f"console: {entry.text}")

    def open(self, path: str) -> int:
        """Open a page of the demo, and return the status."""
        response = self.page.goto(self.demo.url(path))
        assert response is not None
        status: int = response.status
        return status

    @property
    def path(self) -> str:
        """The path of the current page, preceded by the host if the page is on another site."""
        url: str = self.page.url
        return url.removeprefix(self.demo.url("")) if url.startswith(self.demo.url("")) else url

    @property
    def title(self) -> str:
        text: str = self.page.locator("main h1").inner_text()
        return text

    def at_provider(self) -> bool:
        return self.page.locator("text=Authorize Client").count() == 1

    def chooses(self, name: str) -> None:
        """Press a button on the provider's page, and wait for the redirect to the demo."""
        assert self.at_provider()
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_url(self.demo.url("/**"))

    def signs_in(self, name: str = "ann") -> None:
        self.page.get_by_role("link", name="Sign in").first.click()
        self.page.wait_for_url("**/oauth2/authorize?**")
        self.chooses(name)

    def signs_out(self) -> None:
        with self.page.expect_navigation():
            self.page.get_by_role("button", name="Sign out").click()

    def session(self) -> str | None:
        """The value of the session cookie."""
        for cookie in self.context.cookies():
            if cookie["name"] == "session":
                assert cookie["httpOnly"]
                assert cookie["sameSite"] == "Lax"
                value: str = cookie["value"]
                return value
        return None

    def plant(self, session: str) -> None:
        """Set the session cookie to a value that the demo did not send to this browser."""
        self.context.add_cookies([{"name": "session", "value": session, "url": self.demo.url()}])


@pytest.fixture
def enter(browser, demo) -> Iterator[Callable[..., Person]]:
    """A function that opens the demo for a visitor; at the end, no visitor may have recorded an error."""
    people: list[Person] = []

    def enter(**settings) -> Person:
        people.append(Person(browser, demo, **settings))
        return people[-1]

    yield enter
    errors = [each for person in people for each in person.errors]
    for person in people:
        person.context.close()
    assert errors == []


def test_sign_in_reload_and_sign_out(enter):
    ann = enter()
    assert ann.title == "Hello!"
    assert ann.session() is None
    ann.signs_in()
    assert (ann.path, ann.title) == ("/profile", "Ann Example")
    assert "ann@example.org" in ann.page.locator("dl").inner_text()
    session = ann.session()
    assert session is not None
    ann.page.reload()
    assert (ann.title, ann.session()) == ("Ann Example", session)
    ann.open("/")
    assert ann.title == "Hello, Ann Example!"
    ann.signs_out()
    assert (ann.path, ann.title) == ("/", "Hello!")
    assert ann.session() is None
    # A copy of the cookie is worthless after signing out.
    ann.plant(session)
    ann.open("/")
    assert ann.title == "Hello!"


def test_back_after_sign_out_does_not_show_the_private_page(enter):
    ann = enter()
    ann.signs_in()
    assert ann.title == "Ann Example"
    ann.signs_out()
    ann.page.go_back()
    ann.page.wait_for_url("**/oauth2/authorize?**")  # the profile page requires a login again
    assert "ann@example.org" not in ann.page.content()


def test_private_page_leads_through_the_login_and_back(enter):
    ann = enter()
    ann.open("/profile")
    ann.chooses("ann")
    assert (ann.path, ann.title) == ("/profile", "Ann Example")


def test_user_name_is_escaped(enter):
    bob = enter()
    bob.signs_in("bob")
    assert bob.title == "Bob <Example>"
    assert bob.page.locator("example").count() == 0


def test_session_id_changes_at_login(enter):
    eve, ann = enter(), enter()
    eve.signs_in("bob")
    planted = eve.session()
    # Eve plants her session in Ann's browser, and waits for Ann to sign in.
    ann.plant(planted)
    ann.open("/")
    assert ann.title == "Hello, Bob <Example>!"
    ann.open("/login")
    ann.chooses("ann")
    assert ann.title == "Ann Example"
    assert ann.session() != planted
    eve.open("/")
    assert eve.title == "Hello!"


def test_declined_login_shows_an_error_page(enter):
    ann = enter()
    ann.page.get_by_role("link", name="Sign in").first.click()
    ann.page.wait_for_url("**/oauth2/authorize?**")
    ann.chooses("Deny")
    assert ann.title == "Sign-in declined"
    assert "You declined at the provider." in ann.page.get_by_role("alert").inner_text()
    assert ann.session() is None
    ann.page.get_by_role("link", name="Try again").click()
    ann.chooses("ann")
    assert ann.title == "Ann Example"


def callback(person: Person, name: str = "ann") -> str:
    """Sign in at the provider without following the redirect to the demo; return the redirect's path."""
    person.open("/login")
    assert person.at_provider()
    response = person.context.request.post(person.page.url, form={"sub": name}, max_redirects=0)
    location: str = response.headers["location"]
    return location.removeprefix(person.demo.url(""))


def test_tampered_state_is_refused(enter):
    ann = enter()
    path = callback(ann)
    head, _, state = path.partition("&state=")
    for tampered in (f"{head}&state={state[:-1]}{'A' if state[-1] != 'A' else 'B'}", f"{head}&state="):
        assert ann.open(tampered) == 403
        assert ann.title == "Sign-in failed"
        assert "was not completed" in ann.page.get_by_role("alert").inner_text()
        assert ann.session() is None
    # The genuine callback still works.
    assert ann.open(path) == 200
    assert ann.title == "Ann Example"


def test_callback_of_another_browser_is_refused(enter):
    """If the callback were accepted, Eve could sign Ann in as Eve and read Ann's input (login CSRF)."""
    eve, ann = enter(), enter()
    path = callback(eve, "bob")
    assert ann.open(path) == 403
    assert ann.title == "Sign-in failed"
    assert ann.session() is None


def test_callback_works_once(enter):
    ann = enter()
    path = callback(ann)
    assert ann.open(path) == 200
    ann.signs_out()
    assert ann.open(path) == 403
    assert ann.session() is None


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example/", "/\\evil.example/", "/%09/evil.example/", "evil"]
)
def test_next_does_not_lead_to_another_site(enter, target):
    ann = enter()
    ann.open(f"/login?next={target}")
    ann.chooses("ann")
    assert (ann.path, ann.title) == ("/", "Hello, Ann Example!")


def test_form_of_another_site_does_not_sign_out(enter, demo):
    ann = enter()
    ann.signs_in()
    assert ann.open("/logout") == 405
    forged = ann.context.new_page()
    forged.set_content(f'<form method="post" action="{demo.url("/logout")}"><button>Win</button></form>')
    with forged.expect_navigation() as navigation:
        forged.get_by_role("button").click()
    assert navigation.value.status == 403
    assert forged.locator("h1").inner_text() == "This page has expired"
    ann.open("/profile")
    assert ann.title == "Ann Example"


def test_unknown_page(enter):
    ann = enter()
    assert ann.open("/nothing") == 404
    assert ann.title == "Page not found"


def test_everything_works_without_scripts(enter):
    ann = enter(java_script_enabled=False)
    ann.signs_in()
    assert ann.title == "Ann Example"
    ann.signs_out()
    assert ann.title == "Hello!"


def test_pages_fit_on_phones(enter):
    ann = enter(viewport={"width": 320, "height": 640})
    width = "document.documentElement.scrollWidth"
    assert ann.page.evaluate(width) == 320
    ann.signs_in()
    assert ann.page.evaluate(width) == 320
    ann.open("/login?state=x")
    assert ann.page.evaluate(width) == 320
