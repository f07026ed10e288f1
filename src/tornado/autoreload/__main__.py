"""``python -m tornado.autoreload``."""

from tornado.autoreload._command import main

if __name__ == "__main__":
    main()
