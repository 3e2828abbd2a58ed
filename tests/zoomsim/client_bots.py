"""The client of the control routes for bots."""

from .client_orders import OrderClient, OrderRefused
from .join import JoinRequest
from .scenario import Consented
from .visits import Participant
from .world import HostAnswer


class BotClient(OrderClient):
    """Lets bots join and leave, and the host answer them."""

    def join_token(self, *, client_id: str, user: str, meeting_id: int, bypass_waiting_room: bool = True) -> str:
        """Get a local-recording join token as an app of the user does, with a new consent."""
        consent = self._order("POST", "consents", {"client_id": client_id, "user": user}, gives=Consented)
        answer = self._http.get(
            f"/v2/meetings/{meeting_id}/jointoken/local_recording",
            params={"bypass_waiting_room": "true" if bypass_waiting_room else "false"},
            headers={"Authorization": f"Bearer {consent.access_token}"},
        )
        if answer.status_code != 200:
            raise OrderRefused(answer.text)
        return str(answer.json()["token"])

    def join(self, request: JoinRequest) -> Participant:
        """Try to join as a bot."""
        return self._order("POST", "join", request, gives=Participant)

    def joins(self) -> list[Participant]:
        """List every try to join, as it was answered at the time."""
        return self._order("GET", "joins", gives=list[Participant])

    def participants(self) -> list[Participant]:
        """List the bots that got in or to the door, as they are now."""
        return self._order("GET", "participants", gives=list[Participant])

    def participant(self, participant_id: str) -> Participant:
        """See what has become of one bot."""
        return self._order("GET", f"participants/{participant_id}", gives=Participant)

    def leave(self, participant_id: str) -> Participant:
        """Let a bot leave by itself."""
        return self._order("POST", f"participants/{participant_id}/leave", gives=Participant)

    def put_out(self, participant_id: str) -> Participant:
        """Let the host remove a bot."""
        return self._order("POST", f"participants/{participant_id}/remove", gives=Participant)

    def answer(self, participant_id: str, answer: HostAnswer) -> Participant:
        """Let the host answer a bot that waits in the waiting room or asks to record."""
        return self._order("POST", f"participants/{participant_id}/answer", {"answer": answer}, gives=Participant)

    def put_in_waiting_room(self, participant_id: str) -> Participant:
        """Let the host put a bot back into the waiting room."""
        return self._order("POST", f"participants/{participant_id}/waiting-room", gives=Participant)
