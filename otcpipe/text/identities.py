"""Compare rows by several columns at once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def number_rows(table: pa.Table) -> np.ndarray:
    """Return a number for each row, equal for equal rows; a null equals a null."""
    numbers, count = np.zeros(table.num_rows, dtype=np.int64), 1
    for column in table.itercolumns():
        encoded = column.combine_chunks().dictionary_encode()
        texts = len(encoded.dictionary)
        if count * (texts + 1) > np.iinfo(np.int64).max:
            distinct, numbers = np.unique(numbers, return_inverse=True)
            count = len(distinct)
        numbers = numbers * (texts + 1) + pc.fill_null(encoded.indices, texts).to_numpy()
        count *= texts + 1
    return numbers


def are_distinct(numbers: np.ndarray) -> bool:
    """Return whether no number is repeated; sorting is faster than finding the first of each."""
    ordered = np.sort(numbers)
    return bool((ordered[1:] != ordered[:-1]).all())
