"""The names of the settings of applications and servers.

They are listed in one place so that misspelt or misplaced names can be reported. Programs also store other
settings in an application, so an unknown name is not an error.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["APPLICATION", "SERVER", "SERVER_ONLY", "closest"]

#: Settings of `tornado.web.Application` that the package reads, including those of `tornado.auth`.
APPLICATION = frozenset(
    """
    access_log access_log_file
    allowed_hosts autoescape autoreload autoreload_check_time autoreload_drain_time cancel_on_disconnect
    compiled_template_cache compress_response cookie_secret cross_origin_protection debug
    default_handler_args default_handler_class gzip handler_tasks handler_timeout head_from_get
    key_version lifespan log_function login_url metrics opentelemetry opentelemetry_secrets
    on_shutdown on_startup request_id security_headers serve_traceback
    session_cookie_kwargs session_cookie_name session_idle_timeout session_lifetime session_store
    static_handler_args static_handler_class static_hash_cache static_path static_precompressed
    static_url_prefix template_loader template_path template_whitespace trusted_origins ui_methods
    ui_modules upload_directory websocket_max_message_size websocket_ping_interval websocket_ping_timeout
    websocket_write_limit xsrf_cookie_kwargs xsrf_cookie_name xsrf_cookie_version xsrf_cookies
    facebook_api_key facebook_secret google_oauth openid_connect twitter_consumer_key twitter_consumer_secret
    """.split()
)

#: Arguments of `tornado.httpserver.HTTPServer` that are not settings of an application.
SERVER_ONLY = frozenset(
    """
    body_timeout decompress_request header_timeout idle_connection_timeout max_body_size max_buffer_size
    max_connections_per_address max_form_size max_header_count max_header_size max_inflation_ratio
    max_json_size max_pipelined_requests min_body_rate min_send_rate no_keep_alive ssl_options
    tls_handshake_timeout trusted_downstream trusted_proxies xheaders
    """.split()
)

#: All arguments of `tornado.httpserver.HTTPServer`. Programs also use the names that are not in `SERVER_ONLY`
#: for other settings, such as ``max_connections`` for a database.
SERVER = SERVER_ONLY | {"chunk_size", "io_loop", "max_connections", "protection", "protocol", "rate_window"}

# Shorter names resemble too many other words: `gzip`, for example, resembles "zip".
_MIN_LENGTH = 5
# Names of at least this length may have two letters missing or added.
_LONG = 9


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name of which `name` is probably a misspelling, or None.

    One letter may be wrong, missing, added or swapped with its neighbour; in long names two may be missing or
    added. A less strict rule would report settings of programs, such as ``cookie_secure`` (similar to
    ``cookie_secret``) or ``plugin_url`` (similar to ``login_url``). Numbered names, such as
    ``cookie_secret2``, are not treated as misspellings.
    """
    if not isinstance(name, str) or len(name) < _MIN_LENGTH:
        return None
    for candidate in sorted(known):
        if len(candidate) < _MIN_LENGTH or name.rstrip("0123456789").rstrip("_") == candidate:
            continue
        if _is_misspelt(name, candidate):
            return candidate
    return None


def _is_misspelt(name: str, known: str) -> bool:
    longer, shorter = (name, known) if len(name) > len(known) else (known, name)
    difference = len(longer) - len(shorter)
    if difference == 0:
        return _differs_in_one_place(name, known)
    if difference == 1 or (difference == 2 and len(known) >= _LONG):
        return _is_subsequence(shorter, longer)
    return False


def _differs_in_one_place(name: str, known: str) -> bool:
    """Whether the names differ by one replaced letter, or by two swapped neighbours."""
    places = [place for place, letters in enumerate(zip(name, known, strict=True)) if len(set(letters)) == 2]
    if len(places) == 1:
        return True
    if len(places) != 2 or places[1] != places[0] + 1:
        return False
    first, second = places
    return name[first] == known[second] and name[second] == known[first]


def _is_subsequence(shorter: str, longer: str) -> bool:
    rest = iter(longer)
    return all(letter in rest for letter in shorter)
