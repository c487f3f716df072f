"""Watch a folder of layer images, and record what every layer shows."""

import argparse
import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lwam_mm.monitor.watch.paths import printable
from lwam_mm.utils.errors import UserError

STEPS = ("recoated", "exposed")
SIDES = ("train", "val", "test")
FORMATS = ("vti", "hdf5", "csv", "stl", "dataset")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0; 3 if ``run --once`` leaves a critical alarm open; 2 after an error of the user's; 1 if
        ``signal`` reaches not all.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    init = commands.add_parser("init", help="write a commented config")
    init.add_argument("bundle", type=Path, help="folder of the bundle")
    init.add_argument("folder", type=Path, help="folder that the camera writes to")
    init.add_argument("--out", type=Path, default=Path("monitor.toml"), help="the config to write")

    run = commands.add_parser(
        "run", help="watch and serve the page; --once: exit 3 if a critical alarm is open"
    )
    run.add_argument("config", type=Path, help="monitor.toml")
    run.add_argument("--once", action="store_true", help="take what is there now, then end")
    run.add_argument(
        "--dry-run", action="store_true", help="print the signals in place of sending them"
    )

    status = commands.add_parser("status", help="the recorded builds with their counts")
    status.add_argument("config", type=Path, help="monitor.toml")
    status.add_argument("--json", action="store_true", help="for scripts")

    test = commands.add_parser("signal", help="send a test message through each channel")
    test.add_argument("config", type=Path, help="monitor.toml")
    test.add_argument("--dry-run", action="store_true", help="print it in place of sending it")

    calibrate = commands.add_parser("calibrate", help="thresholds from recorded good builds")
    calibrate.add_argument("config", type=Path, help="monitor.toml")
    calibrate.add_argument(
        "--build", type=printable, nargs="+", required=True, help="builds without defects"
    )
    calibrate.add_argument("--step", choices=STEPS, default="recoated", help="default: recoated")
    calibrate.add_argument("--budget", type=float, default=1.0, help="false alarms a build")
    calibrate.add_argument("--out", type=Path, required=True, help="file of rules to write")

    replay = commands.add_parser("replay", help="what other rules would have decided differently")
    replay.add_argument("config", type=Path, help="monitor.toml")
    replay.add_argument("--build", type=printable, required=True, help="a recorded build")
    replay.add_argument("--step", choices=STEPS, default="recoated", help="default: recoated")
    replay.add_argument("--policy", type=Path, help="file of rules (default: the config's)")

    report = commands.add_parser("report", help="all about a build in one file")
    report.add_argument("config", type=Path, help="monitor.toml")
    report.add_argument("--build", type=printable, required=True, help="a recorded build")
    report.add_argument("--out", type=Path, required=True, help=".html, or .pdf by a browser")

    export = commands.add_parser("export", help="a build for other programs, or for training")
    export.add_argument("config", type=Path, help="monitor.toml")
    export.add_argument("--build", type=printable, required=True, help="a recorded build")
    export.add_argument("--format", required=True, choices=FORMATS, dest="form")
    export.add_argument("--out", type=Path, required=True, help="file; folder: csv and dataset")
    export.add_argument("--step", choices=STEPS, default="recoated", help="default: recoated")
    export.add_argument("--max-mb", type=float, default=512, help="bound for vti, stl (512)")
    export.add_argument("--side", default="train", choices=SIDES, help="of the data set")

    args = parser.parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return COMMANDS[args.command](args)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        print(f"error: {error}: pip install 'lwam-mm[monitor]'", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 0


def _init(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.template import write_template

    write_template(args.bundle, args.folder, args.out)
    print(f"wrote {args.out}: look through it, then: python tools/monitor.py run {args.out}")
    return 0


def _run(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.config import read_config
    from lwam_mm.monitor.loop import Monitor
    from lwam_mm.monitor.record.queries import build_status
    from lwam_mm.monitor.record.store import Record
    from lwam_mm.monitor.signal.signals import DrySignals, Signals
    from lwam_mm.runtime import Predictor

    config, text = read_config(args.config)
    with _naming(args.config):
        record = Record(config.record.folder, config.record.database)
    with _naming(f"{args.config}: model.bundle"):
        predictor = Predictor(config.model.bundle, threads=config.model.threads)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    page = None
    with _naming(args.config):
        if args.dry_run:
            signals = DrySignals(config.signal, _say)
        else:
            signals = Signals(config.signal, record, _say)
        monitor = Monitor(config, text, predictor, record, signals, _say)
        if config.page.enabled and not args.once:
            from lwam_mm.monitor.page.server import PageServer

            page = PageServer(config.page, record, signals.outbox, lambda: monitor.trouble)
    if page is not None:
        page.start()
        _say(f"the page is at {page.url}")
    try:
        signals.start()
        monitor.run(args.once, stop)
    finally:
        if page is not None:
            page.close()
        for name in signals.close(patience_s=30 if args.once else 2):
            _say(f"{name}: messages still wait; they are sent after the next start")
    with record.reading() as session:
        critical = sum(build.open_critical_alarms for build in build_status(session))
    if args.once and monitor.trouble is not None:
        print(f"error: {args.config}: {monitor.trouble}", file=sys.stderr)
        return 2
    return 3 if critical else 0


def _signal(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.config import read_config
    from lwam_mm.monitor.signal.signals import DrySignals, send_test

    config, _ = read_config(args.config)
    if args.dry_run:
        DrySignals(config.signal, _say).trouble("this is a test of the signals")
        return 0
    with _naming(args.config):
        return 0 if send_test(config.signal, _say) else 1


@contextmanager
def _naming(what: str | Path) -> Iterator[None]:
    """Let errors of the user begin with the config's file, or with file and key."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{what}: {error}") from error


def _open_record(args: argparse.Namespace) -> tuple:
    from lwam_mm.monitor.config.config import read_config
    from lwam_mm.monitor.record.store import Record

    config, _ = read_config(args.config)
    with _naming(args.config):
        return config, Record(config.record.folder, config.record.database)


def _say(line: str) -> None:
    print(line, flush=True)


def _status(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.record.queries import build_status, files_put_aside

    _, record = _open_record(args)
    with record.reading() as session:
        builds = [dataclasses.asdict(build) for build in build_status(session)]
        files = [dataclasses.asdict(file) for file in files_put_aside(session)]
    if args.json:
        print(json.dumps(_with_files(builds, files), indent=2, default=str))
        return 0
    for build in builds:
        name = build.pop("build")
        print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in build.items()))
    if files:
        print(f"{len(files)} files were put aside; --json lists them with their reasons")
    return 0


def _with_files(builds: list[dict], files: list[dict]) -> list[dict]:
    """Return the builds with the files that were put aside, those of no known build at the end."""
    if any(file["build"] is None for file in files):
        builds = [*builds, {"build": None}]
    return [
        build | {"put_aside": [file for file in files if file["build"] == build["build"]]}
        for build in builds
    ]


def _calibrate(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.policy_file import write_policy
    from lwam_mm.monitor.record.recorded_layers import calibrate_recorded

    if args.out.resolve() == args.config.resolve():
        raise UserError(f"{args.out} is the config: give the rules another file as --out")
    config, record = _open_record(args)
    with record.reading() as session:
        builds = list(dict.fromkeys(args.build))  # one that is named twice is no second build
        found = calibrate_recorded(session, builds, args.step, config.policy, args.budget)
    write_policy(args.out, found.policy, found.summary())
    print(found.summary())
    # As the config has to name it: relative to its own folder.
    named = os.path.relpath(args.out, args.config.absolute().parent)
    print(
        f"wrote {args.out}: replay builds with it, then write policy = {json.dumps(named)} "
        "above the first section of the config"
    )
    return 0


def _replay(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.policy_file import read_policy
    from lwam_mm.monitor.record.classes import build_classes
    from lwam_mm.monitor.record.recorded_layers import replay_recorded
    from lwam_mm.monitor.record.store import find_build

    config, record = _open_record(args)
    policy = config.policy if args.policy is None else read_policy(args.policy)
    with record.reading() as session:
        classes = build_classes(session, find_build(session, args.build).id).names
        if classes:  # none if no layer was ever inspected
            policy.check_classes(classes)
        found = replay_recorded(session, args.build, args.step, policy)
    for difference in found:
        print(difference)
    print(f"{len(found)} layers differ")
    return 0


def _report(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.report.report import write_report

    _, record = _open_record(args)
    write_report(record, args.build, args.out)
    print(f"wrote {args.out}")
    return 0


def _export(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.config import layer_height_um, plate_of
    from lwam_mm.monitor.export.export import export
    from lwam_mm.monitor.export.exported import read_build

    config, record = _open_record(args)
    plate, thickness = plate_of(config), layer_height_um(config)
    build = read_build(record, args.build, args.step, plate, thickness)
    print(export(build, args.form, args.out, args.max_mb, args.side))
    return 0


COMMANDS = {
    "init": _init,
    "run": _run,
    "signal": _signal,
    "status": _status,
    "calibrate": _calibrate,
    "replay": _replay,
    "report": _report,
    "export": _export,
}

if __name__ == "__main__":
    sys.exit(main())
