"""What shows that lwam_mm works: benchmarks, ablation studies, inspection, pages and the demo.

The lab may use every other package; none of them uses the lab.
"""
