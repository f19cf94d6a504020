"""A mapper, combiner or reducer at work: fed lines, its output read, its notes kept."""

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType

from thingtank.batch.notes import Notes

BLOCK_BYTES = 1 << 20
PIPE_BYTES = 1 << 20
_F_SETPIPE_SZ = 1031  # Linux only; of the module fcntl since Python 3.10
END_S_MAX = 60.0  # from the end of its output to the end of a program
LOOK_S = 1.0  # between two looks whether a program that writes nothing has ended
CHILD_S_MAX = 60.0  # for a child of its own that holds its output, and writes nothing
_CHILD_HOLDS = "a program that it started holds its output open"
NOTES_S_MAX = 5.0  # for a child of its own that holds its standard error


class ProgramFailed(Exception):
    """A program did not end well; the message is for a person, with what it wrote last."""


class Program:
    """One run of one program, from `with Program(…) as program` to its end."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        notes: Notes,
        output: int = subprocess.PIPE,
    ) -> None:
        """Start it.

        Args:
            environment: besides this process's.
            notes: takes its standard error.
            output: a file to write to, instead of being read.

        Raises:
            ProgramFailed: it cannot be started.
        """
        self._name = " ".join(command)
        self._notes = notes
        self._trouble: BaseException | None = None
        self._threads: list[threading.Thread] = []
        try:
            self._process = subprocess.Popen(  # noqa: S603 - what the user of the job names
                list(command),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.PIPE,
                env={**os.environ, **environment},
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) else str(error)
            raise ProgramFailed(f"{self._name} cannot be started: {why}") from None
        self._begin(self._read_notes)

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        for thread in self._threads:
            thread.join(NOTES_S_MAX)
        for pipe in (self._process.stdout, self._process.stdin):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def feed(self, blocks: Iterable[bytes]) -> None:
        """Begin to write blocks to it, while it is read."""
        self._begin(self._write, blocks)

    def pour(self, blocks: Iterable[bytes]) -> None:
        """Write blocks to it; for one that writes to a file."""
        self._write(blocks)

    def read(self) -> Iterator[bytes]:
        """What it writes, in blocks of any size.

        Raises:
            ProgramFailed: it has ended, and a child of its own holds its output open without
                writing to it.
        """
        assert self._process.stdout is not None, "it writes to a file"
        descriptor = self._process.stdout.fileno()
        _widen(descriptor)
        while self._may_read(descriptor) and (block := os.read(descriptor, BLOCK_BYTES)):
            yield block

    def _may_read(self, descriptor: int) -> bool:
        """Wait until there is something to read, or the end of it."""
        if not hasattr(select, "poll"):  # Windows
            return True
        pipe = select.poll()
        pipe.register(descriptor, select.POLLIN)
        while not pipe.poll(LOOK_S * 1000):
            if self._process.poll() is not None:
                self._notes.add(b"reporter:status:%s\n" % _CHILD_HOLDS.encode())
                if not pipe.poll(CHILD_S_MAX * 1000):
                    raise ProgramFailed(
                        f"{self._name} has ended, but {_CHILD_HOLDS}, and has not written to it"
                        f" for {CHILD_S_MAX:.0f} s: have it end first, or write elsewhere"
                    )
        return True

    def finish(self) -> None:
        """Wait for its end.

        Raises:
            ProgramFailed: its exit status is not 0, or it does not end.
        """
        try:
            status = self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            raise ProgramFailed(
                f"{self._name} has closed its output {END_S_MAX:.0f} s ago, and does not end"
            ) from None
        for thread in self._threads:
            thread.join(NOTES_S_MAX)
        self._notes.finish()
        if self._trouble is not None:
            raise self._trouble
        if status:
            raise ProgramFailed(f"{self._name} {ended(status)}{self._last_words()}")

    def _last_words(self) -> str:
        lines = self._notes.text.splitlines()[-20:]
        if not lines:
            return ", and wrote nothing to standard error"
        return "; the last it wrote to standard error:\n" + "\n".join(f"  {line}" for line in lines)

    def _begin(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]  # each work has its own arguments
        self._threads.append(thread)
        thread.start()

    def _write(self, blocks: Iterable[bytes]) -> None:
        assert self._process.stdin is not None
        descriptor = self._process.stdin.fileno()
        _widen(descriptor)
        try:
            for block in blocks:
                view = memoryview(block)
                while view:
                    view = view[os.write(descriptor, view) :]
        except BrokenPipeError:  # it need not read all, as `head` does not
            pass
        except Exception as error:  # noqa: BLE001 - of the source, raised in the caller's thread
            self._trouble = error
        finally:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _read_notes(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            while block := pipe.read(1 << 16):
                self._notes.add(block)


def ended(status: int) -> str:
    """How a program ended, for people."""
    if status > 0:
        return f"ended with exit status {status}"
    if -status == getattr(signal, "SIGXFSZ", None):
        return "was ended, as a file would be larger than `ulimit -f` allows (SIGXFSZ)"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _widen(descriptor: int) -> None:
    """Let a pipe hold as much as is written at a time, where the system lets us."""
    with contextlib.suppress(OSError, ImportError):
        import fcntl

        fcntl.fcntl(descriptor, _F_SETPIPE_SZ, PIPE_BYTES)
