"""One number of every layer, for one network or several, from the first layer to the last."""

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from cnnviz.figures.style import DASHES, FONT_SIZE, SERIES, TEMPLATE

QUANTITIES = {
    "activation_std": "deviation of the activations",
    "gradient_std": "deviation of the gradients",
    "gradient_norm": "length of the weights' gradient",
    "update_ratio": "update / weight",
}
SYMBOLS = ("circle", "square", "diamond", "triangle-up", "cross", "x")


def plot_signals(found: Mapping, quantity: str = "activation_std") -> go.Figure:
    """Return one line for each network: its layers from left to right, the signal on a logarithmic axis.

    A signal that is 0 or not finite has no place on that axis: the line has a gap there.

    Args:
        found: `Signals` by the name of the network.
        quantity: activation_std, gradient_std, gradient_norm or update_ratio.

    Raises:
        ValueError: another quantity.
    """
    if quantity not in QUANTITIES:
        raise ValueError(f"quantity (={quantity!r}) must be one of {', '.join(QUANTITIES)}")
    lines = {name: dict(zip(one.layers, getattr(one, quantity), strict=True)) for name, one in found.items()}
    return _by_layer(lines, QUANTITIES[quantity])


def plot_growth(found: Mapping[str, Mapping[str, float]]) -> go.Figure:
    """Return one line for each network: its normalisations from left to right, by how much their maps grew.

    Args:
        found: what `growth` returns, by the name of the network or of the step.
    """
    return _by_layer(found, "maps, times as large as before the step")


def _by_layer(lines: Mapping[str, Mapping[str, float]], title: str) -> go.Figure:
    """Return a line for each name: layers from left to right, their numbers on a logarithmic axis."""
    figure = go.Figure()
    for index, (name, values) in enumerate(lines.items()):
        figure.add_scatter(
            x=list(range(1, len(values) + 1)),
            y=[value if 0 < value < float("inf") else None for value in values.values()],
            name=name,
            text=list(values),
            mode="lines+markers",
            line={"color": SERIES[index % len(SERIES)], "dash": DASHES[index % len(DASHES)]},
            marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8},
        )
    drawn = [value for line in figure.data for value in line.y if value is not None] or [1]
    decades = math.log10(max(drawn) / min(drawn))
    ticks = "D2" if decades < 1.5 else math.ceil(decades / 12)  # D2: 2 and 5 stand between the powers of ten
    figure.update_yaxes(type="log", title=title, exponentformat="power", dtick=ticks)
    longest = max((len(values) for values in lines.values()), default=0)
    figure.update_xaxes(title="layer", dtick=1 if longest <= 30 else 5)
    ends = [
        "{} {:.2g} to {:.2g}".format(name, *(list(values.values())[end] for end in (0, -1)))
        for name, values in lines.items()
    ]
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=380,
        margin={"t": 20, "b": 60},
        showlegend=True,
        meta=f"{title.capitalize()}, from the first layer to the last: {'; '.join(ends)}.",
    )
    return figure
