"""The decoded envelopes of a ledger, kept beside it as rows of fixed width: what replays read in place of
the ledger's JSON."""
