"""Watch a folder of layer images, and record what every layer shows."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from lwam_mm.utils.errors import UserError

STEPS = ("recoated", "exposed")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0; 3 if ``run --once`` leaves a critical alarm open; 2 after an error of the user's.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    init = commands.add_parser("init", help="write a commented config")
    init.add_argument("bundle", type=Path, help="folder of the bundle")
    init.add_argument("folder", type=Path, help="folder that the camera writes to")
    init.add_argument("--out", type=Path, default=Path("monitor.toml"), help="the config to write")

    run = commands.add_parser("run", help="watch; exit 3 if --once leaves a critical alarm open")
    run.add_argument("config", type=Path, help="monitor.toml")
    run.add_argument("--once", action="store_true", help="take what is there now, then end")

    status = commands.add_parser("status", help="the recorded builds with their counts")
    status.add_argument("config", type=Path, help="monitor.toml")
    status.add_argument("--json", action="store_true", help="for scripts")

    calibrate = commands.add_parser("calibrate", help="thresholds from recorded good builds")
    calibrate.add_argument("config", type=Path, help="monitor.toml")
    calibrate.add_argument("--build", nargs="+", required=True, help="builds without defects")
    calibrate.add_argument("--step", choices=STEPS, default="recoated", help="default: recoated")
    calibrate.add_argument("--budget", type=float, default=1.0, help="false alarms a build")
    calibrate.add_argument("--out", type=Path, required=True, help="file of rules to write")

    replay = commands.add_parser("replay", help="what other rules would have decided differently")
    replay.add_argument("config", type=Path, help="monitor.toml")
    replay.add_argument("--build", required=True, help="a recorded build")
    replay.add_argument("--step", choices=STEPS, default="recoated", help="default: recoated")
    replay.add_argument("--policy", type=Path, help="file of rules (default: the config's)")

    args = parser.parse_args(argv)
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        return COMMANDS[args.command](args)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
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
    from lwam_mm.runtime import Predictor

    config, text = read_config(args.config)
    record = Record(config.record.folder, config.record.database)
    predictor = Predictor(config.model.bundle, threads=config.model.threads)
    Monitor(config, text, predictor, record, say=lambda line: print(line, flush=True)).run(
        once=args.once
    )
    with record.reading() as session:
        critical = sum(build.open_critical_alarms for build in build_status(session))
    return 3 if critical else 0


def _status(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.config import read_config
    from lwam_mm.monitor.record.queries import build_status
    from lwam_mm.monitor.record.store import Record

    config, _ = read_config(args.config)
    with Record(config.record.folder, config.record.database).reading() as session:
        builds = [dataclasses.asdict(build) for build in build_status(session)]
    if args.json:
        print(json.dumps(builds, indent=2))
        return 0
    for build in builds:
        name = build.pop("build")
        print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in build.items()))
    return 0


def _calibrate(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.config import read_config
    from lwam_mm.monitor.config.policy_file import write_policy
    from lwam_mm.monitor.record.recorded_layers import calibrate_recorded
    from lwam_mm.monitor.record.store import Record

    config, _ = read_config(args.config)
    with Record(config.record.folder, config.record.database).reading() as session:
        found = calibrate_recorded(session, args.build, args.step, config.policy, args.budget)
    write_policy(args.out, found.policy, found.summary())
    print(found.summary())
    print(
        f'wrote {args.out}: replay builds with it, then write policy = "{args.out}" in the config'
    )
    return 0


def _replay(args: argparse.Namespace) -> int:
    from lwam_mm.monitor.config.config import read_config
    from lwam_mm.monitor.config.policy_file import read_policy
    from lwam_mm.monitor.record.recorded_layers import replay_recorded
    from lwam_mm.monitor.record.store import Record

    config, _ = read_config(args.config)
    policy = config.policy if args.policy is None else read_policy(args.policy)
    with Record(config.record.folder, config.record.database).reading() as session:
        found = replay_recorded(session, args.build, args.step, policy)
    for difference in found:
        print(difference)
    print(f"{len(found)} layers differ")
    return 0


COMMANDS = {
    "init": _init,
    "run": _run,
    "status": _status,
    "calibrate": _calibrate,
    "replay": _replay,
}

if __name__ == "__main__":
    sys.exit(main())
