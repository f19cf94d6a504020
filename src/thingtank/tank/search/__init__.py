"""Search of the feed directory: an index in memory that directories keep up to date.

`words.py` says what a word is, `word_index.py` and `postings.py` find devices by words,
`columns.py` by numbers, `title_order.py` keeps titles sorted, and `device_index.py` answers a query
with all of them.
"""
