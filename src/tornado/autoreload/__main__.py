"""``python -m tornado.autoreload``."""

from tornado.autoreload._program import main

if __name__ == "__main__":
    main()
