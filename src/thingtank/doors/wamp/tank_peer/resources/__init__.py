"""The procedures, a module for each noun.

Parameters are arguments by name, and by place those in front of `*`; null is as good as none.
"""
