"""Steps with the time that is left. Estimates are corrected by what the steps so far took."""
import sys
import time


class Progress:
    def __init__(self, steps):
        """steps: estimated seconds of each."""
        self.steps = steps
        self.done = 0
        self.begin = time.monotonic()

    def step(self, text):
        elapsed = time.monotonic() - self.begin
        estimated = sum(self.steps[: self.done])
        speed = elapsed / estimated if estimated > 30 else 1.0
        left = sum(self.steps[self.done:]) * speed
        self.done += 1
        print("[%3d/%d, %2d:%02d left] %s" % (self.done, len(self.steps), left // 60, left % 60, text), end=" ")
        sys.stdout.flush()

    @staticmethod
    def result(text):
        print("->", text)
        sys.stdout.flush()
