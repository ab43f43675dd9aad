"""Break the code in one place at a time, and see whether the tests of that module notice.

    python tests/mutation/mutants.py --count 60 --seed 0 --part io

A mutant differs from the code by one comparison, one operator, one number, one condition or one truth value; places are
drawn at random. The tests of the module run on each in a process of their own. A mutant that no test notices is printed as a
line that can be looked at: it shows a missing test, or is equivalent to the code.
"""

import argparse
import ast
import contextlib
import copy
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

# Imported before the processes are forked; dnsp itself is not.
import nibabel  # noqa: F401
import numpy as np
import pytest
import scipy.ndimage  # noqa: F401
import torch  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60  # of processor time; a mutant that takes more is noticed

UNIT = "tests/unit"
DICOM = [f"{UNIT}/io/dicom"]
TESTS = {
    "volume": {
        f"volume/{name}.py": [f"{UNIT}/test_volume.py", "tests/properties/test_volume_properties.py"]
        for name in ("grid", "intensity_scaling", "slice_by_slice", "volume")
    },
    "io": {
        "io/atomic.py": [f"{UNIT}/io/test_atomic.py"],
        "io/brainweb.py": [f"{UNIT}/io/test_brainweb.py"],
        "io/conversion.py": [f"{UNIT}/test_one_call.py"],
        "io/file_access.py": [f"{UNIT}/io/test_file_access.py"],
        "io/formats.py": [f"{UNIT}/io/test_file_access.py"],
        "io/inputs.py": ["tests/cli/test_outputs_and_settings.py"],
        "io/mgh.py": [f"{UNIT}/io/test_mgh.py"],
        "io/names.py": [f"{UNIT}/io/test_names.py", f"{UNIT}/io/test_nifti.py"],
        "io/nifti/files.py": [f"{UNIT}/io/test_nifti{name}.py" for name in ("", "_refusals", "_writing")],
        "io/nifti/header.py": [f"{UNIT}/io/test_nifti{name}.py" for name in ("_header", "_writing", "")],
        "io/nifti/reading.py": [f"{UNIT}/io/test_nifti{name}.py" for name in ("", "_refusals", "_header")],
        "io/nifti/writing.py": [f"{UNIT}/io/test_nifti{name}.py" for name in ("_writing", "", "_header")],
        "io/non_finite.py": [f"{UNIT}/io/test_nifti.py", f"{UNIT}/io/test_mgh.py"],
        "io/scan.py": [f"{UNIT}/io/test_{name}.py" for name in ("brainweb", "mgh", "file_access")],
        "io/sidecar.py": [f"{UNIT}/io/test_sidecar.py", f"{UNIT}/io/test_tables.py"],
        "io/slice_thickness.py": [f"{UNIT}/io/test_slice_thickness.py", *DICOM],
        "io/storage.py": [f"{UNIT}/io/test_storage.py", f"{UNIT}/io/test_nifti_writing.py", *DICOM],
        "io/stored_voxels.py": [
            f"{UNIT}/io/test_nifti.py",
            f"{UNIT}/io/test_nifti_refusals.py",
            f"{UNIT}/io/test_mgh.py",
        ],
        "io/tables.py": [f"{UNIT}/io/test_tables.py"],
        "io/text_files.py": [f"{UNIT}/io/test_text_files.py"],
        "io/unfinished.py": [f"{UNIT}/io/test_unfinished.py", "tests/cli/test_stopping.py"],
    },
    "dicom": {
        f"io/dicom/{name}.py": DICOM
        for name in (
            "derived",
            "facts",
            "files",
            "folder",
            "geometry",
            "headers",
            "jpeg",
            "pixels",
            "reading",
            "series",
            "slices",
            "volumes",
        )
    },
    "priors": {
        f"priors/{name}.py": [
            f"{UNIT}/priors",
            "tests/oracles/test_priors_closed_forms.py",
            "tests/properties/test_priors.py",
        ]
        for name in (
            "extreme_patches",
            "gaussian_of_gram",
            "learnable_sharpness",
            "loss",
            "loss_settings",
            "low_rank",
            "sharpness",
            "total_variation",
        )
    }
    | {"priors/balance.py": ["tests/cli/test_patches_balance.py", f"{UNIT}/training/test_balance.py"]},
    "acquisition": {
        "acquisition/bicubic.py": [f"{UNIT}/acquisition/test_bicubic.py"],
        "acquisition/blur_downsample.py": [f"{UNIT}/acquisition/test_blur_downsample.py"],
        "acquisition/deconvolution.py": [f"{UNIT}/acquisition/test_deconvolution.py"],
        "acquisition/degradation.py": [f"{UNIT}/acquisition/test_{name}.py" for name in ("degradation", "slices")],
        "acquisition/degradation_settings.py": [
            f"{UNIT}/acquisition/test_{name}.py" for name in ("degradation", "slices")
        ],
        "acquisition/description.py": [
            f"{UNIT}/acquisition/test_description.py",
            f"{UNIT}/acquisition/test_sampling.py",
        ],
        "acquisition/kspace.py": [f"{UNIT}/acquisition/test_kspace.py", f"{UNIT}/acquisition/test_sampling.py"],
        "acquisition/local_range.py": [f"{UNIT}/acquisition/test_local_range.py"],
        "acquisition/low_field.py": [f"{UNIT}/acquisition/test_low_field.py"],
        "acquisition/noise.py": [f"{UNIT}/acquisition/test_description.py", f"{UNIT}/acquisition/test_sampling.py"],
        "acquisition/plausibility.py": [f"{UNIT}/acquisition/test_plausibility.py"],
        "acquisition/resampling.py": [f"{UNIT}/acquisition/test_sampling.py"],
        "acquisition/sampling.py": [f"{UNIT}/acquisition/test_sampling.py"],
        "acquisition/slices.py": [f"{UNIT}/acquisition/test_slices.py"],
        "acquisition/volumes.py": [f"{UNIT}/acquisition/test_degradation.py", f"{UNIT}/acquisition/test_slices.py"],
    },
}

COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COMPARED |= {ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}
COMPUTED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult}
COMPUTED |= {ast.Mod: ast.Add, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.MatMult: ast.Mult}


def places_of(tree):
    """Give the nodes that can be changed; not those of messages, annotations, docstrings and lists of names."""
    hidden = set()
    for node in ast.walk(tree):
        inner = [getattr(node, name, None) for name in ("annotation", "returns")]
        if isinstance(node, (ast.Raise, ast.JoinedStr, ast.AnnAssign)):
            inner += [node] if not isinstance(node, ast.AnnAssign) else []
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Subscript, ast.BinOp)):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            inner += [node] if any(name[:1].isupper() for name in names) else []
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            inner.append(node)
        for one in filter(None, inner):
            hidden |= set(ast.walk(one))
    kinds = (ast.Compare, ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Constant, ast.If, ast.IfExp)
    return [node for node in ast.walk(tree) if isinstance(node, kinds) and node not in hidden and change_of(node)]


def change_of(node):
    """Give the changed node; None if there is nothing to change."""
    new = copy.deepcopy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARED:
        new.ops[0] = COMPARED[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp) and type(node.op) in COMPUTED:
        new.op = COMPUTED[type(node.op)]()
    elif isinstance(node, ast.BoolOp):
        new.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
        new = new.operand
    elif isinstance(node, (ast.If, ast.IfExp)):
        new.test = ast.UnaryOp(ast.Not(), new.test)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        new.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        new.value = node.value + 1 if node.value in (0, 1) or isinstance(node.value, int) else node.value * 2
    else:
        return None
    return new


def missing_modules():
    """Name the modules of the parts that have no tests here."""
    listed = {file for files in TESTS.values() for file in files}
    folders = {Path(file).parent for file in listed} - {Path()}
    found = {path for folder in folders for path in (ROOT / "src/dnsp" / folder).glob("*.py")}
    names = {path.relative_to(ROOT / "src/dnsp").as_posix() for path in found if path.name != "__init__.py"}
    return sorted(names - listed)


class Replace(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def mutate(source, number):
    """Give the text of a file with its place of this number changed, and a line that says what."""
    tree = ast.parse(source)
    node = places_of(tree)[number]
    new = change_of(node)
    short = [ast.unparse(one.test if isinstance(one, ast.If) else one) for one in (node, new)]
    line = f"line {node.lineno}: {short[0]}  ->  {short[1]}"
    changed = ast.fix_missing_locations(Replace(node, ast.copy_location(new, node)).visit(tree))
    return ast.unparse(changed), " ".join(line.split())[:200]


def is_noticed(folder, tests):
    """Run tests on the code of a folder, in a process of their own."""
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.dont_write_bytecode = True  # a mutant may have the size and the time of the one before
        os.environ["PYTHONPATH"] = str(folder)  # for tests that start processes
        sys.path.insert(0, str(folder))
        code = 99
        with contextlib.suppress(BaseException):
            code = pytest.main(
                ["-x", "-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}", *(str(ROOT / one) for one in tests)]
            )
        os._exit(int(code))
    _, status = os.waitpid(pid, 0)
    return status != 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="mutants of each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--part", action="append", choices=list(TESTS))
    parser.add_argument("--file", help="only this file, for example io/atomic.py")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after this time")
    chosen = parser.parse_args()
    if missing := missing_modules():
        raise SystemExit(f"without tests in the table TESTS: {', '.join(missing)}")
    end = time.monotonic() + 60 * chosen.minutes
    with tempfile.TemporaryDirectory(prefix="dnsp-mutants-") as name:
        folder = Path(name) / "src"
        shutil.copytree(ROOT / "src", folder, ignore=shutil.ignore_patterns("__pycache__"))
        for part in chosen.part or list(TESTS):
            files = {file: tests for file, tests in TESTS[part].items() if chosen.file in (None, file)}
            sources = {file: (ROOT / "src" / "dnsp" / file).read_text(encoding="utf-8") for file in files}
            places = [(file, n) for file, text in sources.items() for n in range(len(places_of(ast.parse(text))))]
            drawn = np.random.default_rng(chosen.seed).permutation(len(places))[: chosen.count]
            counts = Counter()
            for file in sorted({places[index][0] for index in drawn}):
                if is_noticed(folder, files[file]):
                    raise SystemExit(f"{file}: its tests fail on the code as it is")
            for file, number in (places[index] for index in drawn):
                if time.monotonic() > end:
                    break
                text, line = mutate(sources[file], number)
                target = folder / "dnsp" / file
                target.write_text(text, encoding="utf-8")
                noticed = is_noticed(folder, files[file])
                target.write_text(sources[file], encoding="utf-8")
                counts["noticed" if noticed else "survived"] += 1
                if not noticed:
                    print(f"survived: {file}, {line}", flush=True)  # noqa: T201
            print(f"{part}: {dict(counts)} of {len(places)} places", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
