"""Who a WAMP client is: the methods by which it says so, and whom it may turn out to be."""
