"""The paper's priors in a Lightning module."""

import lightning
import torch

from dnsp.networks import build_network
from dnsp.priors import Objective, ObjectiveSettings


class SuperResolution(lightning.LightningModule):
    def __init__(self, smooth, sharp):
        super().__init__()
        self.network = build_network("srcnn")  # or any network of yours
        self.objective = Objective(ObjectiveSettings(preset="AP"), smooth=smooth, sharp=sharp)

    def training_step(self, batch, _):
        enlarged, reference = batch
        loss, terms = self.objective(self.network(enlarged), reference)
        self.log_dict(terms)
        return loss

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=1e-4)  # the learnable filters are among the parameters


if __name__ == "__main__":
    reference = torch.rand(64, 1, 40, 40)
    pairs = torch.utils.data.TensorDataset(torch.nn.functional.avg_pool2d(reference, 3, 1, 1), reference)
    lightning.Trainer(max_epochs=2).fit(SuperResolution(*pairs[:8]), torch.utils.data.DataLoader(pairs, batch_size=8))
