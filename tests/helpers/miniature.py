"""The configs of the miniature road, and the options that make them run in seconds."""

SIZE = 64
TEACHER = "unetpp-w8_1xb4-400i_powder-bed-synthetic-96x96"
STUDENT = "lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96"
DISTILLED = "kd-unetpp-w8_lwrnet-w16_1xb4-500i_powder-bed-synthetic-96x96"

SHORT = [
    "train_cfg.max_iters=4",
    "train_cfg.val_interval=2",
    "default_hooks.checkpoint.interval=2",
    "default_hooks.logger.interval=1",
    "train_dataloader.batch_size=2",
]
NO_WORKERS = [f"{side}_dataloader.num_workers=0" for side in ("train", "val", "test")]
NARROW = {
    TEACHER: ["model.backbone.base_channels=4", "model.decode_head.base_channels=4"],
    STUDENT: ["model.backbone.base_channels=8", "model.decode_head.base_channels=8"],
    DISTILLED: [
        "model.architecture.backbone.base_channels=8",
        "model.architecture.decode_head.base_channels=8",
        "model.teacher.backbone.base_channels=4",
        "model.teacher.decode_head.base_channels=4",
    ],
}
