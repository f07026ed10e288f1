"""Count the instructions of a few scenarios on each interpreter, beside Tornado on the same one."""
