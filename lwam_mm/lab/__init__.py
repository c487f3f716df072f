"""Evidence that lwam_mm works: benchmarks, ablation studies, inspection, report pages, the demo.

The lab may use every other package; no other package may use the lab.
"""
