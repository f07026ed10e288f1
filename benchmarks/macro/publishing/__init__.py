"""Publishing messages over Redis, and receiving them in the same process."""
