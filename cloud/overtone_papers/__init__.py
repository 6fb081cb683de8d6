"""Five published systems, rebuilt: `overtone paper run A|B|C|D|E`."""
