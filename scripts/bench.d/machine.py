"""The machine: what it is, its hugepages, and how much of its time a thread got."""
import os
import platform
import re
import time

HUGEPAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB"


def read(path, default=""):
    try:
        with open(path) as file:
            return file.read().strip()
    except OSError:
        return default


def describe():
    cpuinfo = read("/proc/cpuinfo")
    model = re.search(r"^model name\s*: (.*)$", cpuinfo, re.M)
    caches = []
    for index in range(5):
        base = "/sys/devices/system/cpu/cpu0/cache/index%d/" % index
        if read(base + "type") in ("Data", "Unified"):
            caches.append("L%s %s" % (read(base + "level"), read(base + "size")))
    release = re.search(r'^PRETTY_NAME="(.*)"$', read("/etc/os-release"), re.M)
    return {
        "cpu": model.group(1) if model else platform.processor(),
        "cores": os.cpu_count(),
        "caches": caches,
        "memory_mb": int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo")).group(1)) // 1024,
        "virtual": "hypervisor" in cpuinfo,
        "kernel": platform.release(),
        "system": release.group(1) if release else platform.system(),
    }


class Hugepages:
    """Sees to it that so many MB of 2 MB pages are free, and gives back what it took."""

    def __init__(self):
        self.before = None
        self.taken = 0

    @staticmethod
    def free_mb():
        return 2 * int(read(HUGEPAGES + "/free_hugepages", "0"))

    def want(self, megabytes):
        """Whether that much is free now."""
        lacking = (megabytes - self.free_mb() + 1) // 2
        if lacking <= 0:
            return True
        total = int(read(HUGEPAGES + "/nr_hugepages", "0"))
        try:
            with open(HUGEPAGES + "/nr_hugepages", "w") as file:
                file.write(str(total + lacking))
        except OSError:
            return False
        self.taken += int(read(HUGEPAGES + "/nr_hugepages", "0")) - total
        return self.free_mb() >= megabytes

    def give_back(self):
        if self.taken <= 0:
            return
        total = int(read(HUGEPAGES + "/nr_hugepages", "0"))
        try:
            with open(HUGEPAGES + "/nr_hugepages", "w") as file:
                file.write(str(max(total - self.taken, 0)))
        except OSError:
            pass
        self.taken = 0


def affinity(task):
    return re.search(r"^Cpus_allowed_list:\s*(.*)$", read(task + "/status"), re.M)


def pinned_thread(pid, core):
    """The busiest thread of `pid` that may run on `core` alone: its poll-mode thread."""
    best = None
    for tid in os.listdir("/proc/%d/task" % pid):
        task = "/proc/%d/task/%s" % (pid, tid)
        cpus = affinity(task)
        ran = int(read(task + "/schedstat", "0 0 0").split()[0])
        if cpus and cpus.group(1) == str(core) and (best is None or ran > best[0]):
            best = (ran, task)
    return best[1] if best else None


class Share:
    """How much of the time between begin() and end() a thread ran. Poll-mode threads count TSC cycles, which go on while others have the
    core: cycles times share are those that the thread itself had."""

    def __init__(self, task):
        self.task = task
        self.begin()

    def ran(self):
        return int(read(self.task + "/schedstat", "0 0 0").split()[0]) / 1e9

    def preemptions(self):
        found = re.search(r"^nonvoluntary_ctxt_switches:\s*(\d+)", read(self.task + "/status"), re.M)
        return int(found.group(1)) if found else 0

    def begin(self):
        self.start = (self.ran(), time.monotonic(), self.preemptions())

    def end(self):
        elapsed = time.monotonic() - self.start[1]
        return min(1.0, (self.ran() - self.start[0]) / elapsed)


def resident_mb(pid):
    found = re.search(r"^VmRSS:\s*(\d+)", read("/proc/%d/status" % pid), re.M)
    return int(found.group(1)) / 1024 if found else 0.0
