"""Jobs over a list of scans: one after another, in processes of this machine, or on a Dask cluster; and their callback."""

from dnsp.jobs.job import Job, JobCallback, JobResult
from dnsp.jobs.run import DaskCluster, LocalProcesses, run_jobs

__all__ = ["DaskCluster", "Job", "JobCallback", "JobResult", "LocalProcesses", "run_jobs"]
