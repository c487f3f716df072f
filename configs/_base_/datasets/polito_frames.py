# 47 real powder-bed frames, polito_frames, with no build on both sides: 28 for training, 19 for
# testing, 12 of these without a defect.
#
# The environment variable LWAM_DATA_ROOT names the folder that holds polito_frames/. The lists name
# the frames of each side; frames with the same part outlines are of one build.
_base_ = ["./powder_bed_crops_512.py"]
data_root = "{{$LWAM_DATA_ROOT:data}}/polito_frames"
_lists = "{{ fileDirname }}/../splits/polito_frames"
# The powder surface, in px of a frame of 1280 x 1024; walls, plate edge and slide lie outside.
roi = [[215, 125], [1279, 125], [1279, 895], [175, 895]]

_files = dict(
    data_root=data_root,
    img_suffix=".jpg",
    data_prefix=dict(img_path="images", seg_map_path="masks"),
)
train_pipeline = [
    *_base_.train_pipeline[:2],  # loading
    # No build shows every kind of defect; those that are drawn on the frames do.
    dict(type="DrawDefects", prob=0.25, roi=roi),
    *_base_.train_pipeline[2:5],
    dict(_base_.train_pipeline[5], brightness=(0.5, 1.3)),  # one build is a third darker
    *_base_.train_pipeline[6:],
]
train_dataloader = dict(
    dataset=dict(_files, ann_file=f"{_lists}/train.txt", pipeline=train_pipeline)
)
val_dataloader = dict(dataset=dict(_files, ann_file=f"{_lists}/test.txt", roi=roi))
test_dataloader = val_dataloader
