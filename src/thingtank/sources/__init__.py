"""What comes in from other systems by itself: streams and queues that are read into feeds."""
