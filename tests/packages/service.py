#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# timeout: 120
"""
The board under a service manager, whose part is played here: it is handed listening sockets, says when
it is ready and when it stops, leaves the sockets where they are, and the next one goes on with them.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys

PR_SET_MDWE = 65

tmp = os.environ["TMPDIR"]
run = f"{tmp}/run"
points = 0
bad = 0


def point(name, good):
    global points, bad
    points += 1
    bad += not good
    print(f"{'ok' if good else 'not ok'} {points} - {name}", flush=True)


class Manager:
    """Sockets of functions 0 and 1, and the socket for news."""

    def __init__(self):
        os.mkdir(run, 0o700)
        self.sockets = []
        for function in range(2):
            server = socket.socket(socket.AF_UNIX)
            server.bind(f"{run}/fn{function}.sock")
            server.listen(16)
            self.sockets.append(server)
        # One that is none of the board's
        self.sockets.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.news = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.news.bind("\0hsm-service-" + os.path.basename(os.path.dirname(tmp)))
        self.news.settimeout(60)

    def start(self, pid_of=os.getpid, *more):
        """The board as a child with the sockets as descriptors 3, 4, 5; LISTEN_PID is what pid_of() says."""
        pid = os.fork()
        if pid:
            return pid
        kept = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(self.sockets)]
        for i, fd in enumerate(kept):
            os.dup2(fd, 3 + i)
        for fd in kept:
            os.close(fd)
        # As MemoryDenyWriteExecute= does, where the kernel knows it
        ctypes.CDLL(None).prctl(PR_SET_MDWE, 1, 0, 0, 0)
        environment = {
            "PATH": os.environ["PATH"],
            "LISTEN_FDS": str(len(kept)),
            "LISTEN_PID": str(pid_of()),
            "NOTIFY_SOCKET": self.news.getsockname().decode().replace("\0", "@"),
        }
        arguments = ["vhsm", "--state", f"{tmp}/state", "--run", run, "--functions", "3", *more]
        os.execvpe(os.environ["HSM_VHSM"], arguments, environment)

    def told(self):
        return self.news.recv(4096).decode().split("\n")


def hsmctl(function):
    environment = dict(os.environ, HSM_DEVICE=f"vfio-user:{run}/fn{function}.sock", HOME=tmp)
    return subprocess.run(["hsmctl", "info"], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)


def end(pid):
    os.kill(pid, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


manager = Manager()
inodes = [os.stat(f"{run}/fn{i}.sock").st_ino for i in range(2)]
# Who is there before the board waits in the socket.
early = socket.socket(socket.AF_UNIX)
early.connect(f"{run}/fn1.sock")
board = manager.start()
said = manager.told()
print(said, file=sys.stderr)
point("it says when it is ready", "READY=1" in said)
early.close()
answers = [hsmctl(1), hsmctl(2)]
print(answers, file=sys.stderr)
point("it serves a socket that it was handed", b"Virtual HSM" in answers[0].stdout)
point("and makes those that it was not", b"Virtual HSM" in answers[1].stdout)
point("the sockets are still the manager's",
      inodes == [os.stat(f"{run}/fn{i}.sock").st_ino for i in range(2)])
status = end(board)
point("it says that it stops", "STOPPING=1" in manager.told())
point("and ends well", status == 0)
point("the manager's sockets stay, its own one goes",
      [os.path.exists(f"{run}/fn{i}.sock") for i in range(3)] == [True, True, False])

board = manager.start()
point("the next board is ready", "READY=1" in manager.told())
point("and goes on with the sockets", b"Virtual HSM" in hsmctl(1).stdout)
end(board)
manager.told()

board = manager.start(os.getpid, "--idle-exit", "1")
manager.told()
point("an idle one ends", "STOPPING=1" in manager.told() and os.waitpid(board, 0)[1] == 0)
point("and leaves them as well", [os.path.exists(f"{run}/fn{i}.sock") for i in range(2)] == [True, True])

# Descriptors that are meant for another process are none of its business.
board = manager.start(os.getppid)
manager.told()
point("what is meant for another process is not taken",
      inodes != [os.stat(f"{run}/fn{i}.sock").st_ino for i in range(2)])
end(board)
print(f"1..{points}")
sys.exit(bad > 0)
