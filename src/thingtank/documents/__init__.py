"""What the tank's things look like in documents: one set of shapes, which several doors use."""
