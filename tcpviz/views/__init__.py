"""What a person sees, as plain data: ladder rows, diagram layouts, sentences."""
