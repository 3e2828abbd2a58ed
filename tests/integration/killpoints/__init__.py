"""An operator's work on one credential, in a process that kills itself at a chosen call, before or after it."""
