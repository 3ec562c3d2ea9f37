"""Surfaces against formulas, against plain evaluation, against interruption, and shared between two processes."""

import importlib
import json
import math
import os
import random

import numpy as np
import pytest
import torch
from torch import nn

from cnnviz.analysis.directions import interpolate_direction, random_direction
from cnnviz.analysis.evaluate import evaluate
from cnnviz.analysis.loss_surface import LossLine, LossSurface, loss_line, loss_surface
from cnnviz.analysis.loss_surface.__main__ import main
from cnnviz.analysis.losses import loss_function
from cnnviz.datasets import load_dataset
from cnnviz.models import lenet5, resnet20
from tests.processes import kill_at_random_moments, run_script

module = importlib.import_module("cnnviz.analysis.loss_surface")  # the package also has a function of this name
ALPHAS, BETAS = np.linspace(-1, 1, 5), np.linspace(-0.5, 0.75, 6)  # not square, not symmetrical


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def directions_of(model, **options):
    return [random_direction(model, generator=generator(seed), **options) for seed in (1, 2)]


def pictures(count=20, size=8, channels=3):
    images = torch.randn(count, channels, size, size, generator=generator(7))
    return images, torch.randint(0, 10, (count,), generator=generator(8))


def net():
    torch.manual_seed(3)
    layers = nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.Conv2d(6, 6, 3, bias=False), nn.ReLU()
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(96, 10, bias=False))


def surface(loss, alphas=None, betas=None, **about):
    """A surface by formula, or of given numbers."""
    alphas = np.linspace(-1, 1, 41) if alphas is None else alphas
    betas = np.linspace(-1, 1, 61) if betas is None else betas
    loss = loss(*np.meshgrid(alphas, betas, indexing="ij")) if callable(loss) else np.asarray(loss, float)
    nothing = np.zeros((*loss.shape, 0), np.int64), np.zeros(0, np.int64)
    return LossSurface(alphas, betas, loss, np.ones_like(loss), np.zeros_like(loss), *nothing, about)


def test_the_surface_of_a_quadratic_loss_is_its_formula_at_every_point_of_a_grid_that_is_not_square():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(4, 3, bias=False)).double()
    images, labels = torch.randn(7, 1, 2, 2), torch.randint(0, 3, (7,))
    d1, d2 = directions_of(model)

    def half_squares(logits, y):
        return ((logits - torch.eye(3, dtype=logits.dtype)[y]) ** 2).sum(1) / 2

    found = loss_surface(
        model, (images, labels), d1, d2, alphas=ALPHAS, betas=BETAS, dtype=torch.float64, loss=half_squares
    )
    x, t = images.double().flatten(1).numpy(), np.eye(3)[labels]
    w, a, b = (one.detach().numpy() for one in (model[1].weight, d1["1.weight"], d2["1.weight"]))
    for i, alpha in enumerate(ALPHAS):
        for j, beta in enumerate(BETAS):
            losses = ((x @ (w + alpha * a + beta * b).T - t) ** 2).sum(1) / 2
            assert found.loss[i, j] == pytest.approx(losses.mean(), rel=1e-12)
            assert found.standard_error[i, j] == pytest.approx(losses.std(ddof=1) / math.sqrt(7), rel=1e-9)
    smaller, larger = found.curvature()
    bends = np.array([[(x @ p.T * (x @ q.T)).sum(1).mean() for p in (a, b)] for q in (a, b)])
    ends = np.linalg.eigvalsh(bends)
    np.testing.assert_allclose(smaller, ends[0], rtol=1e-6)
    np.testing.assert_allclose(larger, ends[1], rtol=1e-6)


