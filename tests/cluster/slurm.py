"""A Slurm cluster of one node on loopback: munged, slurmctld and slurmd, with everything they write in one folder."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from tests.support.following import read_until, wait_for
from tests.support.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path
    from typing import Self

_CONFIGURATION = """\
ClusterName=mcp-cxr
SlurmctldHost={host}(127.0.0.1)
NodeName={host} NodeAddr=127.0.0.1 CPUs=16 RealMemory=16384
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
"""
"""The node claims 16 cores and 16 GB, so that four tasks of docs/jobs/slurm.sh run at once on any machine.

A requeued task waits until the credential of its last start has expired.
"""


class Ended(NamedTuple):
    """How a task of an array ended, as Slurm records it."""

    task: int
    state: str
    exit_code: str
    """`code:signal`."""


class Slurm:
    """Starts the three daemons, runs commands against them, and ends its jobs and the daemons.

    Args:
        folder: A new one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self._variables = {"SLURM_CONF": str(folder / "slurm.conf")}
        self._jobs: list[str] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            munged = self._prepare()
            stack.enter_context(self._daemon("Created .* work threads", *munged))
            stack.enter_context(self._daemon("Running as primary controller", "slurmctld", "-D", "-c"))
            stack.enter_context(self._daemon("slurmd started on", "slurmd", "-D"))
            stack.callback(self._end_jobs)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def submit(self, script: Path, *options: str, variables: dict[str, str], log_dir: Path) -> str:
        """Submit a job with `sbatch`, run in a folder for its logs; return its id."""
        command = ["sbatch", "--parsable", f"--chdir={log_dir}", *options, str(script)]
        job = self.run(*command, variables=variables)
        self._jobs.append(job)
        return job

    def run(self, *command: str, variables: dict[str, str] | None = None) -> str:
        """Run one of Slurm's commands; return what it prints.

        Args:
            variables: Its environment, which `sbatch` gives to the job; None: this process's.
        """
        env = (os.environ if variables is None else variables) | self._variables
        return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()

    def ended(self, job: str, count: int) -> list[Ended]:
        """Return how the first `count` tasks of a job ended, in that order, as soon as they have.

        A requeued task ends again. A canceled one may still be at work.
        """

        def tasks(lines: list[str]) -> list[Ended]:
            # "PENDING" is written when a task is requeued.
            return [_ended(line) for line in lines if f"ArrayJobId={job} " in line and "JobState=PENDING" not in line]

        return tasks(read_until(self._folder / "ended", lambda lines: len(tasks(lines)) >= count))

    def processes(self, task: str) -> list[int]:
        """Return the ids of the processes of a running task `JOB_N`; the job's script is the first."""
        job = self.run("squeue", "--noheader", "--format=%A", f"--jobs={task}")
        return [int(line.split()[0]) for line in self.run("scontrol", "listpids", job).splitlines()[1:]]

    def _prepare(self) -> list[str]:
        """Write the key and the configuration; return munged's command."""
        folder = self._folder
        for name in ("state", "spool"):
            (folder / name).mkdir(mode=0o700)
        key = folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(secrets.token_bytes(64))
        host = socket.gethostname().partition(".")[0]
        (folder / "slurm.conf").write_text(_CONFIGURATION.format(host=host, folder=folder, ports=free_ports(2)))
        options = {
            name: folder / f"munge.{name.removesuffix('-file')}" for name in ("key-file", "pid-file", "seed-file")
        }
        options |= {"log-file": "/dev/null", "socket": folder / "munge.socket"}
        # Forced: pytest's folders are closed to other users, and munged would rather have its socket open to them.
        return ["munged", "--foreground", "--force", *(f"--{name}={value}" for name, value in options.items())]

    @contextlib.contextmanager
    def _daemon(self, started: str, *command: str) -> Generator[None]:
        """Run a daemon in the foreground; it is up when it logs a line that matches `started`."""
        program = shutil.which(command[0], path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, f"{command[0]} is missing"
        log = self._folder / f"{command[0]}.log"
        with log.open("wb") as stream:
            daemon = subprocess.Popen(
                [program, *command[1:]], env=os.environ | self._variables, stdout=stream, stderr=subprocess.STDOUT
            )
        with daemon:
            try:
                wait_for(log, started)
                yield
            finally:
                daemon.terminate()

    def _end_jobs(self) -> None:
        """End what a failed test left behind: slurmd leaves jobs running when it ends."""
        if self._jobs:
            self.run("scancel", "--quiet", *self._jobs)
            self.run("srun", "--quiet", f"--dependency=afterany:{':'.join(self._jobs)}", "true")


def _ended(line: str) -> Ended:
    found = {name: re.search(rf"\b{name}=(\S+)", line) for name in ("ArrayTaskId", "JobState", "ExitCode")}
    assert all(found.values()), line
    task, state, code = (match[1] for match in found.values() if match)
    return Ended(int(task), state, code)
