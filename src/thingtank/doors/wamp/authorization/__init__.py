"""What a WAMP client may do: permissions of its role, a procedure that is asked, the tank."""
