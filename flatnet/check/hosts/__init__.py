"""What is wrong with nodes as they are, whether or not a packet has met it yet."""