def test_the_centre_is_what_plain_evaluation_finds():
    model, data = resnet20(), pictures(32, 32)
    found = loss_surface(model, data, *directions_of(model), alphas=[-1, 0, 1], betas=[0, 0.5], batch_size=10)
    plain = evaluate(model, *data)
    assert found.centre == (1, 0)
    assert found.loss[1, 0] == pytest.approx(plain.loss, rel=1e-5)
    assert found.accuracy[1, 0] == pytest.approx(1 - plain.error[1], abs=1e-9)
    assert found.predictions[1, 0].tolist() == plain.predictions[:12].tolist()
    assert found.labels.tolist() == data[1][:12].tolist()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.float64, 1e-12)])
@pytest.mark.parametrize("factor", [8.0, 1000.0])
def test_scaling_one_layer_up_and_the_next_down_leaves_the_filter_normalised_surface_as_it_is(dtype, tolerance, factor):
    factor = (
        factor if dtype == torch.float64 else 2.0 ** round(math.log2(factor))
    )  # float32 scales by powers of 2 exactly
    plain, scaled = net().to(dtype), net().to(dtype)
    with torch.no_grad():
        scaled[0].weight *= factor
        scaled[2].weight /= factor
    options = {"alphas": ALPHAS, "betas": BETAS, "dtype": dtype, "progress": False}
    same = [loss_surface(one, pictures(), *directions_of(one), **options).loss for one in (plain, scaled)]
    np.testing.assert_allclose(*same, rtol=tolerance)
    other = [loss_surface(one, pictures(), *directions_of(one, norm="none"), **options).loss for one in (plain, scaled)]
    assert other[1].max() > factor / 10 * other[0].max(), (other[0].max(), other[1].max())


def test_a_line_is_a_row_of_the_surface():
    model, data = net(), pictures()
    d1, d2 = directions_of(model)
    line = loss_line(model, data, d2, alphas=BETAS)
    row = loss_surface(model, data, d1, d2, alphas=ALPHAS, betas=BETAS, progress=False)
    for name in ("loss", "accuracy", "standard_error"):
        np.testing.assert_allclose(getattr(line, name), getattr(row, name)[2], rtol=1e-6)
    assert "lowest" in line.describe()


def test_the_ends_of_an_interpolation_are_the_two_networks():
    a, b = net(), net()
    with torch.no_grad():
        b[0].weight += 0.3
    line = loss_line(a, pictures(), interpolate_direction(a, b), alphas=[0, 0.5, 1])
    ends = [evaluate(one, *pictures()).loss for one in (a, b)]
    assert line.loss[[0, 2]].tolist() == pytest.approx(ends, rel=1e-5)


def test_an_image_set_stands_for_its_training_images():
    data = load_dataset("digits").subset(train=30)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    found = loss_line(model, data, random_direction(model), alphas=[0, 1])
    assert found.loss[0] == pytest.approx(evaluate(model, data.normalise(data.x_train), data.y_train).loss, rel=1e-5)
    assert found.metadata["images"] == 30


