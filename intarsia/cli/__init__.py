"""The command line: argument handling only; everything it does can be done from Python."""
