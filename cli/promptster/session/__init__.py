"""What the candidate's commands do with a session: start it, run agents in it, submit, stop or withdraw it."""
