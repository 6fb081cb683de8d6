"""System E: CNN-LSTM, LSTM-CNN, CNN-Transformer and their ensembles."""
