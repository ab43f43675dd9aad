"""Methods that came before networks: no training but examples or priors. Import each from its module."""
