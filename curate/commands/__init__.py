"""The verbs of the command line, a file a topic; bodies import what they need."""
