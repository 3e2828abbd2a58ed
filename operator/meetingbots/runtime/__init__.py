"""The ground of all slices: context, queues, workers, settings and metrics."""
