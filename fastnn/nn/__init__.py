"""Networks: the model, its training and what goes with them."""
