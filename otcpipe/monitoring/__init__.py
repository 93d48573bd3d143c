"""Doctor and telemetry."""
