"""Colours and fonts of every picture; each role has one colour, safe for colour-blind readers (Okabe and Ito, 2008)."""

INPUT = "#0072b2"  # blue: what goes in
WEIGHT = "#d55e00"  # vermilion: what is learned
OUTPUT = "#009e73"  # green: what comes out
ACCENT = "#cc79a7"  # purple
SECOND = "#56b4e9"  # sky blue
THIRD = "#e69f00"  # orange
GREY = "#7f7f7f"  # reference lines, a published value

SERIES = (INPUT, WEIGHT, OUTPUT, ACCENT, SECOND, THIRD)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")  # colour is never the only carrier

SIGNED = "RdBu_r"  # diverging, to be centred on zero
UNSIGNED = "viridis"
FONT_SIZE = 13
TEMPLATE = "plotly_white"  # white paper in both themes: every colour above keeps its contrast
