"""A measurement that is no plain cycles per packet: has a function for each system and figures of its own."""
from dataclasses import dataclass

from process import Failed


class Skipped(Failed):
    """This machine cannot do it; the text says why."""


@dataclass
class Figure:
    """One line of the table. `target` is what Sluice's value, or with `relative` its ratio to that of OVS, may be at most (with
    at_least: must be)."""
    what: str
    ovs: object
    sluice: object
    target: object = None
    relative: bool = False
    at_least: bool = False

    def ratio(self):
        return self.sluice / self.ovs if self.ovs and self.sluice is not None else None

    def judged(self):
        return self.ratio() if self.relative else self.sluice

    def met(self):
        if self.target is None or self.judged() is None:
            return None
        return self.judged() >= self.target if self.at_least else self.judged() <= self.target


def value(row, key):
    """Of a system that may not have been measured."""
    return row[key] if row else None


@dataclass
class Scenario:
    name: str
    title: str
    stresses: str
    run: object  # run(switch, files, hugepages) -> dict
    text: object  # text(dict) -> str
    figures: object  # figures(ovs dict or None, sluice dict or None) -> [Figure]
    systems: tuple = ("ovs", "sluice")
    estimate: int = 30
