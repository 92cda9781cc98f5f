"""Headers of many frames at once: a step takes all that stand before the same one past it."""
