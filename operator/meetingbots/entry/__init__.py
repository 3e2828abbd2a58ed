"""Entry points: the command line, the kopf handlers, and the receiver of webhooks."""
