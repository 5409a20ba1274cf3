"""D updated, fixed, and trained without G: what differs between the three trainings, and the table."""

from collections import Counter
from dataclasses import replace

import numpy as np
import torch

from alr_cli.bench.studies import reg_ablation as study
from alr_cli.bench.studies.courses import Course
from alr_cli.core.priors.gradient_network import GradientNetwork
from alr_cli.core.priors.unet import UNet, UNetArchitecture
from alr_cli.core.settings import Settings
from alr_cli.core.training.denoising import CropSource

RNG = np.random.default_rng(0)
PICTURES = [RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8) for _ in range(2)]


def test_the_three_trainings_differ_in_d_and_only_two_train_g() -> None:
    unets = [UNet(UNetArchitecture(3, (4, 8), (1, 1)), torch.Generator().manual_seed(n)) for n in range(2)]
    recipe = replace(study.recipe_of(9, False, 0), patch=16, batch_size=2)
    seen: list[str] = []
    found = dict(study.train(GradientNetwork(*unets), recipe, CropSource([PICTURES], 16), seen.append))
    assert Counter(seen) == {"before": 3, "D updated": 6, "D fixed": 6, study.ALONE: 6}
    denoisers = [prior.network.denoiser.head for prior in found.values()]
    assert not any(torch.equal(denoisers[a], denoisers[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    random = unets[1].state_dict()
    trained = {
        name: any(
            not torch.equal(value, random[key]) for key, value in prior.network.gradient.state_dict().items()
        )
        for name, prior in found.items()
    }
    assert trained == {"D updated": True, "D fixed": True, study.ALONE: False}

    clean = RNG.random((32, 32, 3)).astype(np.float32)
    for name, prior in found.items():
        results = list(study.restore(name, prior, [("a", clean)], Settings(precision="float32"), 2, 0))
        methods = [result.method for result in results]
        assert methods[-2:] == ["PnP-GD, x - D(x) (RED)", "PnP-ADMM, D"]
        assert len(methods) == (2 if name == study.ALONE else 4)


def test_the_table_compares_the_trainings_method_by_method() -> None:
    course = Course((1.0, 3.0, 2.0), (0.5, 0.25), "diverged", PICTURES[0].astype(np.float32))
    results = [study.Result(training, method, "a", course) for training in "yx" for method in ("G", "D")]
    rows = study.table(results, "t").rows
    assert [row[:2] for row in rows] == [("D", "x"), ("D", "y"), ("G", "x"), ("G", "y")]
    assert rows[0][2:] == ("2.00", "3.00", "2.5e-01", "1")
    assert study.draw(results)[:4] == b"\x89PNG"
