# Plain fine-tuning of the baseline: what regularised fine-tuning has to be compared with.
_base_ = '../_base_/hdr.py'
experiment_name = 'hdr_finetune'
work_dir = './work_dirs/hdr_finetune'
load_from = 'checkpoints/hdr_baseline.pth'
