"""Batch jobs: a mapper and a reducer over many lines, as Hadoop streaming runs them, here.

Both are programs of any language that read lines from standard input and write lines to standard
output; a line's key is what stands before its first tab. The same two run on a cluster unchanged.
"""
