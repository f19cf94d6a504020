"""What a client remembers from one connection to the next. No I/O."""

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from thingtank.client.errors import ClientError, Refused, UnreadableAnswer, refusal_of
from thingtank.client.skynet.models import Identity, Message

KEPT_IDS_MAX = 10_000

# What servers say where their errors have no number.
_STATUS_OF_WORDS = {"unauthorized access": 401, "unauthorized": 401, "Invalid Message Format": 422}


class Session:
    """Who the client is, what it is subscribed to, and what it has heard and not read.

    Attributes:
        identity: None until the server has said who it is.
        dropped_count: messages that were not read in time, and are lost.
    """

    def __init__(self, identity: Identity | None, messages_max: int) -> None:
        self.identity = identity
        self.dropped_count = 0
        self._messages_max = messages_max
        self._messages: deque[Message] = deque()
        self._kept_ids: OrderedDict[str, None] = OrderedDict()
        self._subscriptions: dict[str, dict[str, Any]] = {}

    # --- subscriptions ---

    def subscribe(self, body: dict[str, Any]) -> None:
        """Remember one; of a device the last counts, and the kinds of all."""
        before = self._subscriptions.get(body["uuid"], {})
        if "types" in before and "types" in body:
            body = {**body, "types": list(dict.fromkeys([*before["types"], *body["types"]]))}
        self._subscriptions[body["uuid"]] = body

    def unsubscribe(self, uuid: str, types: Sequence[str] | None) -> None:
        """Forget one, or some kinds of it."""
        body = self._subscriptions.pop(uuid, None)
        if body is None or types is None or "types" not in body:
            return
        left = [kind for kind in body["types"] if kind not in types]
        if left:
            self._subscriptions[uuid] = {**body, "types": left}

    def subscriptions(self) -> list[dict[str, Any]]:
        """What is to be asked for again on a new connection."""
        return list(self._subscriptions.values())

    # --- messages ---

    def take(self, message: Message) -> bool:
        """Queue what was heard; whether it is new.

        A message that was kept may come twice, when the connection or the server broke at the
        wrong moment.
        """
        if message.kept_id:
            if message.kept_id in self._kept_ids:
                return False
            self._kept_ids[message.kept_id] = None
            if len(self._kept_ids) > KEPT_IDS_MAX:
                self._kept_ids.popitem(last=False)
        if len(self._messages) >= self._messages_max:
            self._messages.popleft()
            self.dropped_count += 1
        self._messages.append(message)
        return True

    def next_message(self) -> Message | None:
        """The oldest that is not read; None when there is none."""
        return self._messages.popleft() if self._messages else None


def identity_of(body: Any) -> Identity:
    """Who a `ready` says the client is. Raise UnreadableAnswer."""
    if not isinstance(body, dict) or not isinstance(body.get("uuid"), str):
        raise UnreadableAnswer("the server does not say which device this is")
    token = body.get("token")
    return Identity(body["uuid"], token if isinstance(token, str) else "")


def refusal_of_error(error: Any) -> Refused:
    """What an `error` of an answer means: an object with message and code, or words."""
    if isinstance(error, Mapping):
        code, retry_after_s = error.get("code"), error.get("retryAfter")
        return refusal_of(
            code if isinstance(code, int) else 400,
            str(error.get("message", "refused")),
            retry_after_s=float(retry_after_s) if isinstance(retry_after_s, int | float) else None,
        )
    words = str(error)
    return refusal_of(_STATUS_OF_WORDS.get(words, 400), words)


def refusal_of_not_ready(body: Any) -> Refused:
    """What a `notReady` means."""
    if isinstance(body, Mapping):
        if "error" in body:
            return refusal_of_error(body["error"])
        if isinstance(body.get("status"), int):
            return refusal_of(body["status"], "unauthorized")
    return refusal_of(401, "unauthorized")


def checked(answer: Any) -> Any:
    """An acknowledgement that is no refusal. Raise Refused."""
    if isinstance(answer, Mapping):
        error = answer.get("error")
        if error is not None:
            refused = refusal_of_error(error)
            problems = answer.get("problems")
            if isinstance(problems, list):
                raise refusal_of(refused.status, refused.title, [str(text) for text in problems])
            raise refused
        if answer.get("result") is False:
            raise refusal_of(401, "unauthorized")
    return answer


def is_final(error: ClientError) -> bool:
    """Whether it is in vain to try again."""
    return isinstance(error, Refused) and error.status in (401, 403, 404, 409, 422)
