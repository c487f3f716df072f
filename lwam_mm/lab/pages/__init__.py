"""The demo's report: a table of models for the terminal and a page with pictures.

Example:
    >>> from lwam_mm.lab.pages import ModelRow, format_table
    >>> rows = [
    ...     ModelRow("teacher", 71.25, [98.5, 44.0], 9_046_808, 812.4),
    ...     ModelRow("student", 66.0, [97.9, None], 3_993_958, 240.02),
    ... ]
    >>> print(format_table(rows, ["Background", "Super"]))
    model    mIoU %  Background  Super  parameters  ms/image
    -------  ------  ----------  -----  ----------  --------
    teacher   71.25       98.50  44.00     9.047 M       812
    student   66.00       97.90      -     3.994 M       240
"""

from lwam_mm.lab.pages.demo_page import write_report
from lwam_mm.lab.pages.pictures import Sample
from lwam_mm.lab.pages.table import ModelRow, format_table

__all__ = ["ModelRow", "Sample", "format_table", "write_report"]
