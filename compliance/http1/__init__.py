"""What servers make of some hundreds of HTTP/1 requests, byte for byte; README.md here tells of it."""
