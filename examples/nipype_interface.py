"""A Nipype interface for a node of a workflow."""

from pathlib import Path

from nipype.interfaces.base import BaseInterfaceInputSpec, File, SimpleInterface, TraitedSpec, traits

import dnsp


class EnhanceInputSpec(BaseInterfaceInputSpec):
    in_file = File(exists=True, mandatory=True, desc="scan")
    scale = traits.Enum(2, 3, 4, usedefault=True, desc="factor in the plane")
    method = traits.Str("network", usedefault=True, desc="as of dnsp.enhance")


class EnhanceOutputSpec(TraitedSpec):
    out_file = File(exists=True, desc="enhanced scan")


class Enhance(SimpleInterface):
    input_spec, output_spec = EnhanceInputSpec, EnhanceOutputSpec

    def _run_interface(self, runtime):
        target = Path(runtime.cwd) / "enhanced.nii.gz"
        sharp = dnsp.enhance(self.inputs.in_file, scale=self.inputs.scale, method=self.inputs.method)
        sharp.save(target, overwrite=True)  # in the node's own folder
        self._results["out_file"] = str(target)
        return runtime
