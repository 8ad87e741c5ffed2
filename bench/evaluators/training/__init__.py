"""`bench train-evaluators`: how the `builtin` networks are made, from rendered frames to safetensors and card."""
