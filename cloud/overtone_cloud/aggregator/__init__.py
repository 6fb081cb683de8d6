"""The aggregator: rounds of federated learning over MQTT."""
