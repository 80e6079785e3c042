"""What tests and benchmarks share: stock models on small photographs, runs that are killed, processes in a group."""
