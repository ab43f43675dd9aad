"""Export the network of the default model to ONNX: enlarged slices (`begin`) and their acquisition in, sharp slices out."""

import sys

import torch

import dnsp


def export(path):
    network = dnsp.load_model("default").network.eval()
    example = (
        torch.rand(1, len(network.input_names), 64, 48),
        torch.zeros(1, network.network.modulation[0].in_features),
    )
    sides = {axis: 2 * torch.export.Dim(f"half_{axis}", min=2) for axis in (2, 3)}  # even sides
    with torch.no_grad():
        names = {"input_names": ["starts", "condition"], "output_names": ["sharp"]}
        torch.onnx.export(network, example, dynamo=True, dynamic_shapes=(sides, None), **names).save(path)


if __name__ == "__main__":
    export(sys.argv[1])
