"""Workers, and the handing out of tasks to them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from types import TracebackType

import msgspec

from thingtank.batch.job import BatchFailed
from thingtank.batch.tasks import Answer, Done, Failed, Status, Task

OnStatus = Callable[[str], object]
_DECODER: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class Crew:
    """Some workers, from `with Crew(…) as crew` to its end, which ends them and all they started.

    Each has a thread here that talks to it.
    """

    def __init__(self, size: int, task_s_max: float) -> None:
        """Start none yet.

        Args:
            task_s_max: how long a worker may take for a task before it is ended.
        """
        self._task_s_max = task_s_max
        self._threads = ThreadPoolExecutor(size, "batch")
        self._own = threading.local()
        self._workers: list[subprocess.Popen[bytes]] = []
        self._turn = threading.Lock()
        self._is_closed = False

    def __enter__(self) -> "Crew":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        with self._turn:
            self._is_closed = True
            for worker in self._workers:
                _end(worker)
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()

    def work_off(self, tasks: Sequence[Task], on_status: OnStatus) -> Iterator[Done]:
        """Have tasks done; gives what became of each as soon as it is.

        Raises:
            BatchFailed: one failed; the others are broken off by the crew's end.
        """
        waiting = {self._threads.submit(self._do, task, on_status) for task in tasks}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                answer = future.result()
                if isinstance(answer, Failed):
                    raise BatchFailed(answer.message)
                yield answer

    def _do(self, task: Task, on_status: OnStatus) -> Done | Failed:
        worker = self._worker()
        assert worker.stdin is not None
        assert worker.stdout is not None
        is_late = threading.Event()

        def stop() -> None:
            is_late.set()
            _end(worker)

        timer = threading.Timer(self._task_s_max, stop)
        timer.daemon = True
        timer.start()
        try:
            worker.stdin.write(msgspec.json.encode(task) + b"\n")
            worker.stdin.flush()
            for line in worker.stdout:
                answer = _DECODER.decode(line)
                if not isinstance(answer, Status):
                    return answer
                on_status(answer.text)
        except OSError:
            pass  # it is gone, as below
        finally:
            timer.cancel()
        if is_late.is_set():
            what = f"took longer than {self._task_s_max:,.0f} s, and was ended"
            return Failed(task.number, f"{' '.join(task.command)} {what}")
        return Failed(
            task.number,
            f"a worker was ended by the system (status {worker.wait()}); was there too little"
            " memory? Try fewer workers, or less memory for each",
        )

    def _worker(self) -> "subprocess.Popen[bytes]":
        """This thread's own."""
        if not hasattr(self._own, "worker"):
            with self._turn:
                if self._is_closed:
                    raise BatchFailed("the job was broken off")
                self._own.worker = subprocess.Popen(
                    [sys.executable, "-m", "thingtank.batch.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    process_group=0,
                )
                self._workers.append(self._own.worker)
        worker: subprocess.Popen[bytes] = self._own.worker
        return worker


def _end(worker: "subprocess.Popen[bytes]") -> None:
    """End a worker and the programs it has started."""
    if worker.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