def test_the_network_its_modes_gradients_and_the_random_numbers_stay_also_after_an_exception_and_an_interrupt():
    model = resnet20()
    model.stem.eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    modes, state = [one.training for one in model.modules()], torch.get_rng_state()
    for error in (None, RuntimeError("no"), KeyboardInterrupt()):
        calls = []

        def loss(logits, labels, error=error, calls=calls):
            calls.append(1)
            if error and len(calls) > 3:
                raise error
            return logits.sum(1)  # once to look at its shape, then once for each point

        options = {"alphas": [0, 1], "betas": [0, 1], "loss": loss, "progress": False}
        directions = directions_of(model)
        if error:
            with pytest.raises(type(error)):
                loss_surface(model, pictures(4, 32), *directions, **options)
        else:
            loss_surface(model, pictures(4, 32), *directions, **options)
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
        assert [one.training for one in model.modules()] == modes
        assert all(one.requires_grad and one.grad is None for one in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_an_interrupted_surface_says_what_is_kept_and_goes_on_from_there(tmp_path, capsys, monkeypatch):
    model, data = net(), pictures()
    options = {"alphas": ALPHAS, "betas": BETAS, "progress": False}
    whole = loss_surface(model, data, *directions_of(model), **options)
    rows = iter([True, True, False])
    at = module.Slice.at

    def interrupted(self, points):
        if not next(rows):
            raise KeyboardInterrupt
        return at(self, points)

    with monkeypatch.context() as patch:
        patch.setattr(module.Slice, "at", interrupted)
        with pytest.raises(KeyboardInterrupt):
            loss_surface(model, data, *directions_of(model), **options, resume=tmp_path / "s.npz")
    assert f"2 of 5 rows are computed and kept in {tmp_path / 's.npz'}" in capsys.readouterr().out
    part = LossSurface.load(tmp_path / "s.npz")
    assert not part.complete
    assert "partial, 2 of 5 rows" in part.describe()
    asked = []
    monkeypatch.setattr(module.Slice, "at", lambda self, points: asked.append(points) or at(self, points))
    resumed = loss_surface(model, data, *directions_of(model), **options, resume=tmp_path / "s.npz")
    assert [points[0][0] for points in asked] == ALPHAS[2:].tolist()
    for name in ("loss", "accuracy", "standard_error", "predictions", "labels", "alphas", "betas"):
        np.testing.assert_array_equal(getattr(resumed, name), getattr(whole, name))
    assert resumed.complete
    assert [path.name for path in tmp_path.iterdir()] == ["s.npz"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")
def test_killed_at_random_moments_it_ends_with_the_same_array(tmp_path):
    model, data, path = net(), pictures(40), tmp_path / "s.npz"
    options = {"alphas": np.linspace(-1, 1, 60), "betas": np.linspace(-1, 1, 40), "progress": False}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    whole = loss_surface(model, data, *directions_of(model), **options)
    resuming = options | {"resume": path}
    # Until rows were kept: the last call goes on from them.
    kill_at_random_moments(lambda: loss_surface(model, data, *directions_of(model), **resuming), 6, until=path.exists)
    resumed = loss_surface(model, data, *directions_of(model), **resuming)
    torch.set_num_threads(threads)
    np.testing.assert_array_equal(resumed.loss, whole.loss)
    np.testing.assert_array_equal(resumed.predictions, whole.predictions)


SCRIPT = """
import numpy as np, torch
from accelerate import Accelerator
from cnnviz.analysis.directions import random_direction
from cnnviz.analysis.loss_surface import loss_surface
from cnnviz.models import lenet5, resnet20

torch.set_num_threads(1)
torch.manual_seed(0)
model, generator = resnet20(), torch.Generator().manual_seed(1)
directions = [random_direction(model, generator=generator) for _ in range(2)]
data = torch.randn(8, 3, 32, 32, generator=generator), torch.arange(8)
accelerator = {accelerator}
found = loss_surface(
    model, data, *directions, alphas=np.linspace(-1, 1, 5), betas=np.linspace(-1, 1, 4), resume={path!r},
    accelerator=accelerator,
)
rows, processes = int(np.isfinite(found.loss).all(1).sum()), accelerator.num_processes if accelerator else 1
print(f"rows {{rows}} of {{processes}}")  # in one piece: two processes write into one stream
if accelerator:
    accelerator.end_training()
"""


def test_two_processes_give_the_array_of_one(tmp_path):
    paths = {}
    for name, processes in (("one", 1), ("two", 2)):
        paths[name], script = tmp_path / f"{name}.npz", tmp_path / f"{name}.py"
        accelerator = "Accelerator(cpu=True)" if processes == 2 else "None"
        script.write_text(SCRIPT.format(accelerator=accelerator, path=str(paths[name])), "utf-8")
        said = run_script(script, shared=processes == 2)
        assert said.count(f"rows 5 of {processes}") == processes
    one, two = (LossSurface.load(path) for path in paths.values())
    for name in ("loss", "accuracy", "standard_error", "predictions"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


def test_a_file_of_another_surface_is_named_and_left_alone(tmp_path):
    model, data, path = net(), pictures(), tmp_path / "s.npz"
    options = {"alphas": [0, 1], "betas": [0, 1], "progress": False, "resume": path}
    loss_surface(model, data, *directions_of(model), **options)
    content = path.read_bytes()
    other = net()
    with torch.no_grad():
        other[0].weight[0, 0, 0, 0] += 1e-3
    for changed, words in (
        ({"model": other}, "fingerprint"),
        ({"data": (data[0] + 1e-3, data[1])}, "fingerprint"),
        ({"bn": "batch"}, "bn 'frozen', here 'batch'"),
        ({"betas": [0, 0.9]}, "fingerprint"),
        ({"dtype": torch.float64, "model": net().double()}, "dtype 'float32', here 'float64'"),
    ):
        given = {"model": model, "data": data, **options} | changed
        d1, d2 = directions_of(given["model"])
        with pytest.raises(ValueError, match=words):
            loss_surface(given.pop("model"), given.pop("data"), d1, d2, **given)
    path.with_name("other.npz").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(ValueError, match=r"other.npz holds no loss surface"):
        loss_surface(model, data, *directions_of(model), **options | {"resume": path.with_name("other.npz")})
    assert path.read_bytes() == content
    assert path.with_name("other.npz").read_bytes() == b"PK\x03\x04 no archive"


def test_a_file_of_another_loss_is_refused(tmp_path):
    model, data = net(), pictures()
    options = {"alphas": [0, 1], "betas": [0, 1], "progress": False, "resume": tmp_path / "s.npz"}
    loss_surface(model, data, *directions_of(model), **options)
    with pytest.raises(ValueError, match="fingerprint"):
        loss_surface(model, data, *directions_of(model), **options, loss=loss_function("hinge"))


def test_a_file_with_a_flipped_byte_is_named_or_right(tmp_path):
    model, path = net(), tmp_path / "s.npz"
    loss_surface(model, pictures(), *directions_of(model), alphas=[0, 1], betas=[0, 1], progress=False).save(path)
    content, draw, refusals = path.read_bytes(), random.Random(0), []
    for _ in range(200):
        flipped = bytearray(content)
        flipped[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            LossSurface.load(path)
        except ValueError as error:
            refusals.append(str(error))
    assert len(refusals) > 50
    assert all(str(path) in words for words in refusals)


def test_losses_that_are_not_finite_are_computed_rows_and_described():
    surface = loss_surface(net(), pictures(), *directions_of(net()), alphas=ALPHAS, betas=BETAS, progress=False)
    surface.loss[0] = np.inf
    surface.loss[-1] = np.nan
    assert surface.complete
    assert 0 <= surface.basin_area() <= 1
    assert 0 <= surface.nonconvex_share() <= 1
    assert "inf" in surface.describe()
    surface.loss[:] = np.nan
    assert math.isnan(surface.nonconvex_share())
    line = LossLine(ALPHAS, *np.full((3, 5), np.nan))
    assert "not finite anywhere" in line.describe()


def test_the_basin_of_a_partial_surface_is_that_of_its_computed_rows():
    half = surface(lambda a, b: a**2 + b**2)
    for values in (half.loss, half.accuracy):
        values[:20] = np.nan
    assert half.basin_area(0.25) == pytest.approx(math.pi / 16, rel=0.05)


def test_rounding_near_a_minimum_is_no_valley_and_no_hill():
    axis, noise = np.linspace(-1, 1, 31), np.random.default_rng(0).normal(size=(31, 31))
    flat = surface(1e-6 + 1e-8 * noise, axis, axis, dtype="float32")
    assert flat.nonconvex_share() == 0
    assert len(flat.local_minima()) == 0


def test_an_estimate_comes_before_what_takes_over_a_minute(capsys, monkeypatch):
    model = net()
    monkeypatch.setattr(module, "seconds_per_point", lambda one: 4.0)
    loss_surface(model, pictures(), *directions_of(model), alphas=ALPHAS, betas=BETAS)
    assert "30 points, 20 images each: about 2 minutes on" in capsys.readouterr().out
    loss_surface(model, pictures(), *directions_of(model), alphas=[0, 1], betas=[0, 1])
    assert "minutes" not in capsys.readouterr().out


def test_metadata_says_what_was_computed_and_survives_the_file(tmp_path):
    model = net()
    options = {"alphas": [0, 1], "betas": [0, 1], "metadata": {"seeds": [1, 2]}, "progress": False}
    found = loss_surface(model, pictures(), *directions_of(model), **options)
    about = found.metadata
    assert about["parameters"] == sum(one.numel() for one in model.parameters())
    assert about["seeds"] == [1, 2]
    assert about["images"] == 20
    assert about["lengths"][0] == pytest.approx(about["lengths"][1], rel=1e-5)
    assert {"cosine", "bn", "dtype", "hardware", "torch", "date", "seconds", "fingerprint"} <= about.keys()
    loaded = LossSurface.load(found.save(tmp_path / "s.npz"))
    assert loaded.metadata == json.loads(json.dumps(about))
    assert repr(loaded) == repr(found)


@pytest.mark.parametrize("radius", [0.3, 0.7])
def test_the_basin_of_a_paraboloid_is_a_circle_on_even_and_uneven_grids(radius):
    uneven = np.sort(np.concatenate([np.linspace(-1, 1, 150), np.linspace(0, 0.7, 90)[1:-1]]))
    for alphas in (np.linspace(-1, 1, 201), uneven):
        bowl = surface(lambda a, b: a**2 + b**2, alphas, np.linspace(-1, 1, 201))
        assert bowl.basin_area(radius**2) == pytest.approx(math.pi * radius**2 / 4, rel=0.02)


def test_the_level_of_the_basin_is_that_of_guessing_ten_classes_by_default():
    flat = surface(lambda a, b: np.where(a < 0.5, math.log(10) - 1e-6, math.log(10) + 1e-6))
    assert flat.basin_area() == pytest.approx(0.75, abs=0.02)


def test_the_rim_is_every_point_of_the_border_once():
    numbered = surface(np.arange(12).reshape(3, 4), np.arange(3.0), np.arange(4.0))
    assert numbered.rim().tolist() == [0, 1, 2, 3, 7, 11, 10, 9, 8, 4]


def test_local_minima_are_where_the_formula_has_them():
    waves = surface(lambda a, b: np.cos(2 * np.pi * a) + np.cos(2 * np.pi * b))
    assert sorted(map(tuple, waves.local_minima().round(6).tolist())) == [
        (a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)
    ]
    assert len(surface(lambda a, b: a + b).local_minima()) == 0  # on the rim it counts as none


def test_curvature_of_a_surface_by_formula():
    uneven = np.array([-1, -0.4, 0, 0.1, 0.5, 1.0])
    saddle = surface(lambda a, b: 2 * a**2 - 3 * b**2 + a * b, uneven, np.linspace(-1, 1, 9))
    ends = np.linalg.eigvalsh([[4, 1], [1, -6]])
    for found, end in zip(saddle.curvature(), ends, strict=True):
        np.testing.assert_allclose(found, end, rtol=1e-9)
    assert saddle.nonconvex_share() == 1
    assert surface(lambda a, b: a**2 + 0.1 * b**2).nonconvex_share() == 0
    half = surface(lambda a, b: a**3 + b**2, np.linspace(-1, 1, 42))
    assert half.nonconvex_share() == pytest.approx(0.5)
    low = half.loss[1:-1, 1:-1] < 0.3
    bent = np.broadcast_to(half.alphas[1:-1, None] < 0, low.shape)
    assert half.nonconvex_share(0.3) == pytest.approx(bent[low].mean())
    assert math.isnan(half.nonconvex_share(-9))


def test_rounding_does_not_count_as_a_surface_that_bends_downwards():
    noise = np.random.default_rng(0).normal(size=(31, 31))
    axis = np.linspace(-1, 1, 31)
    bowl = 3 + np.add.outer(axis**2, axis**2)
    for dtype, size in (("float32", 1e-6), ("bfloat16", 5e-3)):
        assert surface(bowl * (1 + size * noise), axis, axis, dtype=dtype).nonconvex_share() == 0
    assert surface(bowl * (1 + 5e-3 * noise), axis, axis, dtype="float32").nonconvex_share() > 0.5


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"alphas": [0, 0]}, ValueError, "alphas must be at least two rising finite numbers"),
        ({"betas": [0, math.nan]}, ValueError, "betas must be"),
        ({"data": pictures()[0]}, TypeError, "an ImageSet or a pair"),
    ],
)
def test_what_does_not_fit_is_refused(options, kind, words):
    model = net()
    given = {"data": pictures(), **options}
    with pytest.raises(kind, match=words):
        loss_surface(model, given.pop("data"), *directions_of(model), **given)


