"""The stages of the pipeline, each in a module of its name, and the modules that they share."""
