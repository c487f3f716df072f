"""Measure teacher, student, engines and peers side by side, interleaved."""

import argparse
import functools
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import add_data_root_argument, load_config, run_tool
from lwam_mm.utils.paths import configs_folder

_STUDENT = "lwrnet/lwrnet-w64_1xb4-2000e_powder-bed-1024x1024.py"
_TEACHER = "unetpp/unetpp-w32_1xb4-2000e_powder-bed-1024x1024.py"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, measure and print."""
    from lwam_mm.lab.benchmark.candidates import FAMILY, PEERS, ROWS, check_figures, check_keys
    from lwam_mm.lab.benchmark.run import BenchmarkSettings, profile_row, run_benchmark

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", nargs="?", help=f"the student's plain config ({_STUDENT})")
    parser.add_argument("--teacher", metavar="CONFIG", help=f"the teacher's config ({_TEACHER})")
    parser.add_argument("--checkpoint", type=Path, help="the student's weights (random)")
    parser.add_argument("--teacher-checkpoint", type=Path, help="the teacher's, likewise")
    parser.add_argument(
        "--bundle",
        type=Path,
        action="append",
        default=[],
        help="a bundle of tools/deploy.py to measure as well; may be repeated",
    )
    parser.add_argument("--size", type=int, default=1024, help="height and width, px (1024)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each row (2)")
    parser.add_argument("--rounds", type=int, default=100, help="calls of each row (100)")
    parser.add_argument(
        "--rows", nargs="+", metavar="ROW", default=list(ROWS), help=f"all or some of {list(ROWS)}"
    )
    parser.add_argument(
        "--family",
        nargs="*",
        metavar="NET",
        help=f"SpreadNet too, all or some of {list(FAMILY)}",
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        metavar="PEER",
        help=f"MMSegmentation's lightweight networks too, all or some of {list(PEERS)}",
    )
    parser.add_argument(
        "--images", type=int, default=50, help="validation images for the mIoU (50)"
    )
    parser.add_argument(
        "--profile",
        metavar="ROW",
        help="only print where an OpenVINO row's time goes, layer by layer",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="write benchmark.md, .csv and .png there"
    )
    add_data_root_argument(parser)
    args = parser.parse_args(argv)
    check_figures(parser, args)
    family = () if args.family is None else tuple(args.family or FAMILY)
    peers = () if args.peers is None else tuple(args.peers or PEERS)
    check_keys(args.rows, ROWS, "--rows")
    check_keys(family, FAMILY, "--family")
    check_keys(peers, PEERS, "--peers")
    if args.profile:
        profiled = [key for key in ROWS if key.startswith("openvino")]
        check_keys([args.profile], profiled, "--profile")

    settings = BenchmarkSettings(
        student=load_config(args.config or configs_folder() / _STUDENT, data_root=args.data_root),
        teacher=load_config(args.teacher or configs_folder() / _TEACHER, data_root=args.data_root),
        checkpoint=args.checkpoint,
        teacher_checkpoint=args.teacher_checkpoint,
        bundles=tuple(args.bundle),
        size=args.size,
        threads=args.threads,
        rounds=args.rounds,
        rows=tuple(dict.fromkeys(args.rows)),
        family=family,
        peers=peers,
        images=args.images,
    )
    progress = functools.partial(print, flush=True)
    if args.profile:
        print(profile_row(settings, args.profile, progress))
        return 0
    run = run_benchmark(settings, progress)
    print(run.markdown())
    if args.out:
        run.write(args.out)
        print(f"written: {args.out / 'benchmark.md'}, .csv and .png")
    return 0


if __name__ == "__main__":
    run_tool(main)
