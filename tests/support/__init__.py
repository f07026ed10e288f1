"""What several tests share: certificates, clocks, programs, browsers, streams and feeders."""
