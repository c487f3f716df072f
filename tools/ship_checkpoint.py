"""Make the small checkpoints of a trained net that come with the package, as trained and folded."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import lwam_mm.plugin  # noqa: F401  repairs upstream packages before they are imported
from lwam_mm.engine.launch import load_config, run_tool

LARGE = 1000  # elements; smaller tensors, such as those of batch norms, stay in 32 bits


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the arguments and write NAME.pth and NAME-folded.pth."""
    from lwam_mm.deploy.compared_models import load_multi_branch
    from lwam_mm.models.checkpoint import read_checkpoint, save_checkpoint
    from lwam_mm.models.reparam.fold import reparameterize
    from lwam_mm.models.shipped_checkpoints import FOLDER

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", help="the net's config")
    parser.add_argument("checkpoint", type=Path, help="its weights")
    parser.add_argument("name", help="name in lwam_mm::NAME")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder ({FOLDER})")
    args = parser.parse_args(argv)
    model, _ = load_multi_branch(load_config(args.config), args.checkpoint)
    meta = read_checkpoint(args.checkpoint).meta
    kept = {key: meta[key] for key in ("dataset_meta", "training_record") if key in meta}
    for suffix, net in (("", model), ("-folded", reparameterize(model))):
        weights = {
            key: value.half() if value.is_floating_point() and value.numel() >= LARGE else value
            for key, value in net.state_dict().items()
        }
        path = args.out / f"{args.name}{suffix}.pth"
        save_checkpoint(weights, path, kept)
        print(f"written: {path}, {path.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    run_tool(main)
