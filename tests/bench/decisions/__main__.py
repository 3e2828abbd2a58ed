"""Print all figures (`make bench PART=decisions`). CPU times are of this process, so other load matters little."""

from tests.bench.decisions import client, collector, guard, limiter, queues, templates

if __name__ == "__main__":
    for part in (client, limiter, templates, queues, guard, collector):
        for line in part.figures():
            print(f"{part.__name__.rpartition('.')[2]}: {line}", flush=True)
