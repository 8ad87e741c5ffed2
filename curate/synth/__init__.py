"""SynthHeads: talking heads that are drawn, so that everything about them is known."""
