"""Kill a training at random moments, resume it, and compare it with an undisturbed one."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.datasets.synthetic import generate_dataset
from lwam_mm.engine.launch import load_config, run_tool
from lwam_mm.lab.kill_and_resume import kill_and_resume

CONFIG = (
    Path(__file__).resolve().parent.parent
    / "configs/demo/lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96.py"
)
SMALL = {
    "train_cfg.val_interval": 40,
    "default_hooks.checkpoint.interval": 10,
    "train_dataloader.batch_size": 2,
    "train_dataloader.num_workers": 1,
    "val_dataloader.num_workers": 1,
    "model.backbone.base_channels": 8,
    "model.decode_head.base_channels": 8,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments, train and kill."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="number of kills (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (%(default)s)")
    parser.add_argument(
        "--work-dir", type=Path, default=Path("work_dirs/kill_and_resume"), help="(%(default)s)"
    )
    parser.add_argument(
        "--iterations", type=int, default=400, help="iterations of the training (%(default)s)"
    )
    args = parser.parse_args(argv)
    if args.kills < 1:
        parser.error(f"--kills {args.kills}: use 1 or more")

    data = args.work_dir.with_name(f"{args.work_dir.name}_data")
    if not data.exists():
        generate_dataset(data, images=24, size=64, seed=0)
    config = load_config(
        CONFIG, data_root=data, options=SMALL | {"train_cfg.max_iters": args.iterations}
    )
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)
        (args.work_dir / "kill.log").write_text("".join(f"{line}\n" for line in lines))

    return 0 if kill_and_resume(config, args.work_dir, args.kills, args.seed, say) else 1


if __name__ == "__main__":
    run_tool(main)
