"""Files: models and tensors, written whole or not at all, and pictures of digits."""
