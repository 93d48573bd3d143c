"""The bounds of input: a file that exceeds one is refused, a row that does is rejected."""

MEBIBYTE = 1 << 20

# Files and their lines. The largest partition seen has about 30 MB and 170,000 rows.
MAX_BYTES = 128 * MEBIBYTE  # of a file, uncompressed
MAX_MEMBERS = 10_000  # of a gzip file
MAX_LINES = 500_000
MAX_LINE_BYTES = 16_384  # a longer line becomes a reject
MAX_COLUMNS = 64
MAX_REJECTS = 20_000  # stored one by one; the others are only counted

# Values. The sums of MAX_LINES such rows in each of three tiers fit the columns of the aggregates.
SHARE_DIGITS = 14  # before the decimal point
NOTIONAL_DIGITS = 18  # before the decimal point
TRADE_DIGITS = 12
CRD_DIGITS = 9
DECIMALS = 6
MAX_CHARACTERS = {
    "issueSymbolIdentifier": 100,
    "issueName": 500,  # 201 is the longest seen
    "marketParticipantName": 500,
    "MPID": 32,
    "productTypeCode": 32,
}  # of up to four bytes each, which indexes must be able to hold
