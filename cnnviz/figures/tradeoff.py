"""Accuracy against mult-adds, one circle a network, its area the parameters."""

import math

import plotly.graph_objects as go

from cnnviz.analysis.tradeoff import Network, Tradeoff
from cnnviz.figures.style import FONT_SIZE, GREY, SERIES, TEMPLATE

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "pentagon", "cross")  # equal areas at equal sizes, nearly
WIDTH, HEIGHT, LARGEST = 900, 540, 50  # pixels: the picture as labels are laid out for it, and its largest mark
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
    places = _label_places(networks, most)
    front = tradeoff.front
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[one.mult_adds for one in front],
            y=[one.accuracy for one in front],
            mode="lines",
            line={"color": GREY, "dash": "dot"},
            name="beaten by none",
        )
    )
    for index, family in enumerate(dict.fromkeys(one.family for one in networks)):
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
                    "size": [one.parameters for one in members],
                    "sizemode": "area",
                    "sizeref": most / LARGEST**2,
                    "sizemin": 3,
                    "color": SERIES[index % len(SERIES)],
                    "symbol": SYMBOLS[index % len(SYMBOLS)],
                    "opacity": 0.7,
                    "line": {"width": 1, "color": "white"},
                },
            )
        )
    (left, right), (low, high) = _ranges(networks)
    title = f"mult-adds of one image (the area of a mark: parameters; the largest has {most / 1e6:.1f} million)"
    figure.update_xaxes(type="log", range=[left, right], title=title, dtick="D2" if right - left < 2.5 else 1)
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


def _label_places(networks: tuple[Network, ...], most: int) -> dict[Network, str]:
    """Return a place for each name that has one, the large marks first, in pixels of a picture of usual size."""
    (left, right), (low, high) = _ranges(networks)
    marks = {}
    for one in networks:
        x = (math.log10(one.mult_adds) - left) / (right - left) * WIDTH * 0.9
        y = (one.accuracy - low) / (high - low) * HEIGHT * 0.75
        marks[one] = (x, y, LARGEST / 2 * math.sqrt(one.parameters / most))
    taken = [(x - r, y - r, x + r, y + r) for x, y, r in marks.values()]
    places = {}
    for one, (x, y, radius) in sorted(marks.items(), key=lambda item: -item[1][2]):
        wide, tall = 0.62 * FONT_SIZE * len(one.name), 1.3 * FONT_SIZE
        own = (x - radius, y - radius, x + radius, y + radius)
        for place, (widths, heights, right_of, above) in PLACES.items():
            begin = x + widths * wide + right_of * radius, y + heights * tall + above * radius
            box = (*begin, begin[0] + wide, begin[1] + tall)
            if not any(_overlap(box, other) for other in taken if other != own) and box[0] > 0:
                taken.append(box)
                places[one] = place
                break
    return places


def _overlap(one: tuple, other: tuple) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
