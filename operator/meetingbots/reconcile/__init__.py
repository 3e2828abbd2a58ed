"""The level-triggered middle: delay queues, and gather -> decide -> apply for each kind."""
