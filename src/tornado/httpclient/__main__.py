"""``python -m tornado.httpclient [--option ...] URL ...``"""

from tornado.httpclient._command import main

if __name__ == "__main__":
    main()
