# Plain fine-tuning of the full HDR network from the authors' weights.
_base_ = '../_base_/hdr_full.py'
experiment_name = 'hdr_full_finetune'
work_dir = './work_dirs/hdr_full_finetune'
# tools/model_converters/convert_hdrcnn.py makes it of hdrcnn_params.npz.
load_from = 'data/hdrcnn.pth'
# The network that is fine-tuned is the one that is used: with the averages of its batch normalisation.
custom_hooks = [*_base_.custom_hooks, dict(type='NormEvalHook')]
