# SPDX-License-Identifier: Apache-2.0
# Runs unittest modules and tells the result as TAP.  A test that hangs fails
# after 30 s: its processes are ended, by their parentage.
import importlib
import signal
import sys
import unittest

import psutil

LIMIT_S = 30


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.count = 0

    def tell(self, word, test, text=""):
        self.count += 1
        print(f"{word} {self.count} - {test.id()}", flush=True)
        for line in text.splitlines()[-12:]:
            print("# " + line[:160], flush=True)

    def startTest(self, test):
        super().startTest(test)
        signal.alarm(LIMIT_S)

    def stopTest(self, test):
        signal.alarm(0)
        super().stopTest(test)

    def addSuccess(self, test):
        self.tell("ok", test)

    def addSkip(self, test, reason):
        self.tell("ok", test, "skipped: " + reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.tell("not ok", test, self.failures[-1][1])

    def addError(self, test, err):
        super().addError(test, err)
        self.tell("not ok", test, self.errors[-1][1])


def give_up(_signum, _frame):
    for p in psutil.Process().children(recursive=True):
        p.kill()
    signal.alarm(LIMIT_S)
    raise TimeoutError(f"took longer than {LIMIT_S} s")


signal.signal(signal.SIGALRM, give_up)
result = Result()
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
print(f"1..{result.count}")
sys.exit(0 if result.wasSuccessful() else 1)
