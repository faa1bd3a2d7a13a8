#!/usr/bin/python3
"""Draws docs/layers.svg: the folders in the order of scripts/check-layers, with what docs/architecture.md says of each.

docs/layers.py           writes docs/layers.svg
docs/layers.py --check   exits 1 if that file is not what would be written, or if the two tables do not have the same folders
"""
import os
import re
import subprocess
import sys
from xml.sax.saxutils import escape

ROW, LEFT, WIDTH, TOP = 27, 40, 920, 44
# Folders that are drawn as one house: the first word of their names, and its class in the picture.
HOUSES = {"pmd": "fast", "src": "slow"}
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"
     font-family="sans-serif" font-size="12.5">
  <!-- Made by docs/layers.py. -->
  <defs>
    <marker id="a" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">
      <path d="M0,0 L10,5 L0,10 z" fill="#345"/>
    </marker>
    <style>
      .fast{{fill:#eaf4ff;stroke:#1f5fa8;stroke-width:1.6}}.slow{{fill:#fff4e6;stroke:#b86b00;stroke-width:1.6}}
      .box{{fill:#fff;stroke:#345}}.line{{stroke:#345;stroke-width:1.6;fill:none;marker-end:url(#a)}}
      .t{{font-weight:bold}}.s{{font-size:11px;fill:#444}}
    </style>
  </defs>
  <rect width="{width}" height="{height}" fill="#fff"/>
"""


def layers():
    return subprocess.run(["scripts/check-layers", "--table"], check=True, capture_output=True, text=True).stdout.split()


def described():
    """What each folder is, by its name, in the order of the table in docs/architecture.md."""
    with open("docs/architecture.md", encoding="utf-8") as source:
        rows = re.findall(r"^\| (`(?:pmd|src)/[^|]*) \| ([^|]*) \|$", source.read(), re.M)
    return {os.path.dirname(path): text.replace("`", "") for paths, text in rows for path in re.findall(r"`([^`]+)`", paths)}


def picture(folders, text):
    height = TOP + len(folders) * ROW + 22 * len(HOUSES) + 16
    parts = [HEAD.format(width=WIDTH, height=height)]
    parts.append(f'  <text x="{LEFT}" y="24" class="s">A file includes its own folder and those below it; src/ includes of pmd/ only '
                 'pmd/*.h and pmd/base/.</text>\n')
    parts.append(f'  <path class="line" d="M18,{TOP} V{height - 14}"/>\n')
    y = TOP
    for house in sorted(HOUSES, reverse=True):
        rows = [folder for folder in reversed(folders) if folder.split("/")[0] == house]
        parts.append(f'  <rect x="{LEFT - 8}" y="{y - 6}" width="{WIDTH - LEFT - 8}" height="{len(rows) * ROW + 10}" rx="8" '
                     f'class="{HOUSES[house]}"/>\n')
        for folder in rows:
            parts.append(f'  <rect x="{LEFT}" y="{y}" width="{WIDTH - LEFT - 24}" height="{ROW - 3}" rx="4" class="box"/>'
                         f'<text x="{LEFT + 10}" y="{y + 16}" class="t">{escape(folder)}/</text>'
                         f'<text x="{LEFT + 182}" y="{y + 16}" class="s">{escape(text[folder])}</text>\n')
            y += ROW
        y += 22
    return "".join(parts) + "</svg>\n"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    folders, text = layers(), described()
    if folders != list(text):
        print("docs/architecture.md, \"The house\", and scripts/check-layers differ in their folders or the order of them:",
              *sorted(set(folders) ^ set(text)))
        return 1
    wanted = picture(folders, text)
    if sys.argv[1:] == ["--check"]:
        with open("docs/layers.svg", encoding="utf-8") as source:
            if source.read() == wanted:
                return 0
        print("docs/layers.svg is not up to date: run docs/layers.py")
        return 1
    with open("docs/layers.svg", "w", encoding="utf-8") as target:
        target.write(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
