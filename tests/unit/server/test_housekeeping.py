"""What a server does by itself: one duty that fails does not keep another from being done."""

import pytest
from tests.waiting import until

from thingtank.server import housekeeping
from thingtank.server.housekeeping import Housekeeping
from thingtank.stores.memory_archive import MemoryArchive
from thingtank.stores.memory_directory import MemoryDirectory
from thingtank.tank.datapoints import DatapointRows
from thingtank.tank.tank import Tank
from thingtank.tank.things import Datastream, Device


async def test_leftovers_go_although_retention_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "FIRST_AFTER_S", 0)
    directory, archive = MemoryDirectory(), MemoryArchive()
    monkeypatch.setattr(directory, "devices_with_retention", None)
    device = Device(
        0, "uuid", directory.add_account("alice").account_id, "Roof", created_us=0, updated_us=0
    )
    drafts = [Datastream(0, 0, "gone"), Datastream(0, 0, "kept")]
    stored = await directory.insert_device(device, drafts, "token", None)
    gone = (await directory.delete_datastream(stored.device_id, "gone")).stream_id
    kept = directory.datastreams(stored.device_id)["kept"].stream_id
    await archive.append(DatapointRows([gone, kept], [0, 0], ["1", "2"]))
    keeping = Housekeeping(Tank(directory, archive))
    keeping.start()
    await until(lambda: archive.current(gone) is None)
    await keeping.stop()
    assert archive.current(kept) is not None
