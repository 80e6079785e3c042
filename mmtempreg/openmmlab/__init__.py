"""Our dealings with OpenMMLab: its faults, its private names, its registries, configs, checkpoints and tools."""
