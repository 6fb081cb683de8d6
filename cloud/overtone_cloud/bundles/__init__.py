"""From training runs to signed bundles and their other forms."""
