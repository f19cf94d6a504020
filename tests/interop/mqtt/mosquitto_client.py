"""Debian's mosquitto_pub and mosquitto_sub.

A process for all that is subscribed to, and one for each message that is published.
"""

import queue
import subprocess
import threading

from tests.interop.mqtt.client import WAIT_S_MAX, Login, Properties, Publication, Received, Refused
from tests.needed import needed_program

MARK = "message|"
FORMAT = MARK + "|".join(f"%{letter}" for letter in "tqrxPCRD")
VERSIONS = {3: "mqttv31", 4: "mqttv311", 5: "mqttv5"}

LEAVE_S_MAX = 3.0


class MosquittoClient:
    """Implements `client.Client`."""

    def __init__(self, login: Login) -> None:
        self.login = login
        self.is_over = False
        self._inbox: queue.Queue[Received] = queue.Queue()
        self._lines: queue.Queue[str] = queue.Queue()
        self._process: subprocess.Popen[str] | None = None
        if login.filters or login.will:
            self._listen(login.filters or (("nothing/of/interest", 0),))

    def _listen(self, filters: tuple[tuple[str, int], ...]) -> None:
        login = self.login
        command = ["stdbuf", "-oL", needed_program("mosquitto_sub"), *self._words(), "-d"]
        command += ["-i", login.client_id]
        command += [word for topic_filter, _ in filters for word in ("-t", topic_filter)]
        command += ["-q", str(max(qos for _, qos in filters)), "-F", FORMAT]
        if login.session_s:
            command += ["-c", *(("-x", str(login.session_s)) if login.version == 5 else ())]
        if login.will:
            topic, payload, qos, is_retain, _ = login.will
            command += ["--will-topic", topic, "--will-payload", payload.decode()]
            command += ["--will-qos", str(qos), *(["--will-retain"] if is_retain else [])]
        self._process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._thread = threading.Thread(target=self._read, args=[self._process])
        self._thread.start()
        self._wait_for("Subscribed")

    def _wait_for(self, what: str) -> None:
        while not (line := self._lines.get(timeout=WAIT_S_MAX)).startswith(what):
            if line in ("", "refused"):
                self.drop()
                raise Refused

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(MARK):
                self._inbox.put(_received(line))
            elif "refused" in line or "Not authorized" in line:
                self._lines.put("refused")
            else:
                self._lines.put(line)
        self._lines.put("")

    def _words(self) -> list[str]:
        login = self.login
        words = ["-V", VERSIONS[login.version]]
        if login.transport == "unix":
            words += ["--unix", login.host]
        else:
            words += ["-h", login.host, "-p", str(login.port)]
        options = {
            "-u": login.user_name, "-P": login.password,
            "--cafile": login.ca, "--cert": login.certificate, "--key": login.key,
        }  # fmt: skip
        return words + [word for pair in options.items() if pair[1] for word in pair]

    def subscribe(self, topic_filter: str, qos: int) -> None:
        assert self._process is None, "it subscribes once, when it connects"
        self._listen(((topic_filter, qos),))

    def publish(self, publication: Publication) -> None:
        topic, payload, qos, is_retain, properties = publication
        command = [needed_program("mosquitto_pub"), *self._words(), "-t", topic, "-q", str(qos)]
        command += ["-r"] * is_retain
        command += _property_words(properties) if self.login.version == 5 else []
        command += ["-s"] if payload else ["-n"]
        done = subprocess.run(
            command, input=payload, capture_output=True, timeout=WAIT_S_MAX, check=False
        )
        if done.returncode:
            raise Refused(done.stderr)

    def received(self, count: int) -> list[Received]:
        return [self._inbox.get(timeout=WAIT_S_MAX) for _ in range(count)]

    def close(self) -> None:
        self.is_over = True
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(LEAVE_S_MAX)
            except subprocess.TimeoutExpired:  # it says goodbye in its signal's handler: not always
                self._process.kill()
            self._end()

    def drop(self) -> None:
        self.is_over = True
        if self._process is not None:
            self._process.kill()
            self._end()

    def _end(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._process.wait(WAIT_S_MAX)
        self._thread.join()
        self._process.stdout.close()


def _property_words(properties: Properties) -> list[str]:
    words = []
    for name, value in properties.user:
        words += ["-D", "publish", "user-property", name, value]
    texts = {
        "content-type": properties.content_type,
        "response-topic": properties.response_topic,
        "correlation-data": properties.correlation_data.decode(),
    }
    for name, text in texts.items():
        words += ["-D", "publish", name, text] if text else []
    return words


def _received(line: str) -> Received:
    _, topic, qos, retain, payload, user, content_type, response_topic, data = line.split("|")
    pairs = tuple((pair.split(":")[0], pair.split(":")[1]) for pair in user.split())
    properties = Properties(pairs, content_type, response_topic, data.strip().encode())
    return Received(topic, bytes.fromhex(payload), int(qos), retain == "1", properties)
