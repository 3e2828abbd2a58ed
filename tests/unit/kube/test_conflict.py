import pytest
from meetingbots.kube.conflict import retry_on_conflict
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, KubeError, UnavailableError


class Attempt:
    """Raises the given errors one after the other, then succeeds."""

    def __init__(self, *errors: KubeError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.calls


async def test_the_first_success_counts() -> None:
    assert await retry_on_conflict(Attempt(), what="Secret app") == 1


@pytest.mark.parametrize("error", [ConflictError("changed", status=409), AlreadyExistsError("exists", status=409)])
async def test_a_conflict_is_tried_again(error: KubeError) -> None:
    assert await retry_on_conflict(Attempt(error, error), what="Secret app") == 3


async def test_another_error_ends_at_once() -> None:
    attempt = Attempt(UnavailableError("gone"))
    with pytest.raises(UnavailableError):
        await retry_on_conflict(attempt, what="Secret app")
    assert attempt.calls == 1


async def test_endless_conflicts_raise_a_conflict_that_names_the_object() -> None:
    attempt = Attempt(*[AlreadyExistsError("exists", status=409)] * 9)
    with pytest.raises(ConflictError, match="Secret app changed during each of 4 tries") as caught:
        await retry_on_conflict(attempt, what="Secret app", tries=4)
    assert attempt.calls == 4
    assert (caught.value.status, caught.value.reason) == (409, "Conflict")


async def test_a_pause_follows_each_conflict_but_the_last() -> None:
    pauses: list[int] = []

    async def pause(conflicts: int) -> None:
        pauses.append(conflicts)

    with pytest.raises(ConflictError):
        await retry_on_conflict(Attempt(*[ConflictError("changed")] * 9), what="Secret app", tries=3, pause=pause)
    assert pauses == [1, 2]
