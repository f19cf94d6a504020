"""Who is at the other end: what doors that ask for secrets share, whatever their protocol."""
