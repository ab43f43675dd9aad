"""Make the file that is shipped: scale the standard error where the blur is estimated, store the blocks in bfloat16.

python benchmarks/default_model/finish.py MODEL OUT --card src/dnsp/weights/default.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec
import torch

from dnsp.acquisition.description import CONDITION_LENGTH
from dnsp.networks import AcquisitionAware, ModelCard, load_model, save_model

WIDER = 0.05  # added to the logarithm of the standard error where the blur is estimated
BLUR_KNOWN = CONDITION_LENGTH - 2  # its place in what the network is told: 1 where the blur is known
SMALL = 0.01


@torch.no_grad()
def widen_where_estimated(model: AcquisitionAware, added: float) -> None:
    """Give the task to the first hidden unit of the head that says next to nothing.

    Small standard errors are exponentials of what the units add up to.
    """
    first, last = model.uncertainty.scaling[0], model.uncertainty.scaling[2]
    free = (last.weight[0].abs() < SMALL).nonzero()
    if len(free) == 0:
        raise SystemExit("no hidden unit of the head is free")
    unit = int(free[0])
    first.weight[unit] = 0
    first.weight[unit, BLUR_KNOWN], first.bias[unit], last.weight[0, unit] = -1, 1, added


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--card", type=Path, required=True, help="A .json with what the card says of data and figures.")
    settings = parser.parse_args()
    model, card = load_model(settings.model)
    model = model.float().to(memory_format=torch.contiguous_format)
    widen_where_estimated(model, WIDER)
    for layer in (*model.network.inner, *model.network.outer):
        layer.weight.data = layer.weight.data.to(torch.bfloat16)
    told = ModelCard.from_json(settings.card.read_text())
    save_model(
        settings.out, model, msgspec.structs.replace(told, network=card.network, weights_sha256=""), overwrite=True
    )


if __name__ == "__main__":
    main()
