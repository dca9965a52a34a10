"""Cost of the house itself: import, ask and tell, the store, the engine."""
