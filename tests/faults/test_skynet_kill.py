"""A server that is killed again and again keeps its word about every message it has kept.

Somebody sends to devices that are away; they come for their messages in some rounds. What was said
to be sent comes once, in order; what nobody was told of comes once or not at all.
"""

import random
import threading
from pathlib import Path

import requests
from tests.conformance.skynet_rights.wires import WAIT_S_MAX, Credentials, SocketioWire
from tests.faults.kills import printed_seed, rounds
from tests.faults.skynet_clients import headers_of, make_device, start_skynet
from tests.live_server import LiveServer

KILLS = rounds(3)
WAITING_MAX = 900  # of one device
MORE = "kept_messages.messages_per_device_max=1000"


class Recipient:
    """A device that is away most of the time.

    Attributes:
        sent: numbers that the server was asked to send to it.
        acknowledged: those that it said to have sent.
        got: what has come.
    """

    def __init__(self, server: LiveServer) -> None:
        self.who: Credentials = make_device(server, keepMessages=True)
        self.sent: list[int] = []
        self.acknowledged: list[int] = []
        self.got: list[int] = []

    def take(self, server: LiveServer, age: str) -> None:
        """Come for what was kept, and leave."""
        wire = SocketioWire(server.sockets["skynet"], self.who, age)
        # It comes behind `ready`, before the answer to what is asked then.
        self.got += wire.heard()
        wire.close()

    def check(self) -> None:
        """All that was acknowledged came once, and in order."""
        assert self.got == sorted(set(self.got))
        assert set(self.acknowledged) <= set(self.got) <= set(self.sent)


def send_until_killed(
    server: LiveServer,
    sender: Credentials,
    recipients: list[Recipient],
    answers_max: int,
    killer: threading.Timer,
) -> None:
    """Send numbers to whoever has room, until the connection breaks.

    Args:
        answers_max: after so many, or when nobody has room, the killer starts.
    """
    url = f"{server.sockets['skynet']}/messages"
    number = max((recipient.sent[-1] for recipient in recipients if recipient.sent), default=0)
    with requests.Session() as http:
        http.headers.update(headers_of(sender))
        while True:
            number += 1
            waiting = [each for each in recipients if len(each.sent) - len(each.got) < WAITING_MAX]
            if not waiting:
                if answers_max > 0:
                    killer.start()
                server.process.wait(WAIT_S_MAX)
                return
            asked = {"devices": [each.who[0] for each in waiting], "payload": number}
            for each in waiting:
                each.sent.append(number)
            try:
                answer = http.post(url, json={**asked, "receipts": True}, timeout=WAIT_S_MAX)
            except requests.RequestException:
                return
            assert answer.status_code == 200, answer.text
            outcomes = [receipt["outcome"] for receipt in answer.json()["receipts"]]
            assert outcomes == ["kept"] * len(waiting)
            for each in waiting:
                each.acknowledged.append(number)
            answers_max -= 1
            if answers_max == 0:
                killer.start()


def test_kept_messages_outlive_kills_and_come_once(tmp_path: Path) -> None:
    chance = random.Random(printed_seed())
    server = start_skynet(tmp_path, MORE)
    sender = make_device(server)
    recipients = [Recipient(server) for _ in range(3)]
    for round_number in range(KILLS):
        killer = threading.Timer(chance.uniform(0, 0.05), server.process.kill)
        send_until_killed(server, sender, recipients, chance.randint(5, 40), killer)
        killer.join()
        server.kill()
        server = start_skynet(tmp_path, MORE)
        for recipient in recipients:
            if round_number == KILLS - 1 or chance.random() < 0.6:
                recipient.take(server, chance.choice(["0.9", "3", "4"]))
    with server:
        for recipient in recipients:
            recipient.take(server, "4")
            recipient.check()
            print(f"{len(recipient.acknowledged)} were acknowledged, {len(recipient.got)} came")
        assert sum(len(recipient.got) for recipient in recipients) > 50
