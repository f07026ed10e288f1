"""Cookies, signed values, XSRF protection, authentication and security header fields."""
