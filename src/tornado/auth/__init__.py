"""Login through other sites: OpenID Connect, OAuth 2.0, OAuth 1.0, OpenID 2.0.

Each mixin is combined with a `.RequestHandler`. A login has two steps, often in one handler: redirect the
user to the provider (`~OAuth2Mixin.authorize_redirect`), and complete the login when the provider redirects
the user back (``get_authenticated_user``).

* `OpenIDConnectMixin`: for every provider that supports the current standard; it verifies the tokens.
* `GoogleOAuth2Mixin`, `FacebookGraphMixin`, `TwitterMixin`: for these sites.
* `OAuth2Mixin`, `OAuthMixin`, `OpenIdMixin`: base classes for mixins for other providers.

All of them raise `AuthError` if a provider rejects a login or its response cannot be trusted.
"""

from __future__ import annotations

from tornado._implicit_reexports import reexport
from tornado._public_module_names import export
from tornado.auth._errors import AuthError
from tornado.auth._facebook import FacebookGraphMixin
from tornado.auth._google import GoogleOAuth2Mixin
from tornado.auth._oauth1 import OAuthMixin
from tornado.auth._oauth2 import OAuth2Mixin
from tornado.auth._oidc import OpenIDConnectMixin, OpenIDLoginResult
from tornado.auth._openid import OpenIdMixin
from tornado.auth._twitter import TwitterMixin

__all__ = [
    "AuthError",
    "FacebookGraphMixin",
    "GoogleOAuth2Mixin",
    "OAuth2Mixin",
    "OAuthMixin",
    "OpenIDConnectMixin",
    "OpenIDLoginResult",
    "OpenIdMixin",
    "TwitterMixin",
]

export(globals())
reexport(globals())
