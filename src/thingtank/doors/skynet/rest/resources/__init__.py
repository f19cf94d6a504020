"""What the routes do: read what was asked, do it by `operations`, shape the answer."""
