"""How Django writes dates and times where no script shows them in the reader's zone: the admin."""
