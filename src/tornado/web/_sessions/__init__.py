"""Sessions: values kept for one browser between its requests.

A `Session` is a mapping of JSON values that a handler reads and changes as ``self.session``. Where the values
are kept is the store's concern: in the cookie itself (`CookieSessionStore`), or on the server under a random
token, which is all that the cookie has then (`MemorySessionStore`, `RedisSessionStore`, or another
`SessionStore`).

==============  =====================================================================
`.store`        the interface of stores, and their errors
`.session`      the mapping, and how its changes are saved
`.policy`       the settings of an application: names, attributes, ages
`.exchange`     a session's part in one request: reading the cookie, saving, setting it
==============  =====================================================================

Nothing here is imported before a program uses sessions.
"""
