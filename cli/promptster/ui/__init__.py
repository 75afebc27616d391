"""What a person sees: output, escaping, questions and views. Nothing here decides anything."""
