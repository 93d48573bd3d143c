"""Runs of stages: their order, the ledger, execution, failures and recovery."""
