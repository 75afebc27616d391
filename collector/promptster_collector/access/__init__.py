"""Who calls, and what that caller may do: principals, tokens, roles, the guard before every route."""
