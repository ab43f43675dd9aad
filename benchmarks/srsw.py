"""Time SRSW on a simulated 256 x 256 slice at x2, split by search, programme and assembling, with its memory.

    python benchmarks/srsw.py --patches 100000 --threads 2

The limit to hold: a slice in less than 60 s on two cores with 100,000 patches in the database. The slices come from
simulated heads with 3 % noise. Each is done twice: leaving out patches of little contrast, as by default, and with every
patch worked on, the worst case. With --indices, the search is also timed with scikit-learn's indices (nilearn, of the
extra ``demo``, brings it).
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from dnsp.acquisition import blur_downsample
from dnsp.methods.srsw import SRSW
from dnsp.methods.srsw_database import PatchDatabase, TrainingPair, build_database
from dnsp.methods.srsw_patches import SRSWSettings, low_features
from dnsp.methods.srsw_programme import kkt_residual, solve_nonnegative
from dnsp.simulation import BRAINWEB_T1, make_label_map, simulate_head
from dnsp.volume import robust_scaling

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_SECONDS = 60.0
SCALE = 2


class TimedSRSW(SRSW):
    """SRSW that adds up what its steps take."""

    search_seconds = 0.0
    programme_seconds = 0.0
    patches = 0

    def _find_nearest(self, y: Tensor) -> Tensor:
        start = time.perf_counter()
        nearest = super()._find_nearest(y)
        self.search_seconds += time.perf_counter() - start
        self.patches += len(y)
        return nearest

    def _combine(self, y: Tensor, nearest: Tensor) -> Tensor:
        start = time.perf_counter()
        estimate = super()._combine(y, nearest)
        self.programme_seconds += time.perf_counter() - start
        return estimate


def head_slices(seed: int, count: int) -> Tensor:
    labels = make_label_map(shape=(256, 256, 24), spacing_mm=(0.8, 0.8, 5.0), seed=seed)
    head = simulate_head(labels, sequence=BRAINWEB_T1, subject_id=f"head-{seed}", seed=seed)
    slices = robust_scaling(head.voxels).apply(head.slices(2)[0]).clip(0, 1)
    chosen = slices[(24 - count) // 2 : (24 + count) // 2]
    return torch.from_numpy(chosen.copy())[:, None]


def training_pairs(subjects: int) -> Iterator[TrainingPair]:
    for seed in range(subjects):
        high_res = head_slices(seed, 12)
        yield TrainingPair(f"head-{seed}", blur_downsample(high_res, scale=SCALE), high_res)


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def time_slice(database: PatchDatabase, low_res: Tensor) -> None:
    start = time.perf_counter()
    method = TimedSRSW(database)
    index = time.perf_counter() - start
    start = time.perf_counter()
    method(low_res, scale=SCALE)
    total = time.perf_counter() - start
    rest = total - method.search_seconds - method.programme_seconds
    print(
        f"k = {database.settings.neighbours:3}: index {index:.2f} s once; {method.patches} patches: search "
        f"{method.search_seconds:.2f} s, programme {method.programme_seconds:.2f} s, assembling {rest:.2f} s, "
        f"slice {total:.2f} s ({'within' if total < LIMIT_SECONDS else 'BEYOND'} {LIMIT_SECONDS:.0f} s); "
        f"peak {peak_mib():.0f} MiB"
    )


def check_optimum(database: PatchDatabase, low_res: Tensor) -> None:
    method = SRSW(database)
    y = low_features(low_res, settings=database.settings)[0][::7]
    programme = method._programme(y, method._find_nearest(y))  # noqa: SLF001
    residual = kkt_residual(*programme, solve_nonnegative(*programme)).max()
    print(f"largest KKT residual of {len(y)} programmes: {residual:.1e}")


def time_indices(database: PatchDatabase, low_res: Tensor, threads: int) -> None:
    from scipy.spatial import cKDTree
    from sklearn.neighbors import NearestNeighbors

    k, low = database.settings.neighbours, database.low.numpy()
    y = low_features(low_res, settings=database.settings)[0].numpy()[::4]
    start = time.perf_counter()
    cKDTree(low).query(y, k=k, workers=threads)
    print(f"{'scipy cKDTree':24}{time.perf_counter() - start:8.2f} s, index included, {len(y)} patches")
    for algorithm in ("brute", "kd_tree", "ball_tree"):
        start = time.perf_counter()
        NearestNeighbors(n_neighbors=k, algorithm=algorithm, n_jobs=threads).fit(low).kneighbors(y)
        print(f"{'scikit-learn ' + algorithm:24}{time.perf_counter() - start:8.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patches", type=int, default=100_000)
    parser.add_argument("--neighbours", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--patch-size", type=int, default=SRSWSettings().patch_size)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--indices", action="store_true", help="time scikit-learn's indices too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    settings = SRSWSettings(patch_size=arguments.patch_size, patches_per_subject=arguments.patches // 4)
    start = time.perf_counter()
    database = build_database(training_pairs(4), scale=SCALE, settings=settings, seed=0)
    print(f"database: {len(database.low)} patches, {time.perf_counter() - start:.1f} s with simulating the heads")
    print(f"peak before {peak_mib():.0f} MiB")
    low_res = blur_downsample(head_slices(9, 2)[:1], scale=SCALE)
    for neighbours in arguments.neighbours:
        for least_contrast in (settings.least_contrast, 0.0):
            varied = replace(settings, neighbours=neighbours, least_contrast=least_contrast)
            time_slice(replace(database, settings=varied), low_res)
    check_optimum(database, low_res)
    if arguments.indices:
        time_indices(database, low_res, arguments.threads)


if __name__ == "__main__":
    main()
