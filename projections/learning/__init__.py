"""Learning from many spots at once how each voice speaks: arrays in, arrays out (the engine of ``hmm@1``)."""
