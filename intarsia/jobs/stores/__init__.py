"""Object stores as places of sources and results; nothing of the network is loaded before somebody names an address."""
