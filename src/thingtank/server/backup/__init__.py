"""Backups: all of a data folder as of one moment, in one file, and back.

copying.py    a running instance writes consistent copies of its files
package.py    the file: a compressed tar of a manifest and these copies
making.py     the steps from the folder to a complete file
restoring.py  the steps from a file to a folder
parts.py      what both have in a data folder while they are under way
last.py       when the last one was made
"""
