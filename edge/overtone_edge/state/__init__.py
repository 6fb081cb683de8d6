"""State on the disk: bundle slots, labelled examples, outbox, rounds, personal head."""
