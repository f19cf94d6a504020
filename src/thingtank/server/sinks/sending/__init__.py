"""The process that sends: windows and engines of all rules, beside the server's own process.

calls.py          what the two processes say to each other
process.py        the server's side: begins it, and has calls done by it
remote_rule.py    the server's side of one rule: what stands there for its windows and engine
host.py           the other side: the program, with a thread for each rule
items.py          what a rule sends of the journal's batches
item_maker.py     … made once for all rules that want the same
"""
