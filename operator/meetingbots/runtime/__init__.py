"""What every reconciler runs on: context, queues, workers, settings and metrics. No slice is imported here."""
