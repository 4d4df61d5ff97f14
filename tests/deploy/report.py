"""What the run says: a line for each step with its time, and the summary."""

import contextlib
import time
import traceback


# Seconds after which something that should happen will not. Shorter where the absence is what is expected.
PATIENCE = 60
patience = PATIENCE


class Failed(Exception):
    """Something is not as the README says."""


def expect(actual, expected, what):
    """Fails with both values when they differ."""
    if actual != expected:
        raise Failed(f"{what}: expected {expected!r}, got {actual!r}")


def eventually(what, look):
    """Looks until it finds something, and returns that."""
    seconds = patience
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Failed(f"not within {seconds} s: {what}")
        time.sleep(0.1)
    return found


class Report:
    """Counts the steps."""

    def __init__(self):
        self.passed = 0
        self.failed = []
        self._began = time.monotonic()

    @contextlib.contextmanager
    def step(self, name):
        """One step; what goes wrong in it is printed, counted and not raised."""
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            self.failed.append(name)
            print(f"FAIL {name} ({time.monotonic() - began:.1f} s)", flush=True)
            known = isinstance(error, (Failed, RuntimeError))
            print(error if known else traceback.format_exc(), flush=True)
        else:
            self.passed += 1
            print(f"ok   {name} ({time.monotonic() - began:.1f} s)", flush=True)

    @contextlib.contextmanager
    def needed(self, name):
        """A step without which the rest cannot run."""
        failed = len(self.failed)
        with self.step(name):
            yield
        if len(self.failed) > failed:
            raise SystemExit(self.summary())

    def summary(self):
        """Prints the count; the exit code."""
        print(f"{self.passed} passed, {len(self.failed)} failed in {time.monotonic() - self._began:.0f} s", flush=True)
        for name in self.failed:
            print(f"failed: {name}")
        return 1 if self.failed or not self.passed else 0
