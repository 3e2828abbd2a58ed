"""The kubectl plugin `kubectl meetingbots`. It reads with the caller's rights."""
