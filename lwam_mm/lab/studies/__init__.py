"""Ablation studies: arms that differ in one thing, trained over seeds, compared in one table.

A study is a config file::

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
``base``           config of the arms that name none; paths are relative to the study's file
``arms``           keys of each arm by its name (letters, digits and ``+ - _ .``), see below
``seeds``          each arm is trained once with each seed, set as ``randomness.seed``
``compare_with``   the arm that the others are compared with
``metrics``        figures of the table, the main one first; by default ``["mIoU",
                   "RegionRecall10", "RegionRecall50", "FalseRegions10", "FalseRegions50"]``
``checkpoint``     the weights to evaluate, and of a teacher those that teach: ``"last"`` (default)
                   or ``"best"`` by validation, which is optimistic on the same images
``amp``            whether to train in mixed precision (``tools/train.py --amp``); default False
``evaluators``     metrics besides the config's own; by default a ``RegionMetric``
=================  ===============================================================================

The keys of an arm are all optional; without any, the arm is the base:

=================  ===============================================================================
``config``         a config in place of the base
``overrides``      values by dotted key, which replace the config's; a number indexes a list
``remove``         dotted keys to remove, before the overrides
``teacher``        the arm that is trained first and teaches: its network becomes
                   ``model.teacher``, its checkpoint ``model.teacher_ckpt``
``teacher_seed``   the teacher's seed for all runs; by default each run's own seed
``study``, ``arm`` in place of all these: an arm of another study (by default the one of the same
                   name), whose runs are shared
=================  ===============================================================================

Names that begin with an underscore are variables of the file. ``tools/ablate.py STUDY.py`` trains
what is missing and writes the results; runs are in ``WORK_DIR/STUDY/ARM/seed-N``.
"""
