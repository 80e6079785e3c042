_base_ = '../_base_/photographs_twice.py'

# python tools/model_converters/convert_realesrgan.py realesrgan-x4plus-anime checkpoints/realesrgan-x4plus-anime.pth
load_from = 'checkpoints/realesrgan-x4plus-anime.pth'
stock = dict(
    type='BaseEditModel',
    generator=dict(type='RRDBNet', in_channels=3, out_channels=3, num_blocks=6),
    pixel_loss=_base_.pixel_loss,
    data_preprocessor=dict(type='DataPreprocessor', mean=[0.0] * 3, std=[255.0] * 3))
model = dict(type='SiameseEditModel', model=stock, teacher=load_from, **_base_.steady_and_sharp)
work_dir = './work_dirs/realesrgan_x4plus_anime_steady'
