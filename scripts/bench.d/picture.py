"""Cycles per packet over the number of flows as SVG: one panel per case, one line per system, log axes."""
import math

COLOURS = {"floor": "#7f7f7f", "ovs": "#d1495b", "sluice": "#00798c"}
NAMES = {"floor": "floor (testpmd io)", "ovs": "OVS-DPDK", "sluice": "Sluice"}
PANEL, HEIGHT, GAP, LEFT, TOP, BOTTOM = 300, 300, 26, 62, 62, 58


def label(value):
    return "%dM" % (value // 1e6) if value >= 1e6 else "%dk" % (value // 1e3) if value >= 1e3 else "%d" % value


class Axes:
    def __init__(self, x0, x_range, y_range):
        self.x0, self.x_range, self.y_range = x0, x_range, y_range

    @staticmethod
    def part(value, low, high):
        return (math.log10(value) - math.log10(low)) / (math.log10(high) - math.log10(low))

    def x(self, flows):
        return self.x0 + 14 + (PANEL - 28) * self.part(flows, *self.x_range)

    def y(self, cycles):
        return TOP + HEIGHT * (1 - self.part(cycles, *self.y_range))


def panel(axes, title, lines, first, ticks):
    out = ['<rect x="%d" y="%d" width="%d" height="%d" fill="#fbfbfb" stroke="#999"/>' % (axes.x0, TOP, PANEL, HEIGHT),
           '<text x="%d" y="%d" class="t">%s</text>' % (axes.x0 + PANEL / 2, TOP - 9, title)]
    for cycles in ticks:
        y = axes.y(cycles)
        out.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#e2e2e2"/>' % (axes.x0, axes.x0 + PANEL, y, y))
        if first:
            out.append('<text x="%d" y="%.1f" class="e">%s</text>' % (axes.x0 - 6, y + 4, label(cycles)))
    flows = axes.x_range[0]
    while flows <= axes.x_range[1]:
        out.append('<text x="%.1f" y="%d" class="m">%s</text>' % (axes.x(flows), TOP + HEIGHT + 17, label(flows)))
        flows *= 10
    for system, points in lines.items():
        colour = COLOURS[system]
        path = " ".join("%.1f,%.1f" % (axes.x(f), axes.y(c)) for f, c, _, _ in points)
        out.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="2.5"/>' % (path, colour))
        for f, c, low, high in points:
            out.append('<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="%s"/>' % (axes.x(f), axes.x(f), axes.y(low), axes.y(high), colour))
            out.append('<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"><title>%s, %s flows: %.0f cycles</title></circle>' % (
                axes.x(f), axes.y(c), colour, NAMES[system], label(f), c))
    return out


def draw(results):
    """The text of the picture, or None if no case of this run belongs into it."""
    panels = {}
    for row in results["cases"]:
        if not row["plotted"]:
            continue
        lines = panels.setdefault(row["title"], {})
        for name, system in row["systems"].items():
            if "cycles" in system:
                lines.setdefault(name, []).append((row["flows"], system["cycles"], system["low"], system["high"]))
    panels = {title: lines for title, lines in panels.items() if lines}
    if not panels:
        return None
    points = [p for lines in panels.values() for line in lines.values() for p in line]
    x_range = (1, max(10, max(p[0] for p in points)))
    low, high = min(p[2] for p in points) * 0.85, max(p[3] for p in points) * 1.2
    ticks = [b * 10**e for e in range(0, 7) for b in (1, 2, 5) if low <= b * 10**e <= high]
    width = LEFT + len(panels) * (PANEL + GAP)
    total = TOP + HEIGHT + BOTTOM
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d">' % (width, total, width, total),
           '<style>text{font-family:sans-serif;font-size:12px;fill:#222}.m,.t{text-anchor:middle}.e{text-anchor:end}'
           '.t{font-size:13px;font-weight:bold}</style>', '<rect width="%d" height="%d" fill="white"/>' % (width, total)]
    systems = [s for s in COLOURS if any(s in lines for lines in panels.values())]
    for i, system in enumerate(systems):
        x = LEFT + i * 170
        out.append('<line x1="%d" x2="%d" y1="18" y2="18" stroke="%s" stroke-width="2.5"/><text x="%d" y="22">%s</text>' % (
            x, x + 26, COLOURS[system], x + 32, NAMES[system]))
    for i, (title, lines) in enumerate(panels.items()):
        axes = Axes(LEFT + i * (PANEL + GAP), x_range, (low, high))
        out += panel(axes, title, {name: sorted(line) for name, line in lines.items()}, i == 0, ticks)
    out.append('<text transform="translate(16,%d) rotate(-90)" class="m">cycles per packet</text>' % (TOP + HEIGHT / 2))
    out.append('<text x="%d" y="%d" class="m">flows</text>' % (LEFT + (width - LEFT) / 2, TOP + HEIGHT + 42))
    out.append("</svg>")
    return "\n".join(out) + "\n"
