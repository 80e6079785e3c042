# What `make demo` does: a short form, for a CPU, of what the configs do in full.
DEMO := work_dirs/demo
# 1,280 crops of 64x64 in batches of 8; Adam from 3e-4, x 0.99 every iteration
DEMO_TRAIN := \
    train_dataloader.dataset.num_images=1280 \
    train_dataloader.dataset.pipeline.0.crop_size="(64,64)" \
    train_dataloader.batch_size=8 train_dataloader.num_workers=1 \
    train_cfg.max_epochs=1 train_cfg.val_interval=2 \
    optim_wrapper.optimizer.lr=3e-4 param_scheduler.by_epoch=False \
    default_hooks.logger.interval=20
# Moving clips that nothing was trained on: pans over real HDR images.
DEMO_CLIPS := configs/tempreg/hdr_transinv_a0.8_images.py
DEMO_TEST := test_dataloader.dataset.num_frames=60

.PHONY: demo
demo: .venv/installed
	$(BIN)/python tools/train.py configs/tempreg/hdr_finetune.py --work-dir $(DEMO)/finetune --cfg-options $(DEMO_TRAIN)
	$(BIN)/python tools/train.py configs/tempreg/hdr_transinv_a0.8.py --work-dir $(DEMO)/transinv \
	    --cfg-options $(DEMO_TRAIN)
	for run in "baseline checkpoints/hdr_baseline.pth" "finetune $(DEMO)/finetune/epoch_1.pth" \
	    "transinv $(DEMO)/transinv/epoch_1.pth"; do \
	    set -- $$run; \
	    $(BIN)/python tools/test.py $(DEMO_CLIPS) $$2 --out $(DEMO)/$$1.json --work-dir $(DEMO)/test \
	        --cfg-options $(DEMO_TEST) || exit 1; \
	done
	$(BIN)/python tools/analysis_tools/compare_checkpoints.py $(DEMO_CLIPS) \
	    baseline=checkpoints/hdr_baseline.pth fine-tuned=$(DEMO)/finetune/epoch_1.pth \
	    "transform invariance=$(DEMO)/transinv/epoch_1.pth" --clip 2 --out-dir $(DEMO) \
	    --cfg-options $(DEMO_TEST)
	@echo
	@$(BIN)/python tools/analysis_tools/metrics_table.py baseline=$(DEMO)/baseline.json \
	    "plain fine-tuning=$(DEMO)/finetune.json" "transform invariance=$(DEMO)/transinv.json"
	@echo
	@echo "See $(DEMO)/temporal.png and $(DEMO)/side_by_side.mp4"
