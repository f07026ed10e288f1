"""The chart of the README, drawn from the stored results of `scripts/bench server`."""
