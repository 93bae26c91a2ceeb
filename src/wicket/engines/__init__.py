"""Runs a checkpoint: the contract, one file per engine, and the process it lives in."""
