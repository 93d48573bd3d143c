"""FINRA's API over HTTP, within the rate limit; an answer is a page or an error that says whether to retry."""
