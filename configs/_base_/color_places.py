# Automatic colorization of anything: the paper's large network on Places, tested on a folder of videos.
_base_ = './color.py'

# VGG16's weights in torchvision's names, trained on Places (as in the paper) or ImageNet.
model = dict(generator=dict(_delete_=True, type='ColorizationVGG', vgg16='data/vgg16_places365.pth'))

# tools/dataset_converters/places makes the list.
train_pipeline = [
    dict(type='RandomResizedCrop', keys=['img', 'gt'], crop_size=224, scale=(0.5, 1.0), ratio=(1.0, 1.0)),
    dict(type='Flip', keys=['img', 'gt'], flip_ratio=0.5, direction='horizontal'),
    dict(type='PackInputs'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=8,
    dataset=dict(data_root='data/places/data_256', list_file='data/places/train.txt', pipeline=train_pipeline))

# All videos and folders of frames that lie there; the shorter edge is 224 pixels.
_clips = dict(_delete_=True, type='ClipDataset', size=224, pipeline={{_base_.test_pipeline}})
val_dataloader = dict(dataset=dict(**_clips, data_root='data/videos/val'))
test_dataloader = dict(dataset=dict(**_clips, data_root='data/videos/test'))

# 2.1 million photographs
train_cfg = dict(max_epochs=15)
param_scheduler = dict(step_size=6250)
