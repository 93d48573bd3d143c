"""The bounds of input: what goes beyond one is refused or set aside, and never breaks anything later."""

MEBIBYTE = 1 << 20

# Files and their lines. The largest partition ever seen has some 30 MB and 170,000 rows.
MAX_BYTES = 128 * MEBIBYTE  # of a file, expanded
MAX_MEMBERS = 10_000  # of a gzip file
MAX_LINES = 500_000
MAX_LINE_BYTES = 16_384  # a longer line is a reject
MAX_COLUMNS = 64
MAX_REJECTS = 20_000  # kept one by one; the others are counted

# Values. That many rows on each of three tiers add up to less than the columns of sums hold.
SHARE_DIGITS = 14  # before the point
NOTIONAL_DIGITS = 18  # before the point
TRADE_DIGITS = 12
CRD_DIGITS = 9
DECIMALS = 6
MAX_CHARACTERS = {
    "issueSymbolIdentifier": 100,
    "issueName": 500,  # 201 is the longest seen
    "marketParticipantName": 500,
    "MPID": 32,
    "productTypeCode": 32,
}  # indexes hold four bytes for each
