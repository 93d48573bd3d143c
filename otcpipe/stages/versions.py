"""The code version of each stage, raised whenever the stage's output changes.

Keys and the ledger carry it, so that output of older code is recognized and made again.
"""

FETCH = CACHE = PERSIST = PUBLISH = 1
PARSE = NORMALIZE = COMPUTE = 2
