"""Faults: what the ledger promises when something breaks, tried many times over.

``python -m tests.faults [all|kill|replay|power|inject|full|flips|misuse|server] [--seed N] [--count N] [--full] [--json]``

Each campaign is a module with one promise, told in its first lines, and prints one line a figure. An entry counts
as *acknowledged* from the moment on when its receipt was printed, or ``Ledger.append`` returned. Three things are
looked for after every fault:

lost        an acknowledged entry that is not there any more (of these none, ever),
undetected  something changed or went missing and ``claims verify`` calls the ledger sound (none either),
refused     the ledger says that it does not verify, or an append fails (only where the campaign says that it may).

Moments and places are drawn from a seed. What a killed process had reached by then depends on the machine, so a
kill is repeated in kind and not to the byte; cuts, flips and injections are repeated exactly.
"""
