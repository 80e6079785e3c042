# The full HDR network (Eilertsen et al. 2017), on a folder of HDR images of your own, tested on HDR video.
_base_ = './hdr.py'

# VGG16's encoder, skip connections in the log domain: 29,447,332 variables. The authors linearise by gamma 2.
model = dict(
    generator=dict(
        _delete_=True,
        type='HDRCNN',
        encoder_channels=((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)),
        bottleneck_channels=(512, ),
        deconv_kernel=4,
        fusion_kernel=1,
        out_kernel=1,
        encoder_norm_cfg=None,
        fusion_norm_cfg=None,
        out_norm_cfg=dict(type='BN'),
        out_act_cfg=dict(type='ReLU'),
        input_fusion_bias=True,
        log_skips=True),
    pixel_loss=dict(_delete_=True, type='IlluminationReflectanceLoss'),
    camera_n=0.5,
    camera_s=1e6)

# 125,000 crops of 320x320 of some 2,700 images, as the authors' virtual camera takes them
train_pipeline = [dict(type='PackInputs', meta_keys={{_base_.meta_keys}})]
train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    dataset=dict(
        _delete_=True,
        type='HDRImageDataset',
        data_root='data/hdr_images',
        num_images=125000,
        size=320,
        seed=0,
        pipeline=train_pipeline))
_clips = dict(_delete_=True, type='HDRClipDataset', data_root='data/hdr_video', pipeline={{_base_.test_pipeline}})
val_dataloader = dict(dataset=dict(**_clips, list_file='data/hdr_video/val.csv'))
test_dataloader = dict(dataset=dict(**_clips, list_file='data/hdr_video/test.csv'))

# The authors': Adam 5e-5, x 0.99 an epoch, 100 epochs from scratch. Fine-tuning takes a few.
train_cfg = dict(max_epochs=5, val_interval=1)
