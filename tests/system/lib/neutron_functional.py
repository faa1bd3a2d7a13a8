"""Run functional tests of Debian's python3-neutron whose names match: neutron_functional.py MODULE[:REGEX]...

They are the agent's own code on a real switch: bridges, OpenFlow by os-ken and by ovs-ofctl, the firewall, whole agents. Prints a line for
each; those of REASONS are left out. The exit status says whether all passed.
"""

import re
import sys
import unittest
import warnings

warnings.simplefilter("ignore")

import neutron.tests.functional  # noqa: E402,F401 (first: it replaces parts of Python)
import testscenarios.testcase  # noqa: E402,F401 (load_tests of the modules needs it)

# What does not concern the switch, or is not possible here.
REASONS = {}


def every(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from every(test)
        else:
            yield test


class Result(unittest.TextTestResult):
    def getDescription(self, test):
        return test.id().removeprefix("neutron.tests.functional.")


chosen = unittest.TestSuite()
for argument in sys.argv[1:]:
    module, _, pattern = argument.partition(":")
    found = [t for t in every(unittest.defaultTestLoader.loadTestsFromName(module)) if re.search(pattern, t.id())]
    if not found:
        sys.exit(f"no tests: {argument}")
    chosen.addTests(t for t in found if not any(name in t.id() for name in REASONS))
result = unittest.TextTestRunner(verbosity=2, resultclass=Result, stream=sys.stdout, warnings="ignore").run(chosen)
sys.exit(not result.wasSuccessful())
