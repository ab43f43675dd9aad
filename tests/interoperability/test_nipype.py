"""Nipype: the interface of examples/nipype_interface.py, alone and as a node."""

import os

import nibabel as nib
import numpy as np
import pytest

import dnsp

os.environ["NIPYPE_NO_ET"] = "1"  # Nipype asks a server for its newest version otherwise
pytest.importorskip("nipype", reason="Nipype is not installed; it is in the dependency group interoperability")


def test_a_node_writes_the_result_into_its_own_folder(example, scan, tmp_path):
    from nipype import Node

    node = Node(
        example("nipype_interface")["Enhance"](in_file=str(scan), method="spline"), "enhance", base_dir=tmp_path
    )
    result = nib.load(node.run().outputs.out_file)
    assert str(tmp_path / "enhance") in result.get_filename()
    np.testing.assert_array_equal(result.get_fdata(dtype=np.float32), dnsp.enhance(scan, method="spline").voxels)


def test_a_scan_that_is_missing_is_refused_before_the_node_runs(example, tmp_path):
    from nipype.interfaces.base import TraitError

    with pytest.raises(TraitError, match=r"missing\.nii\.gz"):
        example("nipype_interface")["Enhance"](in_file=str(tmp_path / "missing.nii.gz"))