def test_so_many_minutes_end_in_a_partial_surface_that_a_second_call_completes(tmp_path):
    model, data = net(), pictures()
    options = {"alphas": ALPHAS, "betas": BETAS, "progress": False, "resume": tmp_path / "s.npz"}
    part = loss_surface(model, data, *directions_of(model), **options, minutes=1e-9)
    assert 1 <= np.isfinite(part.loss[:, 0]).sum() < 5
    assert loss_surface(model, data, *directions_of(model), **options).complete


class TestCommand:
    """python -m cnnviz.analysis.loss_surface."""

    @pytest.fixture
    def weights(self, tmp_path):
        torch.manual_seed(0)
        torch.save(lenet5().state_dict(), tmp_path / "lenet5.pt")
        return tmp_path / "lenet5.pt"

    def run(self, weights, *arguments):
        few = ["--dataset", "digits", "--images", "30", "--points", "3", "--device", "cpu"]
        return main(["lenet5", str(weights), str(weights.with_name("surface.npz")), *few, *arguments])

    def test_it_writes_the_surface_of_weights_in_a_file(self, weights, capsys):
        assert self.run(weights, "--seed", "4") == 0
        found = LossSurface.load(weights.with_name("surface.npz"))
        model, data = lenet5(), load_dataset("digits")
        model.load_state_dict(torch.load(weights, weights_only=True))
        few, one = data.subset(train=30), generator(4)
        directions = [random_direction(model, generator=one) for _ in range(2)]
        axis, pair = np.linspace(-1, 1, 3), (data.normalise(few.x_train), few.y_train)
        expected = loss_surface(model, pair, *directions, alphas=axis, betas=axis, progress=False)
        np.testing.assert_array_equal(found.loss, expected.loss)
        assert "lenet5, 30 images" in capsys.readouterr().out

    def test_it_stops_when_time_is_up_and_goes_on_next_time(self, weights, capsys):
        assert self.run(weights, "--minutes", "1e-9") == 0
        assert "partial, 1 of 3 rows" in capsys.readouterr().out
        assert self.run(weights) == 0
        assert "partial" not in capsys.readouterr().out

    def test_weights_of_another_network_or_seed_are_refused_and_nothing_is_written(self, weights, capsys):
        torch.save(resnet20().state_dict(), weights.with_name("other.pt"))
        assert self.run(weights.with_name("other.pt")) == 2
        assert "other.pt does not fit lenet5" in capsys.readouterr().err
        assert not weights.with_name("surface.npz").exists()
        assert self.run(weights) == 0
        assert self.run(weights, "--seed", "1") == 2
        assert "is of another surface" in capsys.readouterr().err
