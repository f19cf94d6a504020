"""Each change of the tank is one action: check access, change, announce."""
