"""The process around the engine: signals, the service manager, reload, the HTTP listener."""
