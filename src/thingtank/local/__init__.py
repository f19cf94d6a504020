"""Local forms of what AWS has as services: queues, tables of items, objects.

They mean the same and promise the same, in files of this machine, so that whoever uses them can go
to AWS by one line of settings. Nothing here knows who writes and who reads.
"""
