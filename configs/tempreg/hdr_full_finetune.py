# Plain fine-tuning of the full HDR network from the authors' weights.
_base_ = '../_base_/hdr_full.py'
experiment_name = 'hdr_full_finetune'
work_dir = './work_dirs/hdr_full_finetune'
# tools/model_converters/convert_hdrcnn.py makes it of hdrcnn_params.npz.
load_from = 'data/hdrcnn.pth'
