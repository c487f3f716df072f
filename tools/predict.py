"""Segment images with a bundle; needs numpy, OpenCV and the bundle's inference engine only."""

import argparse
import sys
from collections.abc import Sequence

from lwam_mm.runtime import BundleError, EngineError, Predictor
from lwam_mm.runtime.predict_files import predict_files


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0 when every image was predicted, 1 when some could not be, 2 when none was tried.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", help="folder of the bundle")
    parser.add_argument("images", nargs="+", help="image files, and folders of images")
    parser.add_argument(
        "--out",
        required=True,
        help="folder for masks/NAME.png (labels), overlays/NAME.png (to look at) and pixels.csv",
    )
    parser.add_argument(
        "--probabilities",
        action="store_true",
        help="also write probabilities/NAME.npy (float32, classes x height x width)",
    )
    parser.add_argument("--threads", type=int, help="CPU threads (default: the engine's choice)")
    args = parser.parse_args(argv)
    # A file name that the terminal cannot show must not end the run.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        predictor = Predictor(args.bundle, threads=args.threads)
        report = predict_files(
            predictor,
            args.images,
            args.out,
            probabilities=args.probabilities,
            progress=lambda line: print(line, flush=True),
        )
    except (BundleError, EngineError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(report.rows)} images predicted, results in {args.out}")
    if report.skipped:
        print(f"{len(report.skipped)} files skipped, no images by their suffix:")
        for file in report.skipped:
            print(f"  {file}")
    if report.failed:
        print(f"{len(report.failed)} inputs FAILED:", file=sys.stderr)
        for _, reason in report.failed:
            print(f"  {reason}", file=sys.stderr)
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
