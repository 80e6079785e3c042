_base_ = './realesrgan_x4plus_anime_steady.py'

# python tools/model_converters/convert_realesrgan.py realesrgan-x4plus checkpoints/realesrgan-x4plus.pth
load_from = 'checkpoints/realesrgan-x4plus.pth'
model = dict(model=dict(generator=dict(num_blocks=23)), teacher=load_from)
work_dir = './work_dirs/realesrgan_x4plus_steady'
