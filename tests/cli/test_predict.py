"""``xpconv predict``: pictures of any kind, arrays of any shape, and what is neither."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.conftest import error_line
from xpconv import checkpoint, cli, models
from xpconv.cli import _images

SHAPE = (1, 8, 8)


def digits() -> Any:
    from sklearn.datasets import load_digits

    return load_digits()


def draw(path: str, text: str = "7", ink: int = 0, paper: int = 255, mode: str = "L") -> None:
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", (90, 70), paper)
    font = ImageFont.load_default(40)
    ImageDraw.Draw(picture).text((25, 8), text, fill=ink, font=font)
    picture.convert(mode).save(path)


def pixels(path: str, invert: str = "auto") -> np.ndarray:
    return _images.read_pixels(Path(path), SHAPE, invert)


# --- reading -------------------------------------------------------------------------------------


def test_a_picture_is_cut_to_its_ink() -> None:
    draw("seven.png")
    found = pixels("seven.png")
    assert found.shape == (1, 1, 8, 8)
    assert found.dtype == np.float32
    assert found.min() == 0
    assert found.max() == 16
    image = found[0, 0]
    assert image[0].max() > 8  # the bar of the seven is at the top,
    assert image[-1].max() > 2  # its foot at the bottom,
    assert image[:, 0].max() == image[:, -1].max() == 0  # and paper on both sides


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.gif", "a.tiff", "a.webp"])
def test_formats(name: str) -> None:
    draw("reference.png")
    draw(name)
    np.testing.assert_allclose(pixels(name), pixels("reference.png"), atol=0.5)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P", "I;16"])
def test_modes(mode: str) -> None:
    draw("reference.png")
    draw("a.png", mode=mode)
    np.testing.assert_allclose(pixels("a.png"), pixels("reference.png"), atol=2)


def test_light_on_dark_and_dark_on_light_are_read_alike() -> None:
    draw("dark.png", ink=30, paper=200)
    draw("light.png", ink=200, paper=30)
    np.testing.assert_allclose(pixels("dark.png"), pixels("light.png"), atol=1e-3)
    np.testing.assert_array_equal(pixels("dark.png"), pixels("dark.png", "yes"))
    assert np.abs(pixels("dark.png", "no") - pixels("dark.png")).max() > 8


def test_transparent_paper_is_white() -> None:
    from PIL import Image

    draw("reference.png")
    mask = 255 - np.asarray(Image.open("reference.png"))
    ink = np.zeros((*mask.shape, 4), np.uint8)
    ink[..., 3] = mask
    Image.fromarray(ink).save("a.png")
    np.testing.assert_allclose(pixels("a.png"), pixels("reference.png"), atol=0.2)


def test_a_picture_of_the_right_size_is_taken_as_it_is() -> None:
    from PIL import Image

    image = digits().images[5]
    Image.fromarray((image * 255 / 16).round().astype(np.uint8)).save("a.png")
    np.testing.assert_allclose(pixels("a.png", "no")[0, 0], image, atol=0.05)


def test_a_wide_picture_keeps_its_proportions() -> None:
    from PIL import Image

    strip = np.full((20, 100), 255, np.uint8)
    strip[8:12, 10:90] = 0
    Image.fromarray(strip).save("a.png")
    rows = np.flatnonzero(pixels("a.png")[0, 0].max(axis=1))
    assert len(rows) == 1


@pytest.mark.parametrize("dtype", ["float64", "float32", "uint8", "int64"])
@pytest.mark.parametrize(
    ("select", "count"),
    [
        (lambda d: d.images[0], 1),
        (lambda d: d.images[:3], 3),
        (lambda d: d.images[:3, None], 3),
        (lambda d: d.data[:3], 3),
        (lambda d: d.data[0], 1),
        (lambda d: d.images[:1], 1),
    ],
)
def test_arrays_of_every_shape(select: Any, count: int, dtype: str) -> None:
    found = digits()
    np.save("a.npy", select(found).astype(dtype))
    read = pixels("a.npy")
    assert read.shape == (count, 1, 8, 8)
    np.testing.assert_array_equal(read[:, 0], found.images[:count])


def test_archives_of_arrays() -> None:
    images = digits().images[:2]
    np.savez("one.npz", x=images)
    np.savez_compressed("named.npz", labels=np.arange(2), images=images)
    np.testing.assert_array_equal(pixels("one.npz"), pixels("named.npz"))


# --- predicting ----------------------------------------------------------------------------------


def test_lines(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("seven.png")
    np.save("batch.npy", digits().images[:2])
    words = ["predict", str(trained), "seven.png", "batch.npy"]
    assert cli.main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    share = r"\d \(\d+\.\d %\)"
    assert re.fullmatch(rf"seven\.png: {share}, {share}, {share}", lines[0])
    assert [line.partition(":")[0] for line in lines[1:]] == ["batch.npy[0]", "batch.npy[1]"]
    assert cli.main([*words, "--top", "1"]) == 0
    assert re.fullmatch(rf"seven\.png: {share}", capsys.readouterr().out.splitlines()[0])
    assert cli.main([*words, "--top", "99"]) == 0
    assert capsys.readouterr().out.splitlines()[0].count("%") == 10


def test_json(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save("batch.npy", digits().images[:40])
    assert cli.main(["predict", str(trained), "batch.npy", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["input"] for entry in found[:2]] == ["batch.npy[0]", "batch.npy[1]"]
    for entry in found:
        assert sum(entry["probabilities"]) == pytest.approx(1, abs=1e-5)
        assert np.argmax(entry["probabilities"]) == entry["class"]
    read = [entry["class"] for entry in found]
    assert np.mean(read == digits().target[:40]) > 0.6


def test_backends_read_the_same(
    trained: Path, capsys: pytest.CaptureFixture[str], torch: Any
) -> None:
    np.save("batch.npy", digits().images[:5])
    found = []
    for backend in ("numpy", "torch", "array_api_strict:device1"):
        assert cli.main(["predict", str(trained), "batch.npy", "--json", "--backend", backend]) == 0
        entries = json.loads(capsys.readouterr().out)
        found.append([entry["probabilities"] for entry in entries])
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], atol=1e-5)


@pytest.mark.parametrize("scale", [lambda x: x > 4, lambda x: x / 16, lambda x: 0 * x])
def test_arrays_on_another_scale_give_a_warning(
    scale: Any, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    np.save("a.npy", scale(digits().images[:1]))
    assert cli.main(["predict", str(trained), "a.npy", "--top", "1"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("a.npy: ")
    assert err.startswith("xpconv: warning: a.npy holds no value above ")
    assert err.count("\n") == 1


# --- refusing ------------------------------------------------------------------------------------


def refused(trained: Path, capsys: pytest.CaptureFixture[str], name: str) -> str:
    assert cli.main(["predict", str(trained), name]) == 2
    return error_line(capsys)


@pytest.mark.parametrize("name", ["none.png", "none.npy", "none.npz"])
def test_files_that_are_not_there(
    trained: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert refused(trained, capsys, name) == f"{name}: No such file or directory"


@pytest.mark.parametrize("name", ["a.png", "a.npy", "a.npz", "a"])
@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 no archive"])
def test_files_that_are_not_what_they_say(
    trained: Path, capsys: pytest.CaptureFixture[str], name: str, content: bytes
) -> None:
    Path(name).write_bytes(content)
    assert refused(trained, capsys, name).startswith(f"{name} is not a ")


def test_a_directory(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("d").mkdir()
    assert refused(trained, capsys, "d") == "d: Is a directory"


def test_a_truncated_picture(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("whole.png")
    Path("a.png").write_bytes(Path("whole.png").read_bytes()[:120])
    assert refused(trained, capsys, "a.png").startswith("a.png cannot be read: ")


def test_pickled_objects_are_never_loaded(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path("sprung").write_text, ("!",))

    np.save("a.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    np.savez("a.npz", images=np.array([Trap()], dtype=object))
    for name in ("a.npy", "a.npz"):
        assert "without pickled objects" in refused(trained, capsys, name)
    assert not Path("sprung").exists()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((9, 9)), "has shape (9, 9); the model takes 1x8x8, alone or in a batch"),
        (np.zeros((2, 3, 8, 8)), "has shape (2, 3, 8, 8); the model takes"),
        (np.zeros(()), "has shape (); the model takes"),
        (np.zeros((0, 8, 8)), "holds no images: its shape is (0, 8, 8)"),
        (np.full((8, 8), np.nan), "holds NaN or infinity"),
        (
            np.full((8, 8), 255),
            "holds values from 255 to 255; pixels go from 0 (paper) to 16 (ink)",
        ),
        (np.full((8, 8), -1.0), "holds values from -1 to -1; pixels go from 0"),
        (-np.arange(64.0).reshape(8, 8), "holds values from -63 to 0; pixels go from 0"),
        (np.array(["a"]), "not numbers"),
        (np.zeros((8, 8), complex), "holds complex128, not numbers"),
    ],
)
def test_arrays_that_are_no_images(
    trained: Path, capsys: pytest.CaptureFixture[str], array: np.ndarray, message: str
) -> None:
    np.save("a.npy", array)
    line = refused(trained, capsys, "a.npy")
    assert line.startswith("a.npy ")
    assert message in line


def test_an_archive_of_many(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez("a.npz", x=np.zeros((8, 8)), y=np.zeros(2))
    line = refused(trained, capsys, "a.npz")
    assert line == "a.npz holds 2 arrays (x, y); give it one, or call one 'images'"


def test_a_blank_picture(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw("a.png", text=" ")
    assert refused(trained, capsys, "a.png") == "a.png is blank: all its pixels are equal"


def test_a_model_of_colours_takes_no_grey_pictures() -> None:
    draw("a.png")
    with pytest.raises(_images.UsageError, match="the model takes 3 channels"):
        _images.read_pixels(Path("a.png"), (3, 8, 8), "auto")


def test_a_bad_choice(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["predict", str(trained), "a.png", "--invert", "perhaps"]) == 2
    assert "argument --invert: invalid choice" in error_line(capsys)
    assert cli.main(["predict", str(trained)]) == 2
    assert "required: FILE" in error_line(capsys)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_has_diverged(
    trained: Path, capsys: pytest.CaptureFixture[str], value: float
) -> None:
    weights = checkpoint.load_weights(trained / "model.safetensors")
    last = list(weights)[-1]
    weights[last] = np.full_like(weights[last], value)
    model = models.digits_cnn()
    model.load_state_dict(weights)
    card = checkpoint.load_metadata(trained / "model.safetensors")
    checkpoint.save_weights("w.safetensors", model, card)
    np.save("a.npy", digits().images[:1])
    advice = "are not finite; its training has diverged: train it again with a smaller --lr"
    assert cli.main(["predict", "w.safetensors", "a.npy"]) == 2
    assert error_line(capsys) == f"the outputs of digits_cnn for a.npy {advice}"
    assert cli.main(["evaluate", "w.safetensors", "--json"]) == 2
    assert error_line(capsys) == f"the outputs of digits_cnn {advice}"
