"""The models that come with the software: trained on all speakers, converted, described by a card, checked."""
