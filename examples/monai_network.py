"""The paper's priors on a MONAI network, in a plain PyTorch loop."""

import torch
from monai.networks.nets import BasicUNet

from dnsp.priors import SpatioStructuralLoss


def main(steps=20):
    torch.manual_seed(0)
    reference = torch.rand(8, 1, 40, 40)  # your high-resolution patches, intensities about [0, 1]
    enlarged = torch.nn.functional.avg_pool2d(reference, 3, stride=1, padding=1)  # what your network is given

    network = BasicUNet(spatial_dims=2, in_channels=1, out_channels=1, features=(8, 8, 16, 16, 16, 8))
    criterion = SpatioStructuralLoss("AP", smooth=enlarged, sharp=reference)
    optimiser = torch.optim.Adam([*network.parameters(), *criterion.parameters()], lr=1e-3)

    for step in range(steps):
        loss = criterion(network(enlarged), reference)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        print(step, " ".join(f"{name} {float(value):.2e}" for name, value in criterion.terms.items()))
    return float(criterion.terms["data"])


if __name__ == "__main__":
    main()
