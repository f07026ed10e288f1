"""Sessions: values that are kept for a browser between its requests.

A `Session` is a mapping of JSON values that a handler reads and changes as ``self.session``. The session
store saves the values, either in the cookie itself (`CookieSessionStore`) or on the server, in which case the
cookie contains only a random token (`MemorySessionStore`, `RedisSessionStore`, or another `SessionStore`).

==================  ===========================================================================
`.store`            the interface of stores, and their errors
`.session`          the mapping, and how its changes are saved
`.settings`         the settings of an application: cookie name and attributes, time limits
`.request_session`  the session of one request: reading the cookie, saving, setting the cookie
==================  ===========================================================================

These modules are imported when a program first uses sessions.
"""
