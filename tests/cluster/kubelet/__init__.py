"""A kubelet double: plays one node of a real control plane, for tests where no real kubelet can run.

It shows what the operator relies on, in the real kubelet's order and words: image pull, waiting reasons, the
environment from Secrets, statuses, exit codes, deletion with a grace period, and losses on demand. Containers are
processes on this machine without any isolation. It has no volumes (but waits for missing ones), probes, life-cycle
hooks, or resources.
"""

from tests.cluster.kubelet.double import KubeletDouble
from tests.cluster.kubelet.records import PodRecord

__all__ = ["KubeletDouble", "PodRecord"]
