"""One step of both networks of DCGAN: the generator learns through the discriminator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.backends import Library, host
from tests.models.twins_images import make_image_twins
from xpconv import models, nn, optim
from xpconv.random import Stream

LATENT, CHANNELS, WIDTH = 7, 2, 4


def networks() -> tuple[nn.Module, nn.Module]:
    rng = Stream(2)
    return (
        models.dcgan_generator(LATENT, CHANNELS, WIDTH, rng=rng),
        models.dcgan_discriminator(CHANNELS, WIDTH, rng=rng),
    )


def step(generator: Any, discriminator: Any, real: Any, noise: Any, xp: Any) -> tuple[Any, Any]:
    """As on the page of the models: the discriminator first, then the generator."""
    criterion = nn.BCELoss()

    def judge(images: Any, wanted: float) -> Any:
        p, backward = discriminator.forward(images, training=True)
        loss, dloss = criterion.forward(p, xp.full_like(p, wanted))
        return loss, *backward(dloss())

    fake, backward = generator.forward(noise, training=True)
    real_loss, _, on_real = judge(real, 1.0)
    fake_loss, _, on_fake = judge(fake, 0.0)
    optim.SGD(lr=0.1).step(discriminator, {k: on_real[k] + on_fake[k] for k in on_real})
    loss, dfake, _ = judge(fake, 1.0)
    optim.SGD(lr=0.1).step(generator, backward(dfake)[1])
    return real_loss + fake_loss, loss


def torch_step(torch: Any, generator: Any, discriminator: Any, real: Any, noise: Any) -> Any:
    """As PyTorch's users write it."""
    criterion = torch.nn.BCELoss()
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.1) for m in (discriminator, generator)]
    ones, zeros = torch.ones(len(real)).double(), torch.zeros(len(real)).double()
    fake = generator(noise)
    loss = criterion(discriminator(real), ones) + criterion(discriminator(fake.detach()), zeros)
    loss.backward()
    optimizers[0].step()
    generator.zero_grad()
    passed = criterion(discriminator(fake), ones)
    passed.backward()
    optimizers[1].step()
    return loss, passed


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    return rng.uniform(-1, 1, (3, CHANNELS, 64, 64)), rng.normal(size=(3, LATENT, 1, 1))


def test_a_step_of_both_is_the_twins(torch: Any) -> None:
    ours = [model.to("numpy", "float64") for model in networks()]
    makers = make_image_twins(torch)
    theirs = [
        makers["generator"](LATENT, CHANNELS, WIDTH).double(),
        makers["discriminator"](CHANNELS, WIDTH).double(),
    ]
    for mine, twin in zip(ours, theirs):
        twin.load_state_dict({k: torch.tensor(v) for k, v in mine.state_dict().items()})
    real, noise = data()
    losses = step(*ours, real, noise, np)
    expected = torch_step(torch, *theirs, torch.tensor(real), torch.tensor(noise))
    for value, desired in zip(losses, expected, strict=True):
        assert float(value) == pytest.approx(desired.item(), rel=1e-12)
    for mine, twin in zip(ours, theirs):
        state = mine.state_dict()
        for key, value in twin.state_dict().items():
            np.testing.assert_allclose(
                state[key], value.numpy(), rtol=1e-9, atol=1e-11, err_msg=key
            )


def test_a_step_on_every_library(backend: Library) -> None:
    real, noise = data()
    expected = networks()
    losses = step(*expected, real.astype("float32"), noise.astype("float32"), np)
    ours = [model.to(backend.spec) for model in networks()]
    arrays = [backend.array(values, "float32") for values in (real, noise)]
    moved = step(*ours, *arrays, backend.xp)
    for value, desired in zip(moved, losses, strict=True):
        assert float(host(value)) == pytest.approx(float(desired), rel=1e-4)
    for mine, twin in zip(ours, expected):
        for key, value in twin.state_dict().items():
            backend.assert_close(mine.state_dict()[key], value, rtol=1e-3)


def test_weights_start_as_the_paper_says() -> None:
    for model in (models.dcgan_generator(rng=Stream(0)), models.dcgan_discriminator(rng=Stream(0))):
        for key, value in model.parameters().items():
            if value.ndim == 4 and value.size > 10_000:
                assert np.std(value) == pytest.approx(0.02, rel=0.05), key
                assert abs(np.mean(value)) < 1e-3
            elif key.endswith("weight") and value.ndim == 1 and value.size >= 128:
                assert np.mean(value) == pytest.approx(1, abs=0.01)
                assert np.std(value) == pytest.approx(0.02, rel=0.3)
            elif key.endswith("bias"):
                assert not np.any(value)
