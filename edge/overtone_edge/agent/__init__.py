"""The agent, its control socket and its command line."""
