"""What all that speaks to AWS shares: settings, clients, and what their failures mean.

Nothing here imports boto3 before the first client is asked for; the extra is `thingtank[aws]`.
"""
