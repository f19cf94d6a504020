"""Thing Tank on an Auto Scaling group: one description, made by direct calls or as a stack.

`description.py` says what is wanted and `parts.py` says it in AWS's words, which the direct calls
and CloudFormation share; `direct.py` makes it by calls, `template.py` writes the template that
`stacks.py` deploys; `groups.py` looks at a group that is there and scales it; `destroy.py` ends it.
"""
