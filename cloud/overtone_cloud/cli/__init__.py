"""Commands: argument parsing, printed tables and exit statuses; the work is done by the packages below."""

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
