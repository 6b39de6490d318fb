"""Drop-in replacements: one module per tutorial family, with the names, numbers and printed lines of the original."""
