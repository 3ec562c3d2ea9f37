"""LossSurfaceExplorer: the loss of one or two networks over a plane through their weights, turned and cut."""

import copy
import math
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import numpy as np
import torch
import traitlets
from torch import Tensor, nn

from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.loss_surface import LossSurface, loss_surface, seconds_per_point
from cnnviz.analysis.slice import SHOWN, Slice
from cnnviz.analysis.trajectory import Trajectory
from cnnviz.figures.loss_surface import clipped
from cnnviz.widgets.channels import percent
from cnnviz.widgets.explorer import Explorer, IllegalSettingError, check_kinds, in_range, module, one_of, style

RANGES = {"azimuth": (-180, 180), "elevation": (5, 90), "cut": (0, 180), "points": (5, 101), "seed": (0, 999)}
PAUSE = 1.0  # seconds, about: between two messages to the browser with new rows


class LossSurfaceExplorer(Explorer):
    """Loss surfaces of two networks side by side under one camera, one marker and one scale, drawn in the browser.

    Every control is a trait; what does not fit raises `IllegalSettingError` (a ValueError) and changes nothing.

    Args:
        surfaces: network -> plane -> `LossSurface`; a network may lack a plane. Empty where all is to be computed.
        paths: network -> plane -> `Trajectory` in that plane.
        images, labels: uint8 [K, C, H, W], the first images of the data, 12 at most, grey or RGB, and their classes
            [K]: they are shown with what the network sees in them at the marker. A surface whose first labels are
            others was computed with other images, and is shown without any.
        class_names: of all classes; their numbers if None.
        networks, data: modules by name, and the normalised images [N, C, H, W] and labels [N] to compute more planes
            with, through the weights that the networks have when it begins.
        left, right: the networks shown; the same name twice shows one panel.
        plane: of both.
        logarithmic: heights and colours by the logarithm of the loss.
        ceiling: losses above it are clipped; None clips nothing but what is infinite.
        azimuth, elevation: of the camera, degrees, -180..180 and 5..90 (from above).
        alpha, beta: of the marker.
        cut: direction of the line through the marker, degrees from the alpha axis, 0..180.
        path: lay the path of training over the surface, where there is one.
        points, seed: of the next plane to compute: points x points (odd, 5..101) from -1 to 1, and the seed of its
            two random directions.
    """

    _esm = module("loss_surface_arithmetic", "loss_surface_drawing", "loss_surface")
    _css = style()

    left = traitlets.Unicode().tag(sync=True)
    right = traitlets.Unicode().tag(sync=True)
    plane = traitlets.Unicode().tag(sync=True)
    logarithmic = traitlets.Bool(False).tag(sync=True)
    ceiling = traitlets.Float(None, allow_none=True).tag(sync=True)
    azimuth = traitlets.Float(30.0).tag(sync=True)
    elevation = traitlets.Float(35.0).tag(sync=True)
    alpha = traitlets.Float(0.0).tag(sync=True)
    beta = traitlets.Float(0.0).tag(sync=True)
    cut = traitlets.Float(0.0).tag(sync=True)
    path = traitlets.Bool(True).tag(sync=True)
    points = traitlets.Int(21).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    _networks = traitlets.List().tag(sync=True)  # names
    _index = traitlets.List().tag(sync=True)  # what stands in _numbers and _predictions: _entry of each surface in turn
    _numbers = traitlets.Bytes().tag(sync=True)  # float32: loss, accuracy, standard error, [A, B] each, of each surface
    _predictions = traitlets.Bytes().tag(sync=True)  # uint16 [A, B, K] of each surface
    _images = traitlets.Bytes().tag(sync=True)  # uint8 [K, H, W, 3]
    _image_shape = traitlets.List().tag(sync=True)  # K, H, W
    _image_labels = traitlets.List().tag(sync=True)  # K
    _class_names = traitlets.List().tag(sync=True)
    _seconds = traitlets.Float(0.0).tag(sync=True)  # for one point of all networks; 0 where none can be computed
    _computing = traitlets.Bool(False).tag(sync=True)
    _progress = traitlets.Unicode().tag(sync=True)
    _problem = traitlets.Unicode().tag(sync=True)  # what the last computation raised

    def __init__(
        self,
        surfaces: Mapping[str, Mapping[str, LossSurface]],
        *,
        paths: Mapping[str, Mapping[str, Trajectory]] | None = None,
        images: np.ndarray | None = None,
        labels: Sequence[int] | np.ndarray | Tensor | None = None,
        class_names: Sequence[str] | None = None,
        networks: Mapping[str, nn.Module] | None = None,
        data: tuple[Tensor, Tensor] | None = None,
        **controls,
    ):
        self._surfaces = {name: dict(planes) for name, planes in surfaces.items()}
        self._paths = {name: dict(planes) for name, planes in (paths or {}).items()}
        self._modules, self._data = dict(networks or {}), data
        check_kinds(self._surfaces, LossSurface, "surfaces")
        check_kinds(self._paths, Trajectory, "paths")
        if bool(networks) != (data is not None):
            raise ValueError("networks and data belong together: give both, or neither")
        if (images is None) != (labels is None):
            raise ValueError("images and labels belong together: give both, or neither")
        names = list(dict.fromkeys([*self._surfaces, *self._modules]))
        if not names:
            raise ValueError("there is no network: give surfaces, or networks and data")
        controls = {"left": names[0], "right": names[min(1, len(names) - 1)]} | controls
        if self._planes:
            controls.setdefault("plane", self._planes[0])
            box = self._box(controls["left"], controls["right"], controls["plane"])
            for name, (low, high) in zip(("alpha", "beta"), box, strict=True):
                controls.setdefault(name, min(max(0.0, low), high))
        self._stopped = False
        super().__init__(**controls)
        self._networks = names
        self._class_names = [] if class_names is None else [str(name) for name in class_names]
        if images is not None:
            pictures, labels = _pictures(images), [int(label) for label in labels]
            if len(labels) != len(pictures):
                raise ValueError(f"labels must be one for each of {len(pictures)} images, not {len(labels)}")
            self._images, self._image_shape, self._image_labels = pictures.tobytes(), list(pictures.shape[:3]), labels
        if self._modules:
            self._seconds = sum(_seconds_per_point(one, data) for one in self._modules.values())
        self._tell()
        self.observe(self._keep_marker_inside, ["left", "right", "plane"])
        self.on_msg(self._answer)

    @property
    def surfaces(self) -> dict[str, dict[str, LossSurface]]:
        """Every surface by network and plane, those that were computed here among them."""
        return {name: dict(planes) for name, planes in self._surfaces.items()}

    @property
    def _planes(self) -> list[str]:
        return list(dict.fromkeys(plane for planes in self._surfaces.values() for plane in planes))

    def _box(self, left: str, right: str, plane: str) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return the ends of alpha and of beta, over both surfaces that are shown."""
        shown = [self._surfaces.get(name, {}).get(plane) for name in (left, right)]
        alphas, betas = ([getattr(one, axis) for one in shown if one is not None] for axis in ("alphas", "betas"))
        if not alphas:
            return (-1.0, 1.0), (-1.0, 1.0)
        return tuple(
            (float(min(axis[0] for axis in axes)), float(max(axis[-1] for axis in axes))) for axes in (alphas, betas)
        )

    @traitlets.validate("left", "right")
    def _valid_network(self, proposal):
        names = list(dict.fromkeys([*self._surfaces, *self._modules]))
        return one_of(proposal.trait.name, proposal.value, names)

    @traitlets.validate("plane")
    def _valid_plane(self, proposal):
        return one_of("plane", proposal.value, self._planes or [""])

    @traitlets.validate("azimuth", "elevation", "cut", "points", "seed")
    def _valid_number(self, proposal):
        name, value = proposal.trait.name, proposal.value
        in_range(name, value, *RANGES[name])
        if name == "points" and value % 2 == 0:
            raise IllegalSettingError(f"points (={value}) must be odd, so that the network itself is one of them")
        return value

    @traitlets.validate("ceiling")
    def _valid_ceiling(self, proposal):
        value = proposal.value
        if value is not None and not (math.isfinite(value) and value > 0):
            raise IllegalSettingError(f"ceiling (={value}) must be a finite loss above 0, or None for no ceiling")
        return value

    @traitlets.validate("alpha", "beta")
    def _valid_marker(self, proposal):
        name, value = proposal.trait.name, proposal.value
        in_range(name, value, *self._box(self.left, self.right, self.plane)[name == "beta"])
        return value

    def _keep_marker_inside(self, change) -> None:
        """Other surfaces may have other axes."""
        with self._lock, self.hold_trait_notifications():
            for name, (low, high) in zip(("alpha", "beta"), self._box(self.left, self.right, self.plane), strict=True):
                setattr(self, name, min(max(getattr(self, name), low), high))

    def describe(self) -> str:
        """Say for both networks loss and accuracy at the marker, what share is clipped, and how large the basin is."""
        with self._lock:
            if not self._planes:
                return f"{' and '.join(self._networks)}: no plane is computed yet."
            return " ".join(self._sentence(name) for name in dict.fromkeys([self.left, self.right]))

    def _sentence(self, name: str) -> str:
        surface = self._surfaces.get(name, {}).get(self.plane)
        head = f"{name}, {self.plane}"
        if surface is None:
            return f"{head}: not computed."
        i, j = (
            int(np.abs(axis - x).argmin()) for axis, x in ((surface.alphas, self.alpha), (surface.betas, self.beta))
        )
        here = f"at alpha {number(surface.alphas[i])}, beta {number(surface.betas[j])}"
        known = ~np.isnan(surface.accuracy)
        if known[i, j]:
            text = (
                f"{head}: loss {number(surface.loss[i, j])} (± {number(surface.standard_error[i, j], 2)}) and accuracy "
                f"{percent(surface.accuracy[i, j])} {here}"
            )
        else:
            text = f"{head}: nothing computed {here}"
        beyond = clipped(surface, self.ceiling)
        if beyond.any():
            where = "infinite" if self.ceiling is None else f"above the ceiling of {number(self.ceiling)}"
            text += f"; {percent(beyond.sum() / known.sum())} of the points {where} and clipped"
        if not known.all():
            return f"{text}; partial, {int(known[:, 0].sum())} of {len(known)} rows are computed."
        return f"{text}; below ln 10, the loss of guessing, in {percent(surface.basin_area())} of the plane."

    def compute(self) -> None:
        """Compute the plane of `seed` with `points` x `points` for all networks; rows appear as they come.

        Raises:
            ValueError: no networks were given, or a computation is going on. What the networks raise is shown and
                raised on.
        """
        self._begin()
        try:
            self._compute()
        except Exception as error:
            self._problem = f"{type(error).__name__}: {error}"
            raise
        finally:
            self._tell()
            self._computing, self._progress = False, ""

    def stop(self) -> None:
        """End a computation after its present rows; they are kept."""
        self._stopped = True

    def _begin(self) -> None:
        with self._lock:
            if not self._modules:
                raise ValueError("there is nothing to compute with: give networks and data")
            if self._computing:
                raise ValueError("a plane is being computed; stop() ends that")
            self._computing, self._problem, self._progress, self._stopped = True, "", "starts", False

    def _compute(self) -> None:
        points, seed = self.points, self.seed
        axis = np.linspace(-1, 1, points)
        plane = f"random directions, seed {seed}, {points} x {points}"
        jobs = {}
        for name, network in self._modules.items():
            network = copy.deepcopy(network)  # the learner may train it meanwhile
            generator = torch.Generator().manual_seed(seed)
            directions = [random_direction(network, generator=generator) for _ in range(2)]
            jobs[name] = network, directions, _empty(axis, self._data[1], {"network": name, "seed": seed})
        start = time.monotonic()
        # A surface has two rows at least.
        pieces = np.array_split(np.arange(points), max(1, min(points // 2, int(points**2 * self._seconds / PAUSE))))
        for done, rows in enumerate(pieces, 1):
            for network, directions, surface in jobs.values():
                if self._stopped:
                    return
                piece = loss_surface(network, self._data, *directions, alphas=axis[rows], betas=axis, progress=False)
                for values in ("loss", "accuracy", "standard_error", "predictions"):
                    getattr(surface, values)[rows] = getattr(piece, values)
                surface.metadata.update(
                    {k: v for k, v in piece.metadata.items() if k not in ("fingerprint", "seconds")}
                )
            left = (time.monotonic() - start) * (len(pieces) / done - 1)
            for name, (_, _, surface) in jobs.items():
                self._surfaces.setdefault(name, {})[plane] = surface  # not before: the first rows may fail
            self._progress = f"{rows[-1] + 1} of {points} rows, about {left:.0f} s left"
            self._tell(plane if done == 1 else None)

    def _answer(self, widget, content, buffers) -> None:
        if content == "stop":
            self.stop()
        elif content == "compute" and not self._computing:
            # In a thread of its own: the browser's other messages are answered meanwhile.
            threading.Thread(target=self._compute_for_browser, daemon=True).start()

    def _compute_for_browser(self) -> None:
        with suppress(Exception):  # nobody is there to catch it; the widget shows it
            self.compute()

    def _tell(self, plane: str | None = None) -> None:
        """Tell the browser of all surfaces; look at `plane` from now on."""
        entries = [
            (name, plane, surface) for name, planes in self._surfaces.items() for plane, surface in planes.items()
        ]
        with self._lock, self.hold_sync():
            self._index = [_entry(*entry, self._paths.get(entry[0], {}).get(entry[1])) for entry in entries]
            self._numbers = b"".join(
                np.stack([one.loss, one.accuracy, one.standard_error]).astype(np.float32).tobytes()
                for *_, one in entries
            )
            self._predictions = b"".join(one.predictions.astype(np.uint16).tobytes() for *_, one in entries)
            if plane is not None:
                self.plane = plane


def number(value: float, digits: int = 3) -> str:
    """0.123456 -> "0.123", 12345.6 -> "12,346"; the browser writes the same."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    return f"{value:,.0f}" if abs(value) >= 10**digits - 0.5 else f"{value + 0.0:.{digits}g}"


