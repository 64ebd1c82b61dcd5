"""`mcp-cxr chat` as a process of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

TIMEOUT_S = 60


@dataclass(slots=True)
class Chatting:
    """A running `mcp-cxr chat`, to be used as a context manager; at exit the page and its servers are stopped.

    Args:
        variables: The whole environment.
        arguments: Appended to `chat --port 0`.
    """

    variables: dict[str, str]
    folder: Path
    arguments: tuple[str, ...] = ()
    headless: bool = True
    under: tuple[str, ...] = ()
    """A command that starts it, such as `nohup`."""
    output: list[str] = field(default_factory=list[str])
    url: str = ""
    process: subprocess.Popen[str] = field(init=False)

    def __enter__(self) -> Self:
        options = ["--port", "0", *(["--headless"] if self.headless else []), *self.arguments]
        command = [*self.under, sys.executable, "-m", "mcp_cxr", "chat", *options]
        home = {"HOME": str(self.folder), "PATH": os.environ["PATH"]}
        home |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**home, **self.variables}, cwd=self.folder
        )
        assert self.process.stderr
        while not self.url:
            line = self.process.stderr.readline()
            assert line, f"it ended: {self.output}"
            self.output.append(line)
            if found := re.match(r"Open (\S+);", line):
                self.url = found[1]
        return self

    def __exit__(self, *_: object) -> None:
        self.signal_servers(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.communicate(timeout=TIMEOUT_S)
        finally:
            self.process.kill()

    @property
    def address(self) -> str:
        """The address of the page, without the code of the link."""
        return self.url.partition("#")[0]

    @property
    def opening_file(self) -> Path:
        """The file that redirects to the page with a code that is still unused."""
        assert self.process.stderr
        while not (found := re.search(r"open (\S+open\.html)", "".join(self.output))):
            self.output.append(self.process.stderr.readline())
        return Path(found[1])

    @property
    def fresh_url(self) -> str:
        """A link that is still unused."""
        found = re.search(r'href="([^"]+)"', self.opening_file.read_text())
        assert found
        return found[1]

    @property
    def servers(self) -> list[int]:
        """The processes of the servers that it has started."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/children")
        children = [int(pid) for task in tasks for pid in task.read_text().split()]
        return [pid for pid in children if b"serve" in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def signal_servers(self, number: signal.Signals) -> None:
        for pid in self.servers:
            os.kill(pid, number)
