"""What every room of the agent builds on: errors, files, configuration, child processes."""
