"""Raw HTTP/1 requests, sent to Waterspout and to other servers; README.md describes how."""
