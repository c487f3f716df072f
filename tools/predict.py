"""Segment images with a bundle; needs only numpy, OpenCV and the bundle's inference engine."""

import argparse
import sys
from collections.abc import Sequence

from lwam_mm.utils.errors import UserError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool.

    Returns:
        0 when every image was predicted, 1 when some could not be, 2 when the run could not start
        or its table could not be written.
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
    parser.add_argument(
        "--max-pixels", type=int, help="predict larger images in tiles (default: 1024 * 1024)"
    )
    parser.add_argument(
        "--roi",
        help="region of interest, outside of which nothing is a defect: a mask image, or a JSON "
        "list of polygons [[[x, y], ...], ...] in pixels",
    )
    parser.add_argument(
        "--workers",
        type=int,
        help="predict with so many processes, by Ray, and go on where an earlier run ended; each "
        "takes one thread unless --threads says more",
    )
    parser.add_argument(
        "--ray-address",
        metavar="HOST:PORT",
        help="of a Ray cluster whose machines do the work, all of them unless --workers says less",
    )
    args = parser.parse_args(argv)
    several = args.workers is not None or args.ray_address is not None
    # A file name that the terminal cannot show must not end the run.
    sys.stdout.reconfigure(errors="backslashreplace")
    try:
        # Imported here, so that an OpenCV that cannot be imported is reported like other errors.
        from lwam_mm.runtime.archive.predict_archive import ArchiveRun, predict_archive
        from lwam_mm.runtime.predict_files import PredictionRun, predict_files
        from lwam_mm.runtime.predictor import MAX_PIXELS, Predictor

        max_pixels = MAX_PIXELS if args.max_pixels is None else args.max_pixels
        threads = 1 if several and args.threads is None else args.threads
        predictor = Predictor(args.bundle, threads=threads, max_pixels=max_pixels, roi=args.roi)
        options = {
            "probabilities": args.probabilities,
            "progress": lambda line: print(line, flush=True),
        }
        run: PredictionRun | ArchiveRun
        if several:
            run = predict_archive(
                predictor,
                args.images,
                args.out,
                workers=args.workers,
                address=args.ray_address,
                threads=threads,
                **options,
            )
        else:
            run = predict_files(predictor, args.images, args.out, **options)
    except (UserError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{len(run.predicted)} images predicted, results in {args.out}")
    if several and run.kept:
        print(f"{run.kept} of them were there already")
    if run.skipped:
        print(f"{len(run.skipped)} files and folders skipped:")
        for path, reason in run.skipped:
            print(f"  {path}: {reason}")
    if run.failed:
        print(f"{len(run.failed)} inputs FAILED:", file=sys.stderr)
        for _, reason in run.failed:
            print(f"  {reason}", file=sys.stderr)
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
