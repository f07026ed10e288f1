"""The resources of the API."""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable
from typing import Any
from urllib.parse import urlencode

from accounts import MAX_PASSWORD, MIN_PASSWORD, USERNAME, Grant, NameTaken, RefreshRefused
from bookmarks import (
    MAX_BOOKMARKS,
    SORT_COLUMNS,
    Bookmark,
    Draft,
    DuplicateURL,
    Query,
    TooManyBookmarks,
    VersionMismatch,
    validate,
)
from resources import InvalidFields, Resource, TooManyAttempts

from tornado.web import AuthenticationError, HTTPError, authenticated

MAX_PAGE, MAX_PER_PAGE = 100_000, 100
#: The largest id in the database: SQLite's integers are signed and have 64 bits.
MAX_NUMBER = 2**63 - 1


class IndexResource(Resource):
    """The root of the API."""

    def get(self) -> None:
        """Link to the resources."""
        links = [
            {"rel": "users", "href": "/v1/users", "title": "POST registers a user"},
            {"rel": "me", "href": "/v1/users/me", "title": "the user that is logged in"},
            {"rel": "sessions", "href": "/v1/sessions", "title": "POST logs in"},
            {"rel": "refresh", "href": "/v1/sessions/refresh", "title": "POST exchanges a refresh token"},
            {"rel": "logout", "href": "/v1/sessions/current", "title": "DELETE logs out"},
            {"rel": "bookmarks", "href": "/v1/bookmarks", "title": "the bookmarks of the user"},
        ]
        self.write_json({"links": links})


