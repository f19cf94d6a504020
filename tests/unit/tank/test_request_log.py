"""The request log keeps what is newest, within its bounds."""

from thingtank.tank import request_log
from thingtank.tank.events import Asked, RequestServed
from thingtank.tank.request_log import RequestLog


def served(device_id: int, at_us: int, body: bytes = b"") -> RequestServed:
    path = f"/v2/feeds/{device_id}"
    asked = Asked(device_id, "xively_http", "PUT", path)
    return RequestServed(at_us, asked, 200, 1, request_body=body)


def test_a_devices_requests_are_told_newest_first_and_the_oldest_forgotten() -> None:
    log = RequestLog()
    for at_us in range(60):
        log.remember(served(1, at_us))
    assert [event.at_us for event in log.of_device(1)] == list(range(59, 9, -1))
    assert log.of_device(2) == []


def test_devices_not_heard_of_for_longest_are_forgotten_first() -> None:
    log = RequestLog()
    for device_id in range(request_log.DEVICES_MAX):
        log.remember(served(device_id, 0))
    log.remember(served(0, 1))
    log.remember(served(-1, 2))
    assert len(log.of_device(0)) == 2
    assert log.of_device(1) == []
    assert len(log.of_device(2)) == 1


def test_all_bodies_together_are_bounded() -> None:
    log = RequestLog()
    body = b"x" * 2048
    for device_id in range(request_log.DEVICES_MAX):
        for at_us in range(50):
            log.remember(served(device_id, at_us, body))
    kept = [event for device_id in range(1000) for event in log.of_device(device_id)]
    kept_bytes = sum(len(event.request_body) for event in kept)
    assert request_log.BYTES_MAX * 0.7 < kept_bytes <= request_log.BYTES_MAX
    assert len(log.of_device(request_log.DEVICES_MAX - 1)) == 50
