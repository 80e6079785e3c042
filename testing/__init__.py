"""Helpers of tests and benchmarks: stock models on small photographs, runs that are killed, processes in a group."""
