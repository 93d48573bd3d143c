"""The columns that parse adds to those of FINRA's header."""

LINE, REASON, TEXT, SYMBOL = "_line", "_reason", "_text", "_symbol"
