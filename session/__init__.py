"""One client's conversation: a pure state machine and the shell that drives it."""
