"""Ablation studies: arms that differ in one thing, trained over seeds, compared in one table.

A study is a config file that reads from top to bottom::

    # What DIST brings to the narrow student.
    title = "DIST on magnetic tiles"
    base = "../distill/kd-unetpp-w8_lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"
    arms = {
        "teacher": dict(config="../unetpp/unetpp-w8_1xb8-8e_magnetic-tile-256x256.py"),
        "student": dict(config="../lwrnet/lwrnet-w16_1xb8-8e_magnetic-tile-256x256.py"),
        "tau-2": dict(
            teacher="teacher",
            overrides={"model.distiller.distill_losses.loss_dist.tau": 2.0},
        ),
        "all": dict(teacher="teacher"),
    }
    seeds = [0, 1, 2]
    compare_with = "student"

=================  ===============================================================================
``title``          heading of the results
``base``           config of the arms that name none; paths are relative to the study's own file
``arms``           names (letters, digits, ``+ - _ .``) to what is special about each, see below
``seeds``          each arm is trained once with each; becomes ``randomness.seed``
``compare_with``   the arm that the others' differences are taken to
``metrics``        figures of the table, the first one for differences and the picture; by default
                   ``["mIoU", "RegionRecall10", "RegionRecall50", "FalseRegions10",
                   "FalseRegions50"]``
``checkpoint``     the weights that are judged and, of a teacher, that teach: ``"last"`` (default),
                   or ``"best"`` by validation, which flatters where the same images judge
``amp``            whether to train in mixed precision (``tools/train.py --amp``); False by default
``evaluators``     metrics of the final evaluation beside the config's own; a ``RegionMetric`` by
                   default
=================  ===============================================================================

An arm is a dict with some of these, or empty (the base as it is):

=================  ===============================================================================
``config``         a config in place of the base
``overrides``      dotted keys to the values that take the place of what is there; a number is an
                   index into a list
``remove``         dotted keys that go, before the overrides
``teacher``        the arm that is trained first and teaches: its network becomes
                   ``model.teacher``, its checkpoint ``model.teacher_ckpt``
``teacher_seed``   the teacher's seed for every run; by default each run has the teacher of its
                   own seed
``study``, ``arm`` in place of all these: an arm of another study (``arm`` is by default the one
                   of the same name). Its runs are made once and shared
=================  ===============================================================================

Names that begin with an underscore are the file's own. ``tools/ablate.py STUDY.py`` trains what is
missing and writes the results; the runs lie under ``WORK_DIR/STUDY/ARM/seed-N``.
"""
