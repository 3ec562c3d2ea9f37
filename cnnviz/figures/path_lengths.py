"""How many paths of each length a residual network has, how strong one is, and what they carry together."""

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from cnnviz.analysis.path_lengths import band
from cnnviz.figures.style import FONT_SIZE, GREY, INPUT, OUTPUT, TEMPLATE, THIRD, WEIGHT

LECTURES = (
    54,
    5,
    17,
)  # blocks, first and last length that carry most of the gradient: data/reference/lectures.csv, B07
NEGLIGIBLE = 0.01  # of the gradient: what may point the other way where a range of lengths is to hold 95 % of it
TITLES = (
    "How many paths there are, share of all",
    "How strong one path is, norm of its gradient",
    "What all paths of a length carry together",
)


def signed_band(signed: np.ndarray) -> tuple[int, int] | None:
    """Return the fewest successive lengths with 95 % of signed shares [n+1]; None where too many of them are negative.

    Where some lengths cancel others, a few can hold more than all.
    """
    return band(signed) if against(signed) < NEGLIGIBLE * signed.sum() else None


def against(signed: np.ndarray) -> float:
    """Return how much of the gradient the lengths with a negative share [n+1] take away, at least 0."""
    return float(-signed[signed < 0].sum()) + 0.0


def plot_path_lengths(profile, sample=None, *, name: str = "") -> go.Figure:
    """Return the number of paths, the strength of one, and what they carry, one below the other over the same lengths.

    All numbers are means over the images. A line above the lowest panel spans the lengths that carry 95 %.

    Args:
        profile: a `PathLengthProfile`.
        sample: a `PathSample` of the same network; without it there is no estimate of Veit et al. in the picture.
        name: of the network, for the title.

    Raises:
        ValueError: profile and sample have different numbers of blocks.
    """
    if sample is not None and len(sample.norm) != len(profile.norm):
        raise ValueError(
            f"profile ({profile.blocks} blocks) and sample ({len(sample.norm) - 1} blocks) must be of one network"
        )
    lengths = np.arange(profile.blocks + 1)
    figure = make_subplots(rows=3, shared_xaxes=True, vertical_spacing=0.08, subplot_titles=TITLES)
    figure.add_bar(
        x=lengths, y=profile.paths / 2.0**profile.blocks, name="paths of that length", marker_color=GREY, row=1, col=1
    )
    _strength(figure, lengths, profile, sample)
    _carried(figure, lengths, profile, sample)
    blocks, low, high = LECTURES
    if profile.blocks == blocks:
        figure.add_vrect(low - 0.5, high + 0.5, fillcolor=THIRD, opacity=0.15, line_width=0, layer="below")
        figure.add_annotation(
            text=f"lectures: {low} to {high} of {blocks}",
            x=(low + high) / 2,
            y=1,
            yref="y domain",
            yanchor="top",
            showarrow=False,
            row=1,
            col=1,
        )
    figure.update_annotations(font_size=FONT_SIZE)
    figure.update_xaxes(range=[-0.6, profile.blocks + 0.6], dtick=1 if profile.blocks < 16 else 5)
    figure.update_xaxes(title="path length (blocks)", row=3)
    figure.update_yaxes(tickformat=".0%", row=1)
    # plotly writes powers a quarter larger than other numbers.
    figure.update_yaxes(type="log", exponentformat="power", tickfont_size=0.8 * FONT_SIZE, row=2)
    figure.update_yaxes(tickformat=".0%", row=3)
    figure.update_layout(
        template=TEMPLATE,
        font_size=FONT_SIZE,
        height=830,
        margin={"t": 70 if name else 40, "b": 150},
        legend={"orientation": "h", "y": -0.09, "yanchor": "top"},
        title={"text": name, "font": {"size": FONT_SIZE + 1}},
        meta=" ".join(one.describe() for one in (profile, sample) if one is not None),
    )
    return figure


def _strength(figure: go.Figure, lengths: np.ndarray, profile, sample) -> None:
    if sample is not None:
        # The same paths are drawn for all images: the mean over these has no smaller error.
        errors = {"type": "data", "array": sample.standard_error.mean(1), "thickness": 1}
        look = {"mode": "lines+markers", "line": {"color": WEIGHT}, "marker": {"symbol": "circle", "size": 6}}
        norm = _positive(sample.norm.mean(1))
        figure.add_scatter(x=lengths, y=norm, error_y=errors, name="sampled paths, mean", **look, row=2, col=1)
    if not np.isnan(profile.rms).all():
        look = {"mode": "lines+markers", "line": {"color": INPUT, "dash": "dash"}, "marker": {"symbol": "diamond-open"}}
        rms = _positive(profile.rms.mean(1))
        figure.add_scatter(x=lengths, y=rms, name="all paths, root mean square", **look, row=2, col=1)
    elif sample is None:
        figure.add_scatter(x=[None], y=[None], showlegend=False, row=2, col=1)  # an axis for the words
        figure.update_yaxes(showticklabels=False, row=2)
        figure.add_annotation(text="not measured", x=0.5, y=0.5, xref="x2 domain", yref="y2 domain", showarrow=False)


def _carried(figure: go.Figure, lengths: np.ndarray, profile, sample) -> None:
    exact, signed = profile.exact, profile.signed
    where = {"row": 3, "col": 1}
    figure.add_bar(x=lengths, y=exact, name="exact, of the norms", marker_color=INPUT, opacity=0.6, **where)
    look = {"mode": "lines+markers", "line": {"color": OUTPUT, "dash": "dot"}, "marker": {"symbol": "square-open"}}
    figure.add_scatter(x=lengths, y=signed, name="exact, of the gradient, signed", **look, **where)
    bands = [("of the norms", INPUT, "solid", exact, band(exact))]
    bands.append(("of the gradient, signed", OUTPUT, "dot", signed, signed_band(signed)))
    if sample is not None:
        look = {"mode": "lines+markers", "line": {"color": WEIGHT}, "marker": {"symbol": "circle"}}
        figure.add_scatter(x=lengths, y=sample.product, name="number × one path (Veit et al.)", **look, **where)
        bands.append(("of number × one path", WEIGHT, "solid", sample.product, band(sample.product)))
    top = max(values.max() for *_, values, _ in bands)
    for place, (what, colour, dash, values, ends) in enumerate(bands):
        if ends is None:
            words = f"{what}: no range has 95 %, {against(values):.1%} point the other way"
            figure.add_scatter(
                x=[None], y=[None], mode="lines", line={"color": colour, "dash": dash}, name=words, **where
            )
            continue
        figure.add_scatter(
            x=[ends[0] - 0.4, ends[1] + 0.4],
            y=[top * (1.08 + 0.08 * place)] * 2,
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            marker={"symbol": "line-ns-open", "size": 9},
            name=f"95 % {what}: lengths {ends[0]} to {ends[1]}",
            **where,
        )


def _positive(values: np.ndarray) -> list[float | None]:
    """Return the values that a logarithmic axis has a place for."""
    return [value if value > 0 else None for value in values]
