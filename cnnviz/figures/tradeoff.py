"""Accuracy against mult-adds, one circle a network, its area the parameters."""

import math
from itertools import pairwise

import plotly.graph_objects as go

from cnnviz.analysis.tradeoff import FAMILIES, Network, Tradeoff
from cnnviz.figures.style import FONT_SIZE, GREY, SERIES, TEMPLATE

SYMBOLS = {  # and their areas, in squares of half the size that plotly is given
    "circle": math.pi,
    "square": 4.0,
    "diamond": 3.38,
    "triangle-up": 1.73,
    "pentagon": 2.38,
    "hexagon": 2.6,
}
WIDTH, HEIGHT, LARGEST = 900, 540, 60  # pixels: the picture as names are laid out for it, and its largest circle
TICKS = [digit * 10.0**power for power in range(5, 12) for digit in (1, 2, 5)]
PLACES = {  # of a label: where its box begins, in its own widths and heights and in radii of the mark
    "middle right": (0.0, -0.5, 1, 0),
    "middle left": (-1.0, -0.5, -1, 0),
    "top center": (-0.5, 0.0, 0, 1),
    "bottom center": (-0.5, -1.0, 0, -1),
    "top right": (0.0, 0.0, 0.7, 0.7),
    "bottom right": (0.0, -1.0, 0.7, -0.7),
    "top left": (-1.0, 0.0, -0.7, 0.7),
    "bottom left": (-1.0, -1.0, -0.7, -0.7),
}


def plot_tradeoff(tradeoff: Tradeoff) -> go.Figure:
    """Return the networks as marks on a logarithmic axis of mult-adds; a line joins those that no other beats.

    A name stands where it covers no other name and no mark; where there is no such place it shows under the pointer
    only.

    Raises:
        ValueError: there are no networks.
    """
    networks = tradeoff.networks
    if not networks:
        raise ValueError("there are no networks to draw")
    most = max(one.parameters for one in networks)
    kinds = list(dict.fromkeys([*FAMILIES.values(), *(one.family for one in networks)]))  # alike in every picture
    symbols = {kind: list(SYMBOLS)[index % len(SYMBOLS)] for index, kind in enumerate(kinds)}
    colours = {kind: SERIES[index % len(SERIES)] for index, kind in enumerate(kinds)}
    sizes = {one: one.parameters * math.pi / SYMBOLS[symbols[one.family]] for one in networks}
    places = _name_places(tradeoff, {one: LARGEST / 2 * math.sqrt(size / most) for one, size in sizes.items()})
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[one.mult_adds for one in tradeoff.front],
            y=[one.accuracy for one in tradeoff.front],
            mode="lines",
            line={"color": GREY, "dash": "dot"},
            hoverinfo="skip",
            name="beaten by none",
        )
    )
    for family in dict.fromkeys(one.family for one in networks):
        members = [one for one in networks if one.family == family]
        figure.add_trace(
            go.Scatter(
                x=[one.mult_adds for one in members],
                y=[one.accuracy for one in members],
                text=[one.name if one in places else "" for one in members],
                textposition=[places.get(one, "middle right") for one in members],
                hovertext=[_words(one) for one in members],
                hoverinfo="text",
                mode="markers+text",
                name=family,
                marker={
                    "size": [sizes[one] for one in members],
                    "sizemode": "area",
                    "sizeref": 2 * most / LARGEST**2,
                    "sizemin": 3,
                    "color": colours[family],
                    "symbol": symbols[family],
                    "opacity": 0.7,
                    "line": {"width": 1, "color": "white"},
                },
            )
        )
    (left, right), (low, high) = _ranges(networks)
    title = f"million mult-adds of one image (area of a mark: parameters; the largest has {most / 1e6:.1f} million)"
    words = [f"{tick / 1e6:,g}" for tick in TICKS]
    figure.update_xaxes(type="log", range=[left, right], title=title, tickvals=TICKS, ticktext=words)
    figure.update_yaxes(range=[low, high], title=f"{tradeoff.measure}, percent")
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=HEIGHT,
        margin={"t": 20, "b": 110},
        legend={"orientation": "h", "y": -0.2, "itemsizing": "constant"},
        meta=tradeoff.describe(),
    )
    return figure


def _words(one: Network) -> str:
    costs = f"{one.mult_adds / 1e6:,.0f} million mult-adds, {one.parameters / 1e6:.1f} million parameters"
    return f"{one.name}: {one.accuracy:.1f} %<br>{costs}<br>{one.source}"


def _ranges(networks: tuple[Network, ...]) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the ends of both axes, with room for marks and names: powers of ten, and percent."""
    x = [math.log10(one.mult_adds) for one in networks]
    y = [one.accuracy for one in networks]
    wide, tall = max(max(x) - min(x), 0.3), max(max(y) - min(y), 1.0)
    return (min(x) - 0.15 * wide, max(x) + 0.2 * wide), (min(y) - 0.12 * tall, max(y) + 0.12 * tall)


def _name_places(tradeoff: Tradeoff, radii: dict[Network, float]) -> dict[Network, str]:
    """Return a place for each name that has one, the large marks first, in pixels of a picture of usual size."""
    (left, right), (low, high) = _ranges(tradeoff.networks)

    def pixels(one: Network) -> tuple[float, float]:
        x = (math.log10(one.mult_adds) - left) / (right - left) * WIDTH * 0.9
        return x, (one.accuracy - low) / (high - low) * HEIGHT * 0.75

    marks = {one: _box(*pixels(one), radius) for one, radius in radii.items()}
    taken = [*marks.values(), *_along(list(map(pixels, tradeoff.front)))]
    places = {}
    for one in sorted(radii, key=radii.get, reverse=True):
        (x, y), radius = pixels(one), radii[one]
        wide, tall = 0.62 * FONT_SIZE * len(one.name), 1.3 * FONT_SIZE
        for place, (widths, heights, right_of, above) in PLACES.items():
            begin = x + widths * wide + right_of * radius, y + heights * tall + above * radius
            box = (*begin, begin[0] + wide, begin[1] + tall)
            if box[0] > 0 and not any(_overlap(box, other) for other in taken if other != marks[one]):
                taken.append(box)
                places[one] = place
                break
    return places


def _box(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
    return x - radius, y - radius, x + radius, y + radius


def _along(points: list[tuple[float, float]], steps: int = 20) -> list[tuple[float, float, float, float]]:
    """Return small boxes along a line, without its ends, which are marks."""
    return [
        _box(x + (to_x - x) * step / steps, y + (to_y - y) * step / steps, 2)
        for (x, y), (to_x, to_y) in pairwise(points)
        for step in range(1, steps)
    ]


def _overlap(one: tuple, other: tuple) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
