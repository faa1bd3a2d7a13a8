"""Processes that the bench starts: each with its log in the temporary directory, each ended by its own process id."""
import atexit
import os
import signal
import subprocess
import time

_running = []


class Failed(Exception):
    """A step that did not work; the text says why."""


def go_first(pid):
    """Where others work on the machine too, what is measured has its turn before them as far as the kernel's groups of sessions let it."""
    try:
        with open("/proc/%d/autogroup" % pid, "w") as file:
            file.write("-10")
    except OSError:
        pass  # a kernel without them, or the process has ended


class Process:
    def __init__(self, name, argv, directory, stdin=False, core=0, env=None):
        self.name = name
        self.log_path = os.path.join(directory, name + ".log")
        self.log = open(self.log_path, "wb")
        self.popen = subprocess.Popen(
            ["taskset", "-c", str(core)] + argv, stdout=self.log, stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, env=env, start_new_session=True)
        self.pid = self.popen.pid
        go_first(self.pid)
        _running.append(self)

    def alive(self):
        return self.popen.poll() is None

    def text(self):
        with open(self.log_path, "r", errors="replace") as file:
            return file.read()

    def say(self, line):
        self.popen.stdin.write((line + "\n").encode())
        self.popen.stdin.flush()

    def failed(self, what):
        return Failed("%s: %s\n%s" % (self.name, what, "\n".join(self.text().splitlines()[-15:])))

    def wait_for(self, condition, seconds, what):
        """Waits until condition() holds."""
        end = time.monotonic() + seconds
        while not condition():
            if not self.alive():
                raise self.failed("ended with status %s while waiting for %s" % (self.popen.returncode, what))
            if time.monotonic() > end:
                raise self.failed("no %s after %d s" % (what, seconds))
            time.sleep(0.05)

    def stop(self, gently=signal.SIGTERM, seconds=10):
        for signum in (gently, signal.SIGKILL):
            if self.alive():
                try:
                    self.popen.send_signal(signum)
                    self.popen.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
        if self.popen.stdin:
            try:
                self.popen.stdin.close()
            except OSError:
                pass
        self.log.close()
        if self in _running:
            _running.remove(self)


def stop_all():
    for process in list(reversed(_running)):
        process.stop(seconds=5)


atexit.register(stop_all)


def run(argv, timeout=60, check=True):
    """Runs to its end and returns what it printed."""
    try:
        done = subprocess.run(["taskset", "-c", "0"] + argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, text=True, start_new_session=True)
    except subprocess.TimeoutExpired:
        raise Failed("%s: not done after %d s" % (" ".join(argv[:4]), timeout)) from None
    if check and done.returncode != 0:
        raise Failed("%s: %s" % (" ".join(argv[:6]), (done.stderr or done.stdout).strip()[:2000]))
    return done.stdout