def _entry(name: str, plane: str, surface: LossSurface, path: Trajectory | None) -> dict:
    entry = {
        "network": name,
        "plane": plane,
        "alphas": surface.alphas.tolist(),
        "betas": surface.betas.tolist(),
        "labels": surface.labels.tolist(),
        "basin": surface.basin_area(),
    }
    if path is not None:
        alphas, betas = path.coordinates.T.tolist()
        loss = [float(value) if math.isfinite(value) else None for value in path.loss]
        off = {"residual": path.residual.tolist(), "farthest": float(path.distance.max())}
        entry["path"] = {"alphas": alphas, "betas": betas, "loss": loss, "epochs": path.epochs.tolist()} | off
    return entry


def _empty(axis: np.ndarray, labels: Tensor, metadata: dict) -> LossSurface:
    """Return a surface without a computed row."""
    shape, labels = (len(axis), len(axis)), labels[:SHOWN].cpu().numpy()
    missing = [np.full(shape, np.nan) for _ in range(3)]
    return LossSurface(axis, axis, *missing, np.zeros((*shape, len(labels)), np.int64), labels, metadata)


def _seconds_per_point(network: nn.Module, data: tuple[Tensor, Tensor]) -> float:
    """Measure one point of a random plane; `Slice` says what does not fit."""
    generator = torch.Generator().manual_seed(0)
    directions = [random_direction(network, generator=generator) for _ in range(2)]
    return seconds_per_point(Slice(network, *data, directions))


def _pictures(images: np.ndarray) -> np.ndarray:
    """Return images uint8 [K, C, H, W] as the browser takes them: uint8 [K, H, W, 3]."""
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1] not in (1, 3) or not len(images):
        raise ValueError(
            f"images must be uint8 [K, C, H, W] with 1 or 3 channels, not {images.dtype} {list(images.shape)}"
        )
    if len(images) > SHOWN:
        raise ValueError(f"there must be at most {SHOWN} images, the first of the data, not {len(images)}")
    return np.ascontiguousarray(np.broadcast_to(images, (len(images), 3, *images.shape[2:])).transpose(0, 2, 3, 1))
