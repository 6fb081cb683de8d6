"""What the published systems share: options, splits, training steps, tables, reports."""
