"""Where work can run; `curate.engine.run` is the one way in, every engine a file of its own."""
