"""One signal of every layer, for one network or several, from the first layer to the last."""

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
    figure = go.Figure()
    for index, (name, signals) in enumerate(found.items()):
        values = getattr(signals, quantity)
        figure.add_scatter(
            x=list(range(1, len(values) + 1)),
            y=[value if 0 < value < float("inf") else None for value in values],
            name=name,
            text=signals.layers,
            mode="lines+markers",
            line={"color": SERIES[index % len(SERIES)], "dash": DASHES[index % len(DASHES)]},
            marker={"symbol": SYMBOLS[index % len(SYMBOLS)], "size": 8},
        )
    figure.update_yaxes(type="log", title=QUANTITIES[quantity], exponentformat="power", dtick=1)
    figure.update_xaxes(title="layer", dtick=1)
    ends = [
        f"{name} {getattr(one, quantity)[0]:.2g} to {getattr(one, quantity)[-1]:.2g}" for name, one in found.items()
    ]
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=380,
        margin={"t": 20, "b": 60},
        showlegend=True,
        meta=f"{QUANTITIES[quantity].capitalize()}, from the first layer to the last: {'; '.join(ends)}.",
    )
    return figure
