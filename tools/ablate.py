"""Train the arms of a study over its seeds and compare them in one table."""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import add_data_root_argument, run_tool


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, train what is missing, report."""
    from mmengine.config import DictAction
    from mmengine.logging import MMLogger

    from lwam_mm.engine.hooks.preemption_hook import INTERRUPTED
    from lwam_mm.lab.studies.report import write_report
    from lwam_mm.lab.studies.study import read_study

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("study", help="a study's config file, such as configs/ablations/*.py")
    parser.add_argument(
        "--resume", action="store_true", help="keep finished runs and resume begun ones"
    )
    parser.add_argument(
        "--report", action="store_true", help="train nothing; report what is finished"
    )
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="only these arms")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="N", help="in place of the study's")
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="runs side by side, each on its share of cores (1)"
    )
    parser.add_argument(
        "--cluster", choices=["slurm", "local"], help="run on a cluster by submitit instead"
    )
    parser.add_argument(
        "--cluster-options",
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="submitit's parameters, such as slurm_partition=gpu timeout_min=240",
    )
    parser.add_argument(
        "--work-dir",
        type=Path,
        default=Path("work_dirs/ablations"),
        help="folder of all studies (work_dirs/ablations); runs go to STUDY/ARM/seed-N in it",
    )
    parser.add_argument("--out", type=Path, help="folder for CSV, table, pictures (the study's)")
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="further overrides for every run, such as train_dataloader.num_workers=1",
    )
    add_data_root_argument(parser)
    args = parser.parse_args(argv)
    if args.jobs is not None and (args.jobs < 1 or args.cluster):
        parser.error("--jobs must be 1 or more, and cannot be combined with --cluster")
    if args.report and (args.arms or args.seeds):
        parser.error(
            "--report covers all finished runs; it cannot be combined with --arms or --seeds"
        )

    # Each of many configs would log the environment variables that it reads.
    MMLogger.get_current_instance().setLevel("WARNING")
    study = read_study(args.study)
    try:
        failed = {} if args.report else _train(study, args)
    except KeyboardInterrupt:
        print("stopped; the checkpoints are kept, continue with --resume")
        return INTERRUPTED
    out = args.out or args.work_dir / study.name
    files, missing = write_report(study, args.work_dir, out)
    for line in missing:
        print(line)
    for file in files:
        print(f"written: {file}")
    for run, why in failed.items():
        print(f"error: {run.name}: {why}", file=sys.stderr)
    return 1 if failed else 0


def _train(study: object, args: argparse.Namespace) -> dict:
    from lwam_mm.lab.studies.cluster import ClusterQueue, parse_parameters
    from lwam_mm.lab.studies.prepare_run import Preparation, refuse_begun
    from lwam_mm.lab.studies.run import runs_of, with_teachers
    from lwam_mm.lab.studies.schedule import LocalQueue, run_all

    runs = with_teachers(runs_of(study, args.work_dir, arms=args.arms, seeds=args.seeds))
    if not args.resume:
        refuse_begun(study, runs)
    prepare = Preparation(args.data_root, args.cfg_options, _say)
    for run in runs:
        prepare.check(run)
    if args.cluster:
        parameters = parse_parameters(args.cluster_options)
        queue = ClusterQueue(args.cluster, args.work_dir / "cluster", parameters)
        limit = None
    else:
        limit = args.jobs or 1
        queue = LocalQueue(limit)
    # Like Ctrl-C: the trainings save and stop.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return run_all(runs, prepare.job, queue.submit, _say, limit=limit)
    finally:
        queue.close()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    run_tool(main)
