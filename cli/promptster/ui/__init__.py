"""What a person sees: output, escaping, questions and views. No decisions are made here."""
