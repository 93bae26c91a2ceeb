"""What a mini is and when its answer may be taken: card, form, answers, confidence, watch. Pure values."""
