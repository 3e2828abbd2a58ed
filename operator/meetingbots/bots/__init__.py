"""MeetingBots: one bot for one meeting, from its MeetingBot object to a Pod that carries its tokens."""
