"""What targets share: choices made by bytes, a grammar of messages, the parsers ours is compared with."""
