"""PathLengthExplorer: how many paths of each length there are, how strong one is, and what they carry together."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import traitlets

from cnnviz.analysis.path_lengths import band
from cnnviz.analysis.residual_paths import PathLengthProfile, PathSample
from cnnviz.figures.path_lengths import LECTURES, NEGLIGIBLE, against, signed_band
from cnnviz.widgets.channels import percent
from cnnviz.widgets.explorer import Explorer, check_kinds, in_range, module, one_of, style
from cnnviz.widgets.loss_surface import number

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class PathLengthExplorer(Explorer):
    """Number, strength and contribution of the paths of a residual network over their length, drawn in the browser.

    Every control is a trait; what does not fit raises `IllegalSettingError` (a ValueError) and changes nothing. When
    the network or the stage changes, the other controls keep their values where these exist, else take the nearest.

    Args:
        profiles: network -> stage of training -> `PathLengthProfile`, the stages in their order; all stages of a
            network have the same number of blocks.
        samples: the same keys -> `PathSample`, some or all may be missing. Its images are the profile's, or the first
            of them.
        network, stage: what is shown; the first ones if left out.
        example: one image, 0..N-1, or None: the mean over all.
        length: the marked path length, 0..n blocks; where the exact contribution is largest if left out.
        logarithmic: whether the numbers of paths have a logarithmic axis.
    """

    _esm = module("loss_surface_arithmetic", "path_lengths_arithmetic", "path_lengths_drawing", "path_lengths")
    _css = style()

    network = traitlets.Unicode().tag(sync=True)
    stage = traitlets.Unicode().tag(sync=True)
    example = traitlets.Int(None, allow_none=True).tag(sync=True)
    length = traitlets.Int(0).tag(sync=True)
    logarithmic = traitlets.Bool(False).tag(sync=True)
    _index = traitlets.List().tag(sync=True)  # what stands in _numbers: _entry of each profile in turn
    # float64: norm, share, rms [n+1, N] each; of a sample norm, error. A path of 54 blocks that keeps a fifth of the
    # gradient in each leaves float32.
    _numbers = traitlets.Bytes().tag(sync=True)
    _lectures = traitlets.List(list(LECTURES)).tag(sync=True)
    _negligible = traitlets.Float(NEGLIGIBLE).tag(sync=True)

    def __init__(
        self,
        profiles: Mapping[str, Mapping[str, PathLengthProfile]],
        samples: Mapping[str, Mapping[str, PathSample]] | None = None,
        **controls,
    ):
        check_kinds(profiles, PathLengthProfile, "profiles")
        check_kinds(samples or {}, PathSample, "samples")
        _check_fit(profiles, samples or {})
        self._profiles = {name: dict(stages) for name, stages in profiles.items()}
        self._samples = {name: dict(stages) for name, stages in (samples or {}).items()}
        controls = {"network": next(iter(profiles))} | controls
        stages = self._profiles.get(controls["network"], {})  # an unknown name is refused by its trait
        controls = ({"stage": next(iter(stages))} if stages else {}) | controls
        shown = stages.get(controls.get("stage"))
        if shown is not None and _flows(shown):
            controls.setdefault("length", int(shown.exact.argmax()))
        super().__init__(**controls)
        entries = [(name, stage, one) for name, stages in self._profiles.items() for stage, one in stages.items()]
        samples = [self._samples.get(name, {}).get(stage) for name, stage, _ in entries]
        self._index = [_entry(*entry, sample) for entry, sample in zip(entries, samples, strict=True)]
        self._numbers = b"".join(
            array.astype(np.float64).tobytes()
            for (*_, one), sample in zip(entries, samples, strict=True)
            for array in (one.norm, one.share, one.rms, *([sample.norm, sample.standard_error] if sample else []))
        )
        self.observe(self._settle, ["network", "stage"])

    @traitlets.validate("network")
    def _valid_network(self, proposal):
        return one_of("network", proposal.value, list(self._profiles))

    # Controls that are set together are checked together, in any order: the network may be one that is still to be
    # refused, and the stage still that of another network.
    @traitlets.validate("stage")
    def _valid_stage(self, proposal):
        return one_of("stage", proposal.value, list(self._stages)) if self._stages else proposal.value

    @traitlets.validate("example", "length")
    def _valid_number(self, proposal):
        name, value = proposal.trait.name, proposal.value
        shown = self._stages.get(self.stage) or next(iter(self._stages.values()), None)
        if value is not None and shown is not None:
            in_range(name, value, 0, shown.blocks if name == "length" else shown.norm.shape[1] - 1)
        return value

    @property
    def _stages(self) -> dict[str, PathLengthProfile]:
        return self._profiles.get(self.network, {})

    def _settle(self, change) -> None:
        """Bring the other controls into the range of what is shown now."""
        with self._lock, self.hold_trait_notifications():
            if self.stage not in self._stages:
                before = [*self._profiles[change.old], self.stage]  # as far in training as before, where there is that
                self.stage = list(self._stages)[min(before.index(self.stage), len(self._stages) - 1)]
            shown = self._stages[self.stage]
            if self.example is not None:
                self.example = min(self.example, shown.norm.shape[1] - 1)
            self.length = min(self.length, shown.blocks)

    def _chosen(self) -> tuple[PathLengthProfile, PathSample | None]:
        """Return profile and sample of the images that are shown."""
        profile, sample = self._stages[self.stage], self._samples.get(self.network, {}).get(self.stage)
        if self.example is None:
            return profile, sample
        one = slice(self.example, self.example + 1)
        profile = replace(profile, norm=profile.norm[:, one], share=profile.share[:, one], rms=profile.rms[:, one])
        if sample is None or self.example >= sample.norm.shape[1]:
            return profile, None
        return profile, replace(sample, norm=sample.norm[:, one], standard_error=sample.standard_error[:, one])

    def describe(self) -> str:
        """Say what stands in the three pictures at the marked length, and which lengths carry 95 %."""
        with self._lock:
            profile, sample = self._chosen()
            blocks, length, images = profile.blocks, self.length, self._stages[self.stage].norm.shape[1]
            shown = f"mean of {images} images" if self.example is None else f"image {self.example + 1} of {images}"
            count = profile.paths[length]
            sentences = [
                f"{self.network}, {self.stage}, {shown}: {blocks} blocks, {quantity(2.0**blocks)} paths.",
                f"Length {length}: {quantity(count)} of them ({share(count / 2.0**blocks)}).",
                _strength(profile, sample, length),
            ]
            if not _flows(profile):
                return " ".join([*sentences, "Its gradient is 0 or not a number: nothing to share out."])
            carried = {"of the norms": profile.exact, "of the gradient, signed": profile.signed}
            if sample is not None and _flows(sample):
                carried["by Veit's estimate"] = sample.product
            sentences += [
                f"Together they carry {_shares(carried, slice(length, length + 1))}.",
                f"Lengths with 95 %: {'; '.join(_range(*one) for one in carried.items())}.",
            ]
            if blocks == LECTURES[0]:
                _, low, high = LECTURES
                words = _shares(carried, slice(low, high + 1))
                sentences.append(f"Lengths {low} to {high}, which the lectures name: {words}.")
            return " ".join(sentences)


def quantity(value: float, digits: int = 3) -> str:
    """0.000123 -> "1.23·10⁻⁴", 8.47e8 -> "8.47·10⁸", 1234 -> "1,234"; the browser writes the same."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return number(value, digits)
    factor, power = f"{value:.{digits - 1}e}".split("e")
    factor = f"{float(factor):g}"
    return f"{'' if factor == '1' else f'{factor}·'}10{str(int(power)).translate(SUPERSCRIPTS)}"