class AccountResource(Resource):
    """The base class of the resources for passwords and tokens."""

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")

    def client_network(self) -> Hashable:
        """Return the key of the client for rate limits: its IPv4 address or its IPv6 network.

        The network has a prefix of 64 bits, because a client can use any address in such a network.
        """
        address = self.request.remote_ip or ""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:  # a Unix socket
            return address
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
            return int(parsed) >> 64
        return address

    def refused(self, description: str) -> AuthenticationError:
        """Return the error for invalid credentials (401)."""
        return AuthenticationError(description=description, realm=self.authentication_realm)

    def check_password(self, name: str, password: str) -> None:
        """Refuse a password that is too short or too long.

        :raises InvalidFields: for such a password.
        """
        if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
            raise InvalidFields({name: f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters"})

    def write_grant(self, grant: Grant, status: int) -> None:
        """Send a new pair of tokens, with the member names of RFC 6749 section 5.1."""
        tokens = self.services.tokens
        answer = {
            "access_token": tokens.issue(grant.user_id, grant.session_id),
            "token_type": "Bearer",
            "expires_in": tokens.lifetime,
            "refresh_token": grant.refresh_token,
        }
        self.write_json(answer, status)


class UsersResource(AccountResource):
    """Registration."""

    async def post(self) -> None:
        """Register a user."""
        name, password = self.strings("username", "password")
        if not USERNAME.fullmatch(name):
            allowed = "3 to 32 lower-case letters, digits, '.', '_' and '-', beginning with a letter"
            raise InvalidFields({"username": f"must consist of {allowed}"})
        self.check_password("password", password)
        if wait := self.services.guests.take(self.client_network()):
            raise TooManyAttempts(wait)
        try:
            user = await self.services.accounts.add(name, await self.services.passwords.hash(password))
        except NameTaken:
            raise HTTPError(
                409, "name taken", public_message="A user with this name already exists."
            ) from None
        self.set_header("Location", "/v1/users/me")
        self.write_json({"id": user.id, "username": user.name}, 201)


class MeResource(AccountResource):
    """The logged-in user."""

    @authenticated
    async def get(self) -> None:
        """Describe the user."""
        user = await self.services.accounts.get(self.identity.user_id)
        if user is None:
            raise self.refused("The user of this token no longer exists.")
        self.write_json({"id": user.id, "username": user.name})


class PasswordResource(AccountResource):
    """The password of the logged-in user."""

    @authenticated
    async def put(self) -> None:
        """Change the password and end all sessions, including those opened by others."""
        old, new = self.strings("old_password", "new_password")
        self.check_password("new_password", new)
        services, user_id = self.services, self.identity.user_id
        key = (user_id, self.client_network())
        if wait := services.logins.take(key):
            raise TooManyAttempts(wait)
        user = await services.accounts.get(user_id)
        if not await services.passwords.verify(old, user.password if user else None):
            raise InvalidFields({"old_password": "is not the password of this user"})
        services.logins.forget(key)
        await services.accounts.set_password(user_id, await services.passwords.hash(new))
        await services.sessions.end_all(user_id)
        self.set_status(204)


class SessionsResource(AccountResource):
    """Login."""

    async def post(self) -> None:
        """Open a session."""
        name, password = self.strings("username", "password")
        services, network = self.services, self.client_network()
        key = (name[:100], network)
        # The attempt is counted before the password is checked, so that concurrent attempts are limited too.
        if wait := services.logins.take(key) or services.guests.take(network):
            raise TooManyAttempts(wait)
        user = await services.accounts.find(name)
        # Hashing a longer password would take more time, and no user has such a password.
        stored = user.password if user and len(password) <= MAX_PASSWORD else None
        if not await services.passwords.verify(password[:MAX_PASSWORD], stored) or user is None:
            raise self.refused("Wrong username or password.")
        services.logins.forget(key)
        services.guests.give_back(network)
        if services.passwords.is_outdated(user.password):
            await services.accounts.set_password(user.id, await services.passwords.hash(password))
        self.write_grant(await services.sessions.open(user.id), 201)


class RefreshResource(AccountResource):
    """The exchange of a refresh token, which can be used once."""

    async def post(self) -> None:
        """Send a new pair of tokens."""
        (token,) = self.strings("refresh_token")
        try:
            grant = await self.services.sessions.refresh(token)
        except RefreshRefused:
            raise self.refused("The refresh token is not valid; log in again.") from None
        self.write_grant(grant, 200)


class CurrentSessionResource(AccountResource):
    """The session of the access token."""

    @authenticated
    async def delete(self) -> None:
        """Log out: the access tokens and the refresh token of the session are refused from now on."""
        await self.services.sessions.end(self.identity.session_id)
        self.set_status(204)


class BookmarkBody(Resource):
    """The base class of the resources for bookmarks."""

    def draft(self, base: Draft | None = None) -> Draft:
        """Return the bookmark in the body.

        :param base: the bookmark that the body changes; None if the body must be a whole bookmark.
        :raises InvalidFields: if the body is not valid.
        """
        draft, errors = validate(self.json_object(), base)
        if draft is None:
            raise InvalidFields(errors)
        return draft

    def write_bookmark(self, bookmark: Bookmark, status: int = 200) -> None:
        """Send a bookmark with its entity tag."""
        self.set_header("Etag", bookmark.etag)
        self.write_json(bookmark.to_json(), status)


class BookmarksResource(BookmarkBody):
    """The bookmarks of the user."""

    @authenticated
    async def get(self) -> None:
        """Send one page. The field ``Link`` contains links to the other pages (RFC 8288)."""
        query = self.query()
        found, total = await self.services.bookmarks.list(self.identity.user_id, query)
        self.set_header("Link", self.page_links(query, total))
        self.set_header("X-Total-Count", str(total))
        self.write_json([bookmark.to_json() for bookmark in found])

    @authenticated
    async def post(self) -> None:
        """Add a bookmark."""
        draft = self.draft()
        try:
            bookmark = await self.services.bookmarks.add(self.identity.user_id, draft)
        except DuplicateURL:
            raise duplicate() from None
        except TooManyBookmarks:
            message = f"A user can have at most {MAX_BOOKMARKS} bookmarks."
            raise HTTPError(403, "too many bookmarks", public_message=message) from None
        self.set_header("Location", bookmark.path)
        self.write_bookmark(bookmark, 201)

    def query(self) -> Query:
        """Return the filter and the order from the arguments of the request.

        :raises HTTPError: 400, if an argument is unknown or not valid.
        """
        known = {"page", "per_page", "tag", "unread", "q", "sortby", "order"}
        # If a misspelt filter were ignored, the request would match all bookmarks.
        for name in self.request.query_arguments:
            if name not in known:
                message = f"Unknown argument {name[:40]!r}; expected {', '.join(sorted(known))}."
                raise HTTPError(400, "unknown argument", public_message=message)
        return Query(
            page=self.number("page", 1, MAX_PAGE),
            per_page=self.number("per_page", 20, MAX_PER_PAGE),
            tag=self.get_query_argument("tag", None),
            unread=self.get_query_argument("unread", None, type=bool),
            text=self.get_query_argument("q", None),
            sort_by=self.choice("sortby", *SORT_COLUMNS),
            descending=self.choice("order", "desc", "asc") == "desc",
        )

    def number(self, name: str, default: int, maximum: int) -> int:
        """Return an argument that must be a number from 1 to `maximum`.

        :raises HTTPError: 400, if the argument is not in this range.
        """
        value = self.get_query_argument(name, default, type=int)
        if not 1 <= value <= maximum:
            raise HTTPError(400, "bad number", public_message=f"{name} must be from 1 to {maximum}.")
        return value

    def choice(self, name: str, *choices: str) -> str:
        """Return an argument that must be one of `choices`, the first of which is the default.

        :raises HTTPError: 400, if the argument has another value.
        """
        value = self.get_query_argument(name, choices[0])
        if value not in choices:
            message = f"{name} must be one of {', '.join(choices)}."
            raise HTTPError(400, "bad choice", public_message=message)
        return value

    def page_links(self, query: Query, total: int) -> str:
        """Return the value of the field ``Link``, for the first, previous, next and last page."""
        last = max(1, -(-total // query.per_page))
        pages: dict[str, int] = {"first": 1, "last": last}
        if query.page > 1:
            pages["prev"] = min(query.page - 1, last)
        if query.page < last:
            pages["next"] = query.page + 1
        kept: dict[str, str] = {
            name: self.get_query_argument(name)
            for name in ("per_page", "tag", "unread", "q", "sortby", "order")
            if name in self.request.query_arguments
        }
        return ", ".join(
            f'<{self.request.path}?{urlencode({**kept, "page": str(page)})}>; rel="{rel}"'
            for rel, page in pages.items()
        )


class BookmarkResource(BookmarkBody):
    """One bookmark."""

    @authenticated
    async def get(self, number: str) -> None:
        """Send the bookmark, or 304 if the client has the current version."""
        self.write_bookmark(await self.find(number))

    @authenticated
    async def put(self, number: str) -> None:
        """Replace the bookmark."""
        await self.change(number, whole=True)

    @authenticated
    async def patch(self, number: str) -> None:
        """Replace the fields that the body contains; the other fields do not change (RFC 7396)."""
        await self.change(number, whole=False)

    @authenticated
    async def delete(self, number: str) -> None:
        """Delete the bookmark."""
        bookmark = await self.find(number)
        try:
            await self.services.bookmarks.remove(self.identity.user_id, bookmark)
        except VersionMismatch:
            raise outdated() from None
        self.set_status(204)

    async def change(self, number: str, *, whole: bool) -> None:
        """Store the bookmark in the body, and send the result.

        :param whole: whether fields that are not in the body get their defaults.
        """
        bookmark = await self.find(number)
        draft = self.draft(None if whole else bookmark.draft)
        try:
            changed = await self.services.bookmarks.change(self.identity.user_id, bookmark, draft)
        except VersionMismatch:
            raise outdated() from None
        except DuplicateURL:
            raise duplicate() from None
        self.write_bookmark(changed)

    async def find(self, number: str) -> Bookmark:
        """Return the bookmark, if its version matches ``If-Match``.

        :raises HTTPError: 404, if the user has no such bookmark, even if it exists for another user; 412, if
            ``If-Match`` names another version.
        """
        value = int(number)
        bookmark = None
        if value <= MAX_NUMBER:
            bookmark = await self.services.bookmarks.get(self.identity.user_id, value)
        if bookmark is None:
            raise HTTPError(404)
        wanted = self.request.headers.get("If-Match")
        # The comparison is strong: a weak tag never matches (RFC 9110 section 13.1.1).
        if wanted is not None and wanted.strip() != "*":
            if bookmark.etag not in [each.strip() for each in wanted.split(",")]:
                raise outdated()
        return bookmark


def duplicate() -> HTTPError:
    """Return the error for a duplicate URL."""
    return HTTPError(409, "duplicate URL", public_message="A bookmark with this URL already exists.")


def outdated() -> HTTPError:
    """Return the error for a change of an outdated version."""
    message = "The bookmark was changed in the meantime; read it again."
    return HTTPError(412, "version mismatch", public_message=message)


ROUTES: list[Any] = [
    (r"/(?:v1/?)?", IndexResource),
    (r"/v1/users", UsersResource),
    (r"/v1/users/me", MeResource),
    (r"/v1/users/me/password", PasswordResource),
    (r"/v1/sessions", SessionsResource),
    (r"/v1/sessions/refresh", RefreshResource),
    (r"/v1/sessions/current", CurrentSessionResource),
    (r"/v1/bookmarks", BookmarksResource),
    (r"/v1/bookmarks/([0-9]{1,19})", BookmarkResource),
]
