#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds a conversation with a program that runs under a pseudo-terminal.

    terminal.py COMMAND... <script

Each line of the script is one step:

    wait TEXT   until the program has shown TEXT, after what the last wait found
    type TEXT   as keys; \\r, \\t and \\x03 are what they are in C
    end         until the program has ended, which must be with status 0

Colours and cursor movements are left out of what is shown. A program that is still there after the
last step is killed. Exit status 1, and the last that was shown, when a step takes longer than 20
seconds.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

STEP_SECONDS = 20
SHOWN_LINES = 40
ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    def __init__(self, command):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, 120, 0, 0))
            os.execvp(command[0], command)
        self.raw = b""
        self.seen = 0
        self.status = None

    def read_until(self, done):
        """Takes what the program shows until done() or the deadline; says whether done."""
        deadline = time.monotonic() + STEP_SECONDS
        while not done():
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                return False
            try:
                more = os.read(self.fd, 65536)
            except OSError:  # how Linux says that the other side has been closed
                more = b""
            if not more:
                return done()
            self.raw += more
        return True

    def shown(self):
        return ESCAPES.sub(b"", self.raw)

    def wait(self, text):
        found = self.read_until(lambda: text in self.shown()[self.seen:])
        if found:
            self.seen += self.shown()[self.seen:].index(text) + len(text)
        return found

    def type(self, text):
        os.write(self.fd, text)
        return True

    def end(self, _):
        self.read_until(lambda: False)
        deadline = time.monotonic() + STEP_SECONDS
        while not self.reap(os.WNOHANG) and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.status == 0

    def reap(self, options):
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
        return pid != 0

    def kill(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.reap(0)


def main():
    steps = [line.rstrip("\n").split(" ", 1) for line in sys.stdin if line.strip()]
    terminal = Terminal(sys.argv[1:])
    failed = None
    for verb, *text in steps:
        step = {"wait": terminal.wait, "type": terminal.type, "end": terminal.end}[verb]
        if not step("".join(text).encode().decode("unicode_escape").encode()):
            failed = " ".join([verb, *text])
            break
    terminal.kill()
    if not failed:
        return 0
    print(*terminal.shown().decode(errors="replace").splitlines()[-SHOWN_LINES:], sep="\n")
    print(f"failed: {failed} (exit status {terminal.status})")
    return 1


if __name__ == "__main__":
    sys.exit(main())
