"""A thousand bots at the top of the hour: how soon each has its token, and what that costs beside a bare loop."""