def share(fraction: float) -> str:
    """0.0123 -> "1.2 %", 1.23e-9 -> "1.2·10⁻⁷ %"; the browser writes the same."""
    return percent(fraction) if fraction == 0 or abs(fraction) >= 0.0005 else f"{quantity(100 * fraction, 2)} %"


def _strength(profile: PathLengthProfile, sample: PathSample | None, length: int) -> str:
    """Say how strong one path is: the sample's mean, and the root mean square over all paths, where there are these."""
    found = []
    if sample is not None:
        drawn, images = sample.drawn[length], sample.norm.shape[1]
        how = "all of them" if drawn == profile.paths[length] else f"mean of {drawn} drawn"
        first = f", first {images} images" if images < profile.norm.shape[1] else ""
        # The same paths are drawn for all images: the mean over these has no smaller error.
        mean, error = sample.norm[length].mean(), sample.standard_error[length].mean()
        found.append(f"{quantity(mean)} ± {quantity(error, 2)} ({how}{first})")
    rms = profile.rms[length].mean()
    if not np.isnan(rms):
        found.append(f"{quantity(rms)} in the root mean square of all")
    return f"One path carries {', '.join(found)}." if found else "How strong one path is was not measured."


def _flows(one: PathLengthProfile | PathSample) -> bool:
    """Return whether any image has a gradient that can be shared out."""
    return bool((one.norm.sum(axis=0) > 0).any())


def _shares(carried: Mapping[str, np.ndarray], lengths: slice) -> str:
    return ", ".join(f"{share(one[lengths].sum())} {name}" for name, one in carried.items())


def _range(name: str, carried: np.ndarray) -> str:
    ends = signed_band(carried) if "signed" in name else band(carried)
    if ends is None:
        return f"no range {name} ({share(against(carried))} point the other way)"
    return f"{ends[0]} to {ends[1]} {name}"


def _check_fit(profiles: Mapping[str, Mapping], samples: Mapping[str, Mapping]) -> None:
    if not profiles or not all(profiles.values()):
        raise ValueError("there is nothing to show: profiles must have a network, and every network a stage")
    for name, stages in profiles.items():
        blocks = {one.blocks for one in stages.values()}
        if len(blocks) > 1:
            raise ValueError(
                f"profiles[{name!r}] must have the same number of blocks at every stage, not {sorted(blocks)}"
            )
    for name, stages in samples.items():
        for stage, sample in stages.items():
            profile = profiles.get(name, {}).get(stage)
            if profile is None:
                raise ValueError(f"samples[{name!r}][{stage!r}] has no profile beside it")
            if len(sample.norm) != len(profile.norm) or sample.norm.shape[1] > profile.norm.shape[1]:
                raise ValueError(
                    f"samples[{name!r}][{stage!r}] (norm {list(sample.norm.shape)}) must have as many lengths as its "
                    f"profile and no more images ({list(profile.norm.shape)})"
                )


def _entry(network: str, stage: str, profile: PathLengthProfile, sample: PathSample | None) -> dict:
    entry = {"network": network, "stage": stage, "blocks": profile.blocks, "images": profile.norm.shape[1]}
    return entry | (
        {"sampled": 0} if sample is None else {"sampled": sample.norm.shape[1], "drawn": sample.drawn.tolist()}
    )
