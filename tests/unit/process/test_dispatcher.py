"""A watch event changes the caches and queues the keys that depend on it."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from dataclasses import dataclass, field, fields

from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.models import names
from meetingbots.process.dispatcher import Dispatcher
from meetingbots.runtime.context import ObjectCaches, Queues
from meetingbots.runtime.object_cache import Key, Object, key_of
from meetingbots.runtime.work_queue import WorkQueue


def _queue() -> WorkQueue[Key]:
    return WorkQueue(clock=lambda: 0.0)


@dataclass
class World:
    notifies: bool = False
    default_ttl: int | None = None
    queues: Queues = field(default_factory=lambda: Queues(**{one.name: _queue() for one in fields(Queues)}))
    caches: ObjectCaches = field(default_factory=ObjectCaches)
    recently_deleted: RecentlyDeletedMappings = field(
        default_factory=lambda: RecentlyDeletedMappings(clock=lambda: 0.0)
    )

    @property
    def dispatcher(self) -> Dispatcher:
        return Dispatcher(
            caches=self.caches,
            queues=self.queues,
            recently_deleted=self.recently_deleted,
            notifies=self.notifies,
            default_ttl=self.default_ttl,
        )

    def queued(self) -> dict[str, set[str]]:
        """The keys that wait in the queues that are not empty; afterwards all are."""
        waiting = {name: drain(queue) for name, queue in vars(self.queues).items()}
        return {name: keys for name, keys in waiting.items() if keys}


def drain(queue: WorkQueue[Key]) -> set[str]:
    taken = set()
    while queue.ready:
        key = asyncio.run(queue.get())
        assert key is not None
        taken.add(str(key))
        queue.done(key)
    return taken


def thing(name: str, *, version: int = 1, uid: str = "u1", **parts: Object) -> Object:
    labels = parts.pop("labels", {})
    metadata = {"namespace": "ns", "name": name, "resourceVersion": str(version), "uid": uid, "labels": labels}
    return {"metadata": metadata, **parts}


def test_a_credential_queues_itself_and_its_app() -> None:
    world = World()
    item = thing("alice", spec={"appSecretRef": {"name": "app"}})
    world.dispatcher.credential(item, deleted=False)
    assert world.queued() == {"credentials": {"ns/alice"}, "notices": {"ns/alice"}, "receiver": {"ns/app"}}
    assert world.caches.credentials.get(Key("ns", "alice")) == item


def test_an_ended_consent_queues_the_removal_of_its_entries() -> None:
    for word in ("deauthorization", "userRemoval"):
        world = World()
        world.dispatcher.credential(thing("alice", status={word: {"time": "2026-11-24T12:00:00Z"}}), deleted=False)
        assert world.queued()["tidying"] == {"ns/alice"}


def test_the_app_that_a_credential_used_before_is_queued_too() -> None:
    world = World()
    world.dispatcher.credential(thing("alice", spec={"appSecretRef": {"name": "old"}}), deleted=False)
    world.queued()
    world.dispatcher.credential(thing("alice", version=2, spec={"appSecretRef": {"name": "new"}}), deleted=False)
    assert world.queued()["receiver"] == {"ns/old", "ns/new"}


def test_a_deleted_credential_is_forgotten_and_its_app_looked_at() -> None:
    world = World()
    item = thing("alice", spec={"appSecretRef": {"name": "app"}})
    world.dispatcher.credential(item, deleted=False)
    world.queued()
    world.dispatcher.credential(item, deleted=True)
    assert world.queued() == {
        "credentials": {"ns/alice"},
        "notices": {"ns/alice"},
        "receiver": {"ns/app"},
        "tidying": {"ns/alice"},
    }
    assert len(world.caches.credentials) == 0


def test_a_credential_without_a_spec_is_only_queued() -> None:
    world = World()
    world.dispatcher.credential(thing("broken"), deleted=False)
    assert world.queued() == {"credentials": {"ns/broken"}, "notices": {"ns/broken"}}


def test_the_late_deletion_of_a_predecessor_does_not_forget_the_object() -> None:
    world = World()
    world.dispatcher.bot(thing("bot", uid="new", version=5), deleted=False)
    world.dispatcher.bot(thing("bot", uid="old", version=4), deleted=True)
    assert world.caches.bots.get(Key("ns", "bot")) is not None
    assert world.queued()["bots"] == {"ns/bot"}


def test_a_pod_queues_its_bot() -> None:
    world = World()
    pod = thing("bot-abcde-1", labels={names.BOT_LABEL: "bot"})
    world.dispatcher.pod(pod, deleted=False)
    assert world.queued() == {"bots": {"ns/bot"}}
    world.dispatcher.pod(pod, deleted=True)
    assert world.queued()["bots"] == {"ns/bot"}
    assert len(world.caches.pods) == 0


def test_the_echo_of_our_own_write_queues_no_bot() -> None:
    world = World()
    world.caches.bots.put(thing("bot", version=5))
    world.dispatcher.bot(thing("bot", version=4), deleted=False)
    world.dispatcher.bot(thing("bot", version=5), deleted=False)
    assert "bots" not in world.queued()
    world.dispatcher.bot(thing("bot", version=6), deleted=False)
    assert world.queued()["bots"] == {"ns/bot"}
    pod = thing("bot-abcde-1", version=7, labels={names.BOT_LABEL: "bot"})
    world.caches.pods.put(pod)
    world.dispatcher.pod(pod, deleted=False)
    assert "bots" not in world.queued()
    world.dispatcher.pod(thing("bot-abcde-1", version=8, labels={names.BOT_LABEL: "bot"}), deleted=False)
    assert world.queued()["bots"] == {"ns/bot"}


def test_an_echo_queues_the_meeting_of_a_bot() -> None:
    world = World()
    meeting = thing("81234567890", labels={names.LIVE_LABEL: names.LIVE})
    world.dispatcher.live_mapping(meeting, deleted=False)
    world.queued()
    bot = thing("bot", version=5, status={"meetingId": "81234567890"})
    world.caches.bots.put(bot)
    world.dispatcher.bot(bot, deleted=False)
    assert world.queued()["meetings"] == {"ns/81234567890"}


def test_a_pod_without_a_bot_queues_nothing() -> None:
    world = World()
    pod = thing("stranger")
    del pod["metadata"]["labels"]
    world.dispatcher.pod(pod, deleted=False)
    assert "bots" not in world.queued()


def test_a_meeting_queues_the_bots_in_it() -> None:
    world = World()
    for name, meeting in (("one", "81234567890"), ("two", "81234567890"), ("other", "99999999999")):
        world.dispatcher.bot(thing(name, status={"meetingId": meeting}), deleted=False)
    world.dispatcher.bot(thing("new"), deleted=False)
    world.queued()
    mapping = thing("81234567890", labels={names.LIVE_LABEL: names.LIVE})
    world.dispatcher.live_mapping(mapping, deleted=False)
    assert world.queued() == {"bots": {"ns/one", "ns/two"}, "meetings": {"ns/81234567890"}}
    assert len(world.caches.live_mappings) == 1
    world.dispatcher.live_mapping(mapping, deleted=True)
    assert world.queued()["bots"] == {"ns/one", "ns/two"}
    assert len(world.caches.live_mappings) == 0


def test_a_meeting_queues_no_bot_that_has_finished() -> None:
    world = World()
    world.dispatcher.bot(finished("old"), deleted=False)
    world.queued()
    world.dispatcher.live_mapping(thing("81234567890"), deleted=False)
    assert "bots" not in world.queued()


def test_a_meeting_of_another_namespace_is_another_meeting() -> None:
    world = World()
    world.dispatcher.bot(thing("one", status={"meetingId": "81234567890"}), deleted=False)
    world.queued()
    mapping = thing("81234567890")
    mapping["metadata"]["namespace"] = "elsewhere"
    world.dispatcher.live_mapping(mapping, deleted=False)
    assert "bots" not in world.queued()


def test_a_changed_bot_queues_its_running_meeting() -> None:
    world = World()
    world.dispatcher.bot(thing("one", status={"meetingId": "81234567890"}), deleted=False)
    assert world.queued() == {"bots": {"ns/one"}}
    world.dispatcher.live_mapping(thing("81234567890"), deleted=False)
    world.queued()
    world.dispatcher.bot(thing("one", version=2, status={"meetingId": "81234567890"}), deleted=True)
    assert world.queued() == {"bots": {"ns/one"}, "meetings": {"ns/81234567890"}}


def test_each_state_of_a_bot_can_be_noticed_if_notices_are_on() -> None:
    world = World(notifies=True)
    for _ in range(2):
        world.dispatcher.bot(thing("one"), deleted=False)
        assert world.queued()["bot_notices"] == {"ns/one"}


def test_the_last_state_of_the_present_attempts_pod_is_kept() -> None:
    world = World()
    world.dispatcher.bot(thing("bot", status={"podName": "bot-abcde-2"}), deleted=False)
    for name in ("bot-abcde-1", "bot-abcde-2"):
        world.dispatcher.pod(thing(name, labels={names.BOT_LABEL: "bot"}), deleted=True)
    assert list(world.caches.gone_pods) == [Key("ns", "bot-abcde-2")]


def test_a_recreated_credential_queues_the_removal_of_its_former_entries() -> None:
    world = World()
    dispatcher = world.dispatcher
    item = thing("alice", spec={"appSecretRef": {"name": "app"}})
    dispatcher.credential(item, deleted=False)
    assert "tidying" not in world.queued()
    dispatcher.credential(item, deleted=True)
    world.queued()
    dispatcher.credential({**item, "metadata": {**item["metadata"], "uid": "u2"}}, deleted=False)
    assert world.queued()["tidying"] == {"ns/alice"}
    # After an interruption a watch sends only the new object.
    dispatcher.credential({**item, "metadata": {**item["metadata"], "uid": "u3"}}, deleted=False)
    assert world.queued()["tidying"] == {"ns/alice"}
    dispatcher.credential(
        {**item, "metadata": {**item["metadata"], "uid": "u3", "resourceVersion": "9"}}, deleted=False
    )
    assert "tidying" not in world.queued()


def test_a_user_who_was_added_again_queues_the_entries() -> None:
    world = World()
    dispatcher = world.dispatcher
    item = thing("alice", spec={"appSecretRef": {"name": "app"}}, status={"userRemoval": {}})
    dispatcher.credential(item, deleted=False)
    world.queued()
    back = {**item, "metadata": {**item["metadata"], "resourceVersion": "2"}, "status": {}}
    dispatcher.credential(back, deleted=False)
    assert world.queued()["tidying"] == {"ns/alice"}


def test_a_running_meeting_that_was_deleted_with_its_former_owner_queues_the_credential() -> None:
    world = World()
    item = thing("81234567890")
    owner = {"apiVersion": "meetingbots.dev/v1alpha1", "kind": "ZoomCredential", "name": "alice", "uid": "u1"}
    item["metadata"]["ownerReferences"] = [owner]
    world.dispatcher.credential(thing("alice", spec={}), deleted=False)
    world.dispatcher.live_mapping(item, deleted=False)
    world.queued()
    world.dispatcher.live_mapping(item, deleted=True)
    assert "tidying" not in world.queued(), "it ended, or somebody removed it"
    world.dispatcher.credential(thing("alice", uid="u2", spec={}), deleted=False)
    world.queued()
    world.dispatcher.live_mapping(item, deleted=True)
    assert world.queued()["tidying"] == {"ns/alice"}
    assert world.recently_deleted.take(Key("ns", "alice"), uid="u2") == [item]


def test_of_a_pods_spec_only_its_node_is_kept() -> None:
    world = World()
    pod = thing("bot-abcde-1", spec={"nodeName": "node-1", "containers": []}, status={"phase": "Running"})
    world.dispatcher.pod(pod, deleted=False)
    assert world.caches.pods.get(Key("ns", "bot-abcde-1")) == {**pod, "spec": {"nodeName": "node-1"}}


def finished(name: str, **spec: object) -> Object:
    status = {"phase": "Succeeded", "observedGeneration": 1, "meetingId": "81234567890", "podName": f"{name}-u1-1"}
    item = thing(name, uid=f"uid of {name}", spec=spec, status=status)
    item["metadata"]["generation"] = 1
    return item


def test_a_listed_bot_that_has_finished_is_queued_only_if_something_is_left_to_do() -> None:
    world = World()
    dispatcher = world.dispatcher
    pod = thing("piled-u1-1", labels={names.BOT_LABEL: "piled"})
    dispatcher.pod(pod, deleted=False)
    world.queued()
    edited = finished("edited")
    edited["metadata"]["generation"] = 2
    for item in (finished("quiet"), finished("short", ttlSecondsAfterFinished=60), finished("piled"), edited):
        dispatcher.bot(item, deleted=False, listed=True)
        assert world.queued() == ({} if item["metadata"]["name"] == "quiet" else {"bots": {str(key_of(item))}})
    dispatcher.bot(finished("watched"), deleted=False)
    assert world.queued() == {"bots": {"ns/watched"}}


def test_with_a_default_time_to_live_each_listed_bot_that_has_finished_is_queued() -> None:
    world = World(default_ttl=60)
    world.dispatcher.bot(finished("quiet"), deleted=False, listed=True)
    assert world.queued() == {"bots": {"ns/quiet"}}


def test_listed_bots_that_have_finished_wait_behind_all_others() -> None:
    world = World()
    dispatcher = world.dispatcher
    for number in range(3):
        dispatcher.bot(finished(f"old-{number}", ttlSecondsAfterFinished=60), deleted=False, listed=True)
    dispatcher.bot(thing("new"), deleted=False, listed=True)
    assert world.queued() == {"bots": {"ns/old-0", "ns/new"}}
    assert len(world.queues.bots) == 2


def test_a_finished_bot_takes_little_memory() -> None:
    world = World()
    dispatcher = world.dispatcher
    note = "The bot ended with exit code 0 in the Pod of its first attempt. " * 4
    texts = [json.dumps(finished(f"bot-{number}", template={"spec": {"note": note}})) for number in range(500)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for text in texts:
            dispatcher.bot(json.loads(text), deleted=False, listed=True)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(texts) < 2048
