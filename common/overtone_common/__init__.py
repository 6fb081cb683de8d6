"""What device and cloud both need: files, configuration, recordings, the MQTT link. Imports nothing else of ours."""
